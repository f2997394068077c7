"""Grades in other tools' files, read back by OpenColorIO."""

import json
import re
import warnings
from contextlib import ExitStack
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import PyOpenColorIO as ocio
import pytest

from chromacord.api import harmonize_video
from chromacord.color.cdl import Cdl
from chromacord.color.distribution import ColorDistribution
from chromacord.color.transforms import AffineField, ColorTransform, Lut3d, lattice
from chromacord.errors import ChromacordWarning, GradeFileError, InputError, OutputExistsError
from chromacord.grade.exports import EXPORT_FORMATS, ExportNames
from chromacord.grade.keys import Grade, Key, Shot
from chromacord.job.outputs import Outputs
from chromacord.types import PixelFormat
from tests.footage import decoded, disc, make_composite, make_mask
from tests.scenes import Shade, describe

LUTS = [suffix for suffix, kind in EXPORT_FORMATS.items() if not kind.is_cdl]
CDLS = [suffix for suffix, kind in EXPORT_FORMATS.items() if kind.is_cdl]
INFO = replace(describe(PixelFormat("gbr", 8)), path=Path("comp.mov"))

EXPOSURE = AffineField.from_matrix(np.diag(np.float32([0.7, 0.8, 0.9]))[None], np.float32([[0.05, 0.02, 0.03]]))
"""What a CDL holds, and what keeps [0, 1], as a .3dl must."""


def bent_lut() -> Lut3d:
    """Return a LUT that no CDL holds, some of whose values lie outside [0, 1]."""
    nodes = lattice(9)
    return Lut3d((nodes + 0.1 * np.sin(7 * nodes[[1, 2, 0]]) - 0.02)[None].astype(np.float32))


def grade_of(*transforms: ColorTransform) -> Grade:
    shots = [Shot(10 * n, 10 * n + 10, (Key(10 * n, 1.0, one),)) for n, one in enumerate(transforms)]
    return Grade(tuple(shots), "made", "shot", Fraction(24), 10 * len(shots))


def export(
    grade: Grade, path: Path, *, source: Path | None = None, colors: list[ColorDistribution] | None = None
) -> list[Path]:
    """Write a grade's exports; return their names."""
    with ExitStack() as stack, warnings.catch_warnings():
        warnings.simplefilter("ignore", ChromacordWarning)
        texts = Outputs(None, luts=path).stage_texts(grade, INFO, stack, source=source, colors=colors)
        for staged in texts.staged:
            staged.commit()
    return texts.paths


def read_back(path: Path, colors: np.ndarray, cdl_id: str = "") -> np.ndarray:
    """Apply a file as OpenColorIO reads it. Shape (P, 3)."""
    if path.suffix in (".edl", ".otio"):  # which it does not read
        cdls = cdls_of_edl(path) if path.suffix == ".edl" else cdls_of_otio(path)
        return cdls[0](np.ascontiguousarray(colors, np.float32))
    step = ocio.FileTransform(str(path), cccId=cdl_id, interpolation=ocio.INTERP_TETRAHEDRAL)
    step.setCDLStyle(ocio.CDL_ASC)
    mapped = np.ascontiguousarray(colors, np.float32).copy()
    ocio.Config.CreateRaw().getProcessor(step).getDefaultCPUProcessor().applyRGB(mapped)
    return mapped


def cdls_of_edl(path: Path) -> list[Cdl]:
    """Parse the comments that the ASC's standard defines for such lists."""
    found = []
    sops = re.findall(r"^\*ASC_SOP \((.*)\)\((.*)\)\((.*)\)$", path.read_text(), re.MULTILINE)
    for sop, saturation in zip(sops, re.findall(r"^\*ASC_SAT (.*)$", path.read_text(), re.MULTILINE), strict=True):
        found.append(Cdl(*(tuple(map(float, part.split())) for part in sop), float(saturation)))
    return found


