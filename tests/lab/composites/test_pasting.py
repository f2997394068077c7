from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chromacord.errors import InputError, MissingFileError
from chromacord.lab.composites.pasting import FREE_LICENCES, paste, read_placements
from tests.lab.evaluation.scored_set import make_pictures, write, write_list

LIST = Path(__file__).parents[3] / "benchmarks" / "composites.csv"


def pasted(folder: Path, **changes: str) -> Any:
    (placement,) = read_placements(write_list(folder / "list.csv", changes))
    return paste(placement, make_pictures(folder / "pictures"))


def test_the_foreground_lies_where_the_list_says(tmp_path: Path) -> None:
    """The bright square of 20 x 20 becomes half of 80 lines high, its middle at a fourth of 120 columns."""
    made = pasted(tmp_path, height="0.5", x="0.25", bottom="0.75")
    assert made.composite.shape == (80, 120, 3)
    rows, columns = np.nonzero(made.mask > 0.5)
    assert (rows.min(), rows.max() + 1) == pytest.approx((20, 60), abs=1)
    assert (columns.min(), columns.max() + 1) == pytest.approx((10, 50), abs=1)
    assert made.composite[40, 30].tolist() == [200, 100, 50]
    assert (made.mask[40, 25:35] == 1).all()


def test_the_background_is_left_alone_and_the_edge_is_soft_inwards(tmp_path: Path) -> None:
    made = pasted(tmp_path, height="0.5", x="0.25", bottom="0.75")
    assert (made.composite[made.mask == 0] == 40).all()
    edge = made.mask[40, 8:16]
    assert (np.diff(edge) >= 0).all()
    assert ((edge > 0) & (edge < 1)).sum() >= 2
    # Nothing is taken from beyond the border, where the foreground's own background is pure green.
    assert made.composite[..., 1].max() <= 100


def test_a_foreground_that_is_made_smaller_has_no_false_patterns(tmp_path: Path) -> None:
    folder = make_pictures(tmp_path / "pictures")
    stripes = np.zeros((64, 96, 3), np.uint8)
    stripes[:, ::2] = 255
    write(folder / "things" / "images" / "square.png", stripes)
    (placement,) = read_placements(write_list(tmp_path / "list.csv", {"height": "0.1", "bottom": "0.5"}))
    made = paste(placement, folder)
    inside = made.composite[made.mask > 0.99].astype(int)
    assert np.abs(inside - 128).max() < 30


def test_a_part_may_lie_outside_but_not_all(tmp_path: Path) -> None:
    made = pasted(tmp_path, bottom="1.2")
    assert made.mask[-1].any()
    with pytest.raises(InputError, match="one: the foreground lies outside the background; change x, bottom or height"):
        pasted(tmp_path, bottom="5")


@pytest.mark.parametrize(("labels", "columns"), [("1", 10), ("2", 20), ("1 2", 30), ("all", 30)])
def test_labels_choose_the_foreground(tmp_path: Path, labels: str, columns: int) -> None:
    folder = make_pictures(tmp_path / "pictures")
    mask = np.zeros((64, 96), np.uint8)
    mask[20:40, 10:20], mask[20:40, 20:40] = 1, 2
    write(folder / "things" / "masks" / "square.png", mask)
    changes = {"labels": labels, "height": "0.25", "x": "0.5", "bottom": "0.75"}
    (placement,) = read_placements(write_list(tmp_path / "list.csv", changes))
    found = np.nonzero((paste(placement, folder).mask > 0.5).any(axis=0))[0]
    assert len(found) == pytest.approx(columns, abs=2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"height": "tall"}, "list.csv line 2: height, x and bottom must be numbers"),
        ({"labels": "cat"}, "labels whole numbers, or all"),
        ({"height": "0"}, "both pictures are required, and height must be above 0"),
        ({"background": ""}, "both pictures are required"),
        ({"name": ""}, "name '' would be a path; use letters"),
        ({"name": "../one"}, "name '../one' would be a path"),
        ({"background_licence": "CC BY-NC 4.0"}, "line 2: licence 'CC BY-NC 4.0' is not known to be free"),
        ({"foreground_licence": ""}, "licence '' is not known to be free"),
    ],
)
def test_a_line_that_cannot_be_read_is_named(tmp_path: Path, changes: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_placements(write_list(tmp_path / "list.csv", changes))


def test_a_list_needs_its_columns_lines_and_names_that_differ(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="it lists the composites"):
        read_placements(tmp_path / "list.csv")
    (tmp_path / "list.csv").write_text("name,foreground\n")
    with pytest.raises(InputError, match="has no column labels, background, height"):
        read_placements(tmp_path / "list.csv")
    with pytest.raises(InputError, match="lists no composite"):
        read_placements(write_list(tmp_path / "list.csv"))
    with pytest.raises(InputError, match="2 composites are called one"):
        read_placements(write_list(tmp_path / "list.csv", {}, {}))


def test_pictures_that_do_not_fit_are_named(tmp_path: Path) -> None:
    folder = make_pictures(tmp_path / "pictures")
    (placement,) = read_placements(write_list(tmp_path / "list.csv", {}))
    write(folder / "things" / "masks" / "square.png", np.zeros((64, 96), np.uint8))
    with pytest.raises(InputError, match=r"masks/square.png: contains none of the labels listed for one"):
        paste(placement, folder)
    write(folder / "things" / "masks" / "square.png", np.zeros((64, 95), np.uint8))
    with pytest.raises(InputError, match=r"masks/square.png: has a different size than its picture"):
        paste(placement, folder)
    (folder / "place.png").unlink()
    with pytest.raises(MissingFileError, match=r"place.png"):
        paste(placement, folder)


def test_the_committed_list_has_many_composites_of_free_pictures_in_sensible_places() -> None:
    placements = read_placements(LIST)
    assert len(placements) >= 24
    assert all(0.2 <= placement.height <= 1 and 0 < placement.x < 1 for placement in placements)
    assert sum("match" in placement.mismatch for placement in placements) >= 4
    assert not [each for each in placements if "davis" in f"{each.foreground}{each.background}"]
    assert all(licence.startswith(FREE_LICENCES) for each in placements for licence in each.licences)
