"""LUTs and CDLs of other tools as grades: an exported file renders like the grade it came from."""

import tempfile
from pathlib import Path

import numpy as np
import pytest

from chromacord import harmonize_video
from chromacord.color.cdl import Cdl
from chromacord.color.transforms import lattice
from chromacord.errors import GradeFileError, MissingFileError, OutputError
from chromacord.grade.exports import LOOK_FORMATS
from chromacord.grade.file import read_grade
from chromacord.grade.imports import is_import, read_import
from chromacord.grade.keys import ANY_LENGTH
from chromacord.io import open_source
from tests.images import write

LUTS = [suffix for suffix, kind in LOOK_FORMATS.items() if not kind.is_cdl]
CDLS = [suffix for suffix, kind in LOOK_FORMATS.items() if kind.is_cdl]
ONE_CDL = """<ColorCorrection id="a"><SOPNode><Slope>1.2 0.9 1</Slope><Offset>0.02 0 -0.01</Offset>
<Power>1.1 1 0.9</Power></SOPNode><SatNode><Saturation>0.8</Saturation></SatNode></ColorCorrection>"""


@pytest.fixture
def clip(tmp_path: Path) -> dict[str, Path]:
    y, x = np.mgrid[0:32, 0:48]
    mask = ((x - 20) ** 2 + (y - 15) ** 2 < 80).astype(np.uint8) * 255
    picture = np.dstack([60 + 2 * x, 90 + y, 200 - 2 * x])
    picture[mask > 0] = (200, 120, 70)
    write(tmp_path / "c.png", picture.clip(0, 255).astype(np.uint8), "uint8")
    write(tmp_path / "m.png", np.dstack([mask] * 3), "uint8")
    return {"composite": tmp_path / "c.png", "mask": tmp_path / "m.png"}


def pixels(path: Path) -> np.ndarray:
    (frame,) = open_source(path).frames()
    return np.stack(frame.planes).astype(int)


@pytest.mark.parametrize("suffix", LUTS)
def test_an_exported_lut_renders_as_its_grade(tmp_path: Path, clip: dict[str, Path], suffix: str) -> None:
    luts, grade = tmp_path / f"a{suffix}", tmp_path / "a.json"
    harmonize_video(**clip, output=tmp_path / "whole.png", method="mkl", grade_out=grade, lut_out=luts)
    harmonize_video(**clip, output=tmp_path / "again.png", grade_in=luts)
    off = np.abs(pixels(tmp_path / "again.png") - pixels(tmp_path / "whole.png"))
    # A .3dl file has 12 bits.
    assert off.max() <= (3 if suffix == ".3dl" else 1)
    assert np.abs(pixels(tmp_path / "whole.png") - pixels(clip["composite"])).max() > 20


@pytest.mark.parametrize("suffix", CDLS)
def test_a_cdl_is_applied_as_the_standard_says(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    tags = {".ccc": "ColorCorrectionCollection", ".cdl": "ColorDecisionList"}
    inner = f"<ColorDecision>{ONE_CDL}</ColorDecision>" if suffix == ".cdl" else ONE_CDL
    tag = tags.get(suffix)
    path.write_text(inner if tag is None else f'<{tag} xmlns="urn:ASC:CDL:v1.01">{inner}</{tag}>')
    grade = read_import(path)
    assert (grade.method, grade.rate, grade.num_frames) == (suffix[1:], 25, ANY_LENGTH)
    (shot,) = grade.shots
    (key,) = shot.keys
    assert (shot.start, shot.stop, key.index, key.weight) == (0, ANY_LENGTH, 0, 1)
    expected = Cdl((1.2, 0.9, 1), (0.02, 0, -0.01), (1.1, 1, 0.9), 0.8)(lattice(33).reshape(3, -1).T)
    np.testing.assert_allclose(key.transform.parameters.reshape(3, -1).T, expected, atol=1e-6)


def test_it_fits_clips_of_any_length_and_becomes_a_grade_file(tmp_path: Path, clip: dict[str, Path]) -> None:
    path, grade = tmp_path / "a.cc", tmp_path / "a.json"
    path.write_text(ONE_CDL)
    harmonize_video(**clip, output=tmp_path / "one.png", grade_in=path, grade_out=grade)
    harmonize_video(**clip, output=tmp_path / "two.png", grade_in=grade)
    assert (pixels(tmp_path / "one.png") == pixels(tmp_path / "two.png")).all()
    assert read_grade(grade).num_frames == ANY_LENGTH


@pytest.mark.parametrize("suffix", LOOK_FORMATS)
@pytest.mark.parametrize("content", [b"", b"hello", b"<ColorCorrection id='a'>", bytes(300), b'{"format": 1}'])
def test_what_is_none_is_refused_in_one_line(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(content)
    with pytest.raises(GradeFileError) as told:
        read_import(path)
    assert str(told.value).startswith(str(path))
    assert "/look" not in str(told.value)


@pytest.mark.parametrize("number", ["nan", "inf", "1e300"])
def test_numbers_that_no_render_can_use_are_refused(tmp_path: Path, number: str) -> None:
    path = tmp_path / "a.cc"
    path.write_text(ONE_CDL.replace("1.2 0.9", f"{number} 0.9"))
    with pytest.raises(GradeFileError, match=r"a\.cc: "):
        read_import(path)


def test_no_room_for_a_copy_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.cc"
    path.write_text(ONE_CDL)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    with pytest.raises(OutputError, match=r"a\.cc: cannot be copied to a temporary folder: No such file"):
        read_import(path)


def test_several_cdls_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.ccc"
    path.write_text(f"<ColorCorrectionCollection>{ONE_CDL}{ONE_CDL.replace('a', 'b', 1)}</ColorCorrectionCollection>")
    with pytest.raises(GradeFileError, match="holds 2 CDLs"):
        read_import(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"a\.clf: no such file"):
        read_import(tmp_path / "a.clf")


def test_the_suffix_tells_what_is_imported() -> None:
    assert is_import(Path("a.CDL"))
    assert not is_import(Path("a.json"))


def test_numbers_of_a_cdl_reach_ten_thousand_and_no_further(tmp_path: Path) -> None:
    path = tmp_path / "a.cc"
    path.write_text(ONE_CDL.replace("1.2 ", "10000 ", 1))
    assert read_import(path).keys
    path.write_text(ONE_CDL.replace("1.2 ", "10001 ", 1))
    with pytest.raises(GradeFileError, match="beyond 10000"):
        read_import(path)


def test_a_lut_of_huge_values_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.cube"
    rows = "\n".join(["0 0 0"] * 7)
    path.write_text(f"LUT_3D_SIZE 2\n{rows}\n10001 0 0\n")
    with pytest.raises(GradeFileError, match="gives values beyond 10000 for colours"):
        read_import(path)
    path.write_text(f"LUT_3D_SIZE 2\n{rows}\n10000 0 0\n")
    assert read_import(path).method == "cube"
