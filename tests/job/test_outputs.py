"""A run's other outputs, and its progress reports."""

from pathlib import Path

import numpy as np
import pytest

from chromacord.api import harmonize_video
from chromacord.color.management.config import BUILT_IN, open_config
from chromacord.errors import OutputExistsError
from chromacord.io import open_source
from chromacord.types import Progress
from tests.footage import decoded, disc, make_composite, make_mask, recoloured
from tests.images import attributes, write
from tests.io.stills.test_icc import ADOBE, embed, profile_of


@pytest.fixture
def footage(tmp_path: Path) -> dict[str, Path]:
    """Return a composite of 20 frames and its mask."""
    return {
        "composite": make_composite(tmp_path / "comp.mp4", num_frames=20),
        "mask": make_mask(tmp_path / "mask.mkv", num_frames=20),
    }


def test_a_preview_picture_of_a_part_shows_a_frame_of_it(footage: dict[str, Path], tmp_path: Path) -> None:
    """Also where the grade rests on a frame outside the part."""
    grade, preview = tmp_path / "grade.json", tmp_path / "preview.png"
    harmonize_video(**footage, output=tmp_path / "all.mkv", grade_out=grade, consistency="shot")
    harmonize_video(**footage, output=tmp_path / "part.mkv", grade_in=grade, frames=(17, 20), preview=preview)
    assert open_source(preview).info.num_frames == 1


def test_a_preview_never_replaces_a_frame_of_an_input(footage: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "mask").mkdir()
    for index in range(20):
        write(tmp_path / "mask" / f"m.{index:02d}.png", disc(index)[..., None])
    preview = tmp_path / "mask" / "m.07.png"
    with pytest.raises(OutputExistsError, match=r"m\.07\.png: is also an input"):
        harmonize_video(
            footage["composite"], mask=tmp_path / "mask", output=tmp_path / "out.mp4", preview=preview, force=True
        )


def test_no_output_replaces_a_reference_or_a_colour_configuration(footage: dict[str, Path], tmp_path: Path) -> None:
    """Under another name, which leads to the same file."""
    (tmp_path / "dot").symlink_to(".")
    reference = write(tmp_path / "reference.png", disc(0)[..., None])
    config = tmp_path / "config.json"
    config.write_text(open_config(BUILT_IN).serialize())
    for option, file, output in (("reference", reference, "preview"), ("config", config, "grade_out")):
        outputs = {"output": tmp_path / "out.mkv", output: tmp_path / "dot" / file.name}
        before = file.read_bytes()
        with pytest.raises(OutputExistsError, match=rf"{file.name}: is also an input"):
            harmonize_video(**footage, **outputs, **{option: file}, method="mkl", force=True)
        assert file.read_bytes() == before
        assert not (tmp_path / "out.mkv").exists()


def test_a_preview_that_exists_is_refused_before_any_work(footage: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "preview.mp4").touch()
    told: list[Progress] = []
    with pytest.raises(OutputExistsError, match=r"preview\.mp4: exists already"):
        harmonize_video(**footage, output=tmp_path / "out.mp4", preview=tmp_path / "preview.mp4", progress=told.append)
    assert not told


def test_progress_counts_the_frames_of_a_part(footage: dict[str, Path], tmp_path: Path) -> None:
    told: list[Progress] = []
    harmonize_video(**footage, output=tmp_path / "out.mkv", frames=(15, 40), progress=told.append)
    assert {progress.total for progress in told} == {5}


def test_names_may_hold_colons_and_percent_signs(
    footage: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """libav takes what stands before a colon for a protocol, as in "https:"."""
    monkeypatch.chdir(tmp_path)
    footage["composite"].rename("shot:1 50%.mp4")
    harmonize_video("shot:1 50%.mp4", mask="mask.mkv", output="out:1 50%.mp4")
    assert len(decoded(tmp_path / "out:1 50%.mp4")) == 20


def test_a_preview_of_a_still_has_its_profile(tmp_path: Path) -> None:
    mask = write(tmp_path / "mask.png", disc(0)[..., None])
    composite = embed(tmp_path / "comp.png", np.stack(recoloured("gbrp", 0), axis=-1), ADOBE)
    harmonize_video(composite, mask=mask, output=tmp_path / "out.tif", method="mkl", preview=tmp_path / "both.png")
    for name in ("out.tif", "both.png"):
        assert profile_of(tmp_path / name) == ADOBE
    assert "CICP" not in attributes(tmp_path / "both.png")  # a reader would take it over the profile
