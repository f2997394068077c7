import csv
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from chromacord.errors import InputError, OutputExistsError
from chromacord.lab.evaluation.comparison import COLUMNS, Comparison, compare, sheet
from chromacord.types import Progress
from tests.lab.evaluation.scored_set import make_pictures, write_list


@pytest.fixture
def comparison(tmp_path: Path) -> Comparison:
    lines = [{"name": name} for name in ("one", "two", "three", "four", "five", "six")]
    pictures = make_pictures(tmp_path / "pictures")
    return Comparison(write_list(tmp_path / "list.csv", *lines), pictures, ("mkl",), ("mkl", "reinhard"), seed=5)


def read(path: Path) -> np.ndarray:
    picture = cv2.imread(str(path))
    assert picture is not None
    return picture


def test_each_composite_has_a_strip_and_the_page_shows_them_in_order(comparison: Comparison, tmp_path: Path) -> None:
    seen: list[Progress] = []
    assert compare(comparison, tmp_path / "out", progress=seen.append) == 6
    assert [(each.done, each.total) for each in seen] == [(number, 6) for number in range(1, 7)]
    page = (tmp_path / "out" / "strips.html").read_text()
    names = [f"strip-{number:02d}-{name}.png" for number, name in enumerate(("one", "two", "three"), start=1)]
    places = [page.index(f'src="{name}"') for name in names]
    assert places == sorted(places)
    assert "1. one: bright on dark" in page
    assert "training data may hold these photographs" in page
    strip = read(tmp_path / "out" / names[0])
    assert strip.shape[1] >= 2 * 120  # the composite and mkl


def test_the_key_alone_says_which_method_is_a_and_which_is_b(comparison: Comparison, tmp_path: Path) -> None:
    out = tmp_path / "out"
    compare(comparison, out)
    page = (out / "blind.html").read_text()
    assert "mkl" not in page
    assert "reinhard" not in page
    with (out / "blind_key.csv").open() as file:
        key = list(csv.DictReader(file))
    assert [row["name"] for row in key] == ["one", "two", "three", "four", "five", "six"]
    assert all({row["A"], row["B"]} == {"mkl", "reinhard"} for row in key)
    assert {row["A"] for row in key} == {"mkl", "reinhard"}
    # The composites are all the same, so equal keys must give equal sheets, and different keys different ones.
    sheets = [read(out / f"blind-{number:02d}.png") for number in range(1, 7)]
    for row, blind in zip(key, sheets, strict=True):
        assert np.array_equal(blind, sheets[0]) == (row["A"] == key[0]["A"])


def test_equal_seeds_give_equal_orders(comparison: Comparison, tmp_path: Path) -> None:
    for name in ("first", "second"):
        compare(comparison, tmp_path / name)
    keys = {(tmp_path / name / "blind_key.csv").read_text() for name in ("first", "second")}
    assert len(keys) == 1


def test_the_composite_is_not_shown_beside_a_method_that_leaves_it_as_it_is(
    comparison: Comparison, tmp_path: Path
) -> None:
    compare(comparison, tmp_path / "usual")
    compare(replace(comparison, blind=("identity", "mkl")), tmp_path / "identity")
    widths = [read(tmp_path / name / "blind-01.png").shape[1] for name in ("usual", "identity")]
    assert widths == [3 * (120 + 8), 2 * (120 + 8)]


def test_nothing_is_replaced_or_left_half_written(comparison: Comparison, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="blind sheets compare two methods, got mkl"):
        compare(replace(comparison, blind=("mkl",)), tmp_path / "out")
    (tmp_path / "pictures" / "place.png").unlink()
    with pytest.raises(InputError, match=r"place\.png"):
        compare(comparison, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    make_pictures(tmp_path / "pictures")
    compare(comparison, tmp_path / "out")
    with pytest.raises(OutputExistsError):
        compare(comparison, tmp_path / "out")
    compare(comparison, tmp_path / "out", force=True)


def test_a_sheet_holds_the_pictures_as_they_are_in_rows() -> None:
    pictures = {f"picture {number}": np.full((10, 30, 3), number, np.uint8) for number in range(COLUMNS + 1)}
    made = sheet(pictures)
    height, width = 24 + 10 + 8, 30 + 8
    assert made.shape == (2 * height, COLUMNS * width, 3)
    assert (made[24:34, width : width + 30] == 1).all()
    assert (made[height + 24 : height + 34, :30] == COLUMNS).all()
    assert (made[height:, width:] == 255).all()