def cdls_of_otio(path: Path) -> list[Cdl]:
    """Read the metadata in the form that OpenTimelineIO's EDL reader gives a clip."""
    found = []
    for clip in json.loads(path.read_text())["tracks"]["children"][0]["children"]:
        cdl = clip["metadata"]["cdl"]
        sop = (tuple(cdl["asc_sop"][name]) for name in ("slope", "offset", "power"))
        found.append(Cdl(*sop, cdl["asc_sat"]))
    return found


def nodes() -> np.ndarray:
    """Return the colours of the exported lattice. Shape (P, 3)."""
    return np.ascontiguousarray(lattice(33).reshape(3, -1).T)


def graded(transform: ColorTransform, colors: np.ndarray) -> np.ndarray:
    return transform(np.ascontiguousarray(colors.T)[None, :, None])[0, :, 0].T


@pytest.mark.parametrize("suffix", LUTS)
@pytest.mark.parametrize("transform", [EXPOSURE, bent_lut()], ids=["affine", "lut"])
def test_a_lut_read_back_is_the_grade(tmp_path: Path, suffix: str, transform: ColorTransform) -> None:
    path = tmp_path / f"look{suffix}"
    assert export(grade_of(transform), path) == [path]
    expected, tolerance = graded(transform, nodes()), 1e-5
    if suffix == ".3dl":  # 12 bits, from nodes that stand in 10
        expected, tolerance = expected.clip(0, 1), 1 / 4095
    np.testing.assert_allclose(read_back(path, nodes()), expected, atol=tolerance)


@pytest.mark.parametrize("suffix", CDLS)
def test_a_cdl_read_back_is_the_grade_that_it_can_hold(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"look{suffix}"
    assert export(grade_of(EXPOSURE), path) == [path]
    np.testing.assert_allclose(read_back(path, nodes()), graded(EXPOSURE, nodes()), atol=1e-4)


@pytest.mark.parametrize("suffix", [suffix for suffix, kind in EXPORT_FORMATS.items() if not kind.holds_all_shots])
def test_each_of_several_shots_has_a_file(tmp_path: Path, suffix: str) -> None:
    second = EXPOSURE.with_parameters(EXPOSURE.parameters * np.float32(0.75))
    paths = export(grade_of(EXPOSURE, second), tmp_path / f"look{suffix}")
    assert paths == [tmp_path / f"look_shot00{n}{suffix}" for n in ("1_f0000-0009", "2_f0010-0019")]
    assert sorted(tmp_path.iterdir()) == paths
    for path, transform in zip(paths, (EXPOSURE, second), strict=True):
        np.testing.assert_allclose(read_back(path, nodes()), graded(transform, nodes()), atol=1e-3)


def test_names_count_shots_without_a_grade_too(tmp_path: Path) -> None:
    shots = list(grade_of(EXPOSURE, EXPOSURE, EXPOSURE).shots)
    shots[1] = replace(shots[1], keys=())
    grade = Grade(tuple(shots), "made", "shot", Fraction(24), 30)
    paths = [tmp_path / f"look_shot00{n}.cube" for n in ("1_f0000-0009", "3_f0020-0029")]
    assert export(grade, tmp_path / "look.cube") == paths


@pytest.mark.parametrize("suffix", [".ccc", ".cdl"])
def test_a_collection_holds_all_shots_by_their_ids(tmp_path: Path, suffix: str) -> None:
    second = EXPOSURE.with_parameters(EXPOSURE.parameters * np.float32(0.75))
    path = tmp_path / f"look{suffix}"
    assert export(grade_of(EXPOSURE, second), path) == [path]
    for number, transform in enumerate((EXPOSURE, second), start=1):
        found = read_back(path, nodes(), f"look_shot00{number}")
        np.testing.assert_allclose(found, graded(transform, nodes()), atol=1e-3)
    assert "frames 10-19 made" in path.read_text()


def test_a_folder_holds_cubes_named_after_the_clip(tmp_path: Path) -> None:
    assert export(grade_of(EXPOSURE, EXPOSURE), tmp_path / "luts") == [
        tmp_path / "luts" / f"comp_shot00{n}.cube" for n in ("1_f0000-0009", "2_f0010-0019")
    ]
    (tmp_path / "old.cube").mkdir()
    assert export(grade_of(EXPOSURE), tmp_path / "old.cube") == [tmp_path / "old.cube" / "comp_shot001_f0000-0009.cube"]


@pytest.mark.parametrize("suffix", EXPORT_FORMATS)
def test_names_may_hold_what_xml_has_a_meaning_for(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a <b> & \"c\" 'd' \x01 é{suffix}"
    export(grade_of(EXPOSURE), path)
    np.testing.assert_allclose(read_back(path, nodes()), graded(EXPOSURE, nodes()), atol=1e-3)


@pytest.mark.parametrize("suffix", EXPORT_FORMATS)
def test_a_grade_that_depends_on_the_place_is_refused(tmp_path: Path, suffix: str) -> None:
    field = AffineField(np.zeros((1, 3, 4, 2, 2), np.float32))
    with pytest.raises(GradeFileError, match=r"grade\.json: the grade varies over the picture") as caught:
        export(grade_of(EXPOSURE, field), tmp_path / f"look{suffix}", source=Path("grade.json"))
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_cdl_of_a_method_whose_change_depends_on_the_place_is_refused(tmp_path: Path) -> None:
    """A LUT can be written, because the method is then asked for a global grade."""
    composite, mask = make_composite(tmp_path / "comp.mkv", codec="ffv1"), make_mask(tmp_path / "mask.mkv")
    with pytest.raises(InputError, match=r"look\.cc: the grade varies over the picture.* write a LUT"):
        harmonize_video(composite, mask=mask, method=Shade(), lut_out=tmp_path / "look.cc", output=tmp_path / "a.mkv")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["comp.mkv", "mask.mkv"]
    harmonize_video(composite, mask=mask, method=Shade(), lut_out=tmp_path / "look.clf")
    assert (tmp_path / "look.clf").is_file()


def test_what_a_cdl_leaves_is_told_and_above_two_codes_warned_of(tmp_path: Path) -> None:
    composite, mask = make_composite(tmp_path / "comp.mkv", codec="ffv1"), make_mask(tmp_path / "mask.mkv")
    with warnings.catch_warnings():
        warnings.simplefilter("error", ChromacordWarning)
        held = harmonize_video(composite, mask=mask, method="poisson", lut_out=tmp_path / "a.cc").cdl_residual
    assert held is not None
    assert held.left < 0.01 < 1 < held.change
    with pytest.warns(ChromacordWarning, match=r"b\.cc: shot 1: a CDL cannot represent this grade: .* write a LUT"):
        left = harmonize_video(composite, mask=mask, method="histogram", lut_out=tmp_path / "b.cc").cdl_residual
    assert left is not None
    assert 2 < left.left < left.change


def test_a_clip_through_its_cdl_is_off_the_render_by_what_is_told(tmp_path: Path) -> None:
    composite, mask = make_composite(tmp_path / "comp.mkv", "gbrp10le", codec="ffv1"), make_mask(tmp_path / "mask.mkv")
    with pytest.warns(ChromacordWarning, match="a CDL cannot represent"):
        told = harmonize_video(
            composite, mask=mask, output=tmp_path / "out.mkv", method="histogram", lut_out=tmp_path / "a.cc"
        ).cdl_residual
    assert told is not None
    off, change = [], []
    for index, planes in enumerate(zip(decoded(composite), decoded(tmp_path / "out.mkv"), strict=True)):
        inside = disc(index) == 255
        before, after = (np.stack([side[n][inside] for n in (2, 0, 1)], axis=1) / 1023 for side in planes)  # G, B, R
        off.append(np.abs(read_back(tmp_path / "a.cc", before) - after).mean() * 255)
        change.append(np.abs(before - after).mean() * 255)
    assert np.mean(off) == pytest.approx(told.left, rel=0.25)
    assert np.mean(change) == pytest.approx(told.change, rel=0.1)


def test_a_cdl_of_a_grade_file_says_what_it_was_fitted_over(tmp_path: Path) -> None:
    composite, mask = make_composite(tmp_path / "comp.mkv", codec="ffv1"), make_mask(tmp_path / "mask.mkv")
    grade = tmp_path / "grade.json"
    harmonize_video(composite, mask=mask, method="poisson", grade_out=grade, consistency="shot")
    with pytest.warns(ChromacordWarning, match="fitted over all colours alike"):
        harmonize_video(composite, mask=mask, output=tmp_path / "out.mkv", grade_in=grade, lut_out=tmp_path / "a.cc")


def test_a_cdl_is_fitted_to_each_shots_own_colours(tmp_path: Path) -> None:
    dark, bright = ColorDistribution(), ColorDistribution()
    for low, colors in ((0.0, dark), (0.6, bright)):
        picture = np.random.default_rng(0).uniform(low, low + 0.4, (3, 40, 40)).astype(np.float32)
        colors.add(picture, np.ones((1, 40, 40), np.float32))
    path, grade = tmp_path / "look.ccc", grade_of(bent_lut(), bent_lut())
    export(grade, path, colors=[dark, bright])
    for own, other, shot in ((dark, bright, 1), (bright, dark, 2)):
        off = [
            np.abs(read_back(path, colors, f"look_shot00{shot}") - graded(bent_lut(), colors).clip(0, 1)).mean()
            for colors, _ in (own.colors(), other.colors())
        ]
        assert off[0] < off[1]


def test_a_3dl_of_a_dark_grade_is_refused(tmp_path: Path) -> None:
    """Its readers guess the bit depth from the largest value."""
    gain = np.eye(3, dtype=np.float32)[None]
    dark, fits = (
        AffineField.from_matrix(gain * np.float32(peak), np.zeros((1, 3), np.float32)) for peak in (0.5, 0.501)
    )
    with pytest.raises(InputError, match=r"look_shot002_f0010-0019\.3dl: the grade makes white darker than half"):
        export(grade_of(fits, dark), tmp_path / "look.3dl")
    assert not list(tmp_path.iterdir())
    export(grade_of(fits), tmp_path / "look.3dl")
    np.testing.assert_allclose(read_back(tmp_path / "look.3dl", nodes()), graded(fits, nodes()), atol=1 / 4095)


def test_a_foreground_too_small_for_any_colour_gives_a_cdl_all_the_same(tmp_path: Path) -> None:
    """A mask of a few pixels may be all black at the analysis's reduced size."""
    export(grade_of(EXPOSURE), tmp_path / "look.cc", colors=[ColorDistribution()])
    np.testing.assert_allclose(read_back(tmp_path / "look.cc", nodes()), graded(EXPOSURE, nodes()), atol=1e-4)


def test_files_that_exist_are_refused_before_the_analysis(tmp_path: Path) -> None:
    composite, mask = make_composite(tmp_path / "comp.mkv", codec="ffv1"), make_mask(tmp_path / "mask.mkv")
    (tmp_path / "look.cdl").touch()
    told: list[object] = []
    with pytest.raises(OutputExistsError, match=r"look\.cdl: exists already"):
        harmonize_video(composite, mask=mask, lut_out=tmp_path / "look.cdl", progress=told.append)
    assert not told
    with pytest.raises(OutputExistsError, match=r"comp\.mkv: is also an input"):
        harmonize_video(composite, mask=mask, grade_out=tmp_path / "comp.mkv", force=True)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({}, "there is nothing to write"),
        ({"grade_out": ""}, "grade_out is empty"),
        ({"grade_out": "g.json", "preview": "both.png"}, "both.png: needs a rendered clip"),
        ({"lut_out": "g.cc", "grade_in": "g.json"}, "g.json: needs a rendered clip"),
    ],
)
def test_what_needs_a_render_is_refused_without_one(asked: dict[str, str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        harmonize_video("comp.mp4", mask="mask.mkv", **asked)


def test_a_cdl_keeps_its_numbers_in_the_file(tmp_path: Path) -> None:
    made = Cdl((1.25, 0.75, 1.0), (0.015625, -0.03125, 0.0), (1.0, 1.0, 1.0), 1.0)
    transform = AffineField.from_matrix(np.diag(np.float32(made.slope))[None], np.float32([made.offset]))
    export(grade_of(transform), tmp_path / "look.cc")
    step = ocio.CDLTransform.CreateFromFile(str(tmp_path / "look.cc"), "")
    assert step.getSlope() == pytest.approx(made.slope, abs=1e-3)
    assert step.getOffset() == pytest.approx(made.offset, abs=1e-3)
    assert step.getID() == "look_shot001"


def moving(step: float) -> Grade:
    second = EXPOSURE.with_parameters(EXPOSURE.parameters + np.float32(step))
    keys = (Key(0, 1.0, EXPOSURE), Key(5, 1.0, second))
    return Grade((Shot(0, 10, keys),), "made", "smooth", Fraction(24), 10)


@pytest.mark.parametrize("suffix", CDLS)
def test_a_cdl_of_a_grade_that_moves_is_refused(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(InputError, match=r"changes over time in shot 1 \(frames 0 to 9\), so no CDL can hold it"):
        export(moving(0.1), tmp_path / f"look{suffix}")
    with pytest.raises(GradeFileError, match=r"^g\.json: .* use --match 1 for its mean"):
        export(moving(0.1), tmp_path / f"look{suffix}", source=Path("g.json"))
    assert not list(tmp_path.iterdir())
    assert export(moving(1e-5), tmp_path / f"look{suffix}"), "nobody sees that move"


def test_a_lut_of_a_grade_that_moves_is_its_mean_and_that_is_said(tmp_path: Path) -> None:
    with ExitStack() as stack, pytest.warns(ChromacordWarning, match="each LUT is its shot's mean"):
        Outputs(None, luts=tmp_path / "look.cube").stage_texts(moving(0.1), INFO, stack, source=None)


def test_formats_hold_what_their_standards_say() -> None:
    formats = EXPORT_FORMATS
    assert {suffix for suffix, kind in formats.items() if kind.is_cdl} == {".cc", ".ccc", ".cdl", ".edl", ".otio"}
    assert {suffix for suffix, kind in formats.items() if kind.holds_all_shots} == {".ccc", ".cdl", ".edl", ".otio"}
    assert {suffix for suffix, kind in formats.items() if kind.is_list} == {".edl", ".otio"}
    assert {suffix for suffix, kind in formats.items() if kind.is_baked} == {".3dl", ".csp"}
    assert {kind.kind for suffix, kind in formats.items() if suffix in CDLS} == {"CDL"}
    assert {kind.kind for suffix, kind in formats.items() if suffix in LUTS} == {"LUT"}


@pytest.mark.parametrize(
    ("asked", "written", "other"),
    [
        ("look.cube", ["look.cube", "look_shot002.cube"], ["look.clf", "comp_shot002.cube"]),
        ("look.ccc", ["look.ccc"], ["look_shot002.ccc"]),
        ("looks", ["looks/comp_shot002.cube", "looks/comp_shot002_f0010-0019.cube"], ["looks", "looks/comp.cube"]),
    ],
)
def test_an_export_knows_all_names_that_it_may_write(asked: str, written: list[str], other: list[str]) -> None:
    patterns = ExportNames.of(Path(asked), "comp.mov").patterns

    def is_one(name: str) -> bool:
        path = Path(name)
        return any(pattern.folder == path.parent and pattern.may_name(path.name) for pattern in patterns)

    assert [name for name in (*written, *other) if is_one(name)] == written
