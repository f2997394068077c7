"""Stages of finishing in whole runs."""

from pathlib import Path

import cv2
import numpy as np
import pytest

import chromacord
from chromacord.errors import ChromacordWarning, InputError
from chromacord.types import Size
from tests.footage import decoded, disc, make_composite, make_mask, recoloured

SIZE = Size(144, 192)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """Write a clip whose background has noise and whose foreground has none, and its mask."""
    generator, frames = np.random.default_rng(0), []
    for index in range(8):
        planes = recoloured("yuv420p", index, SIZE)
        weight = disc(index, SIZE) / 255
        for number, plane in enumerate(planes):
            noise = 6 * generator.standard_normal(plane.shape) * (1 - weight[:: 1 + (number > 0), :: 1 + (number > 0)])
            flat = np.full(plane.shape, 110)
            planes[number] = np.clip(np.rint(flat + noise), 0, 255).astype(np.uint8)
        frames.append(planes)
    composite = make_composite(tmp_path / "comp.mkv", size=SIZE, frames=frames, codec="ffv1")
    return {"composite": composite, "mask": make_mask(tmp_path / "mask.mkv", size=SIZE)}


@pytest.mark.parametrize(
    "stages", [{"wrap": "0.5"}, {"match_grain": True}, {"match_sharpness": True}], ids=lambda stages: next(iter(stages))
)
def test_a_grade_that_is_read_is_finished_as_one_that_is_decided(
    files: dict[str, Path], stages: dict, tmp_path: Path
) -> None:
    one, other, grade = tmp_path / "one.mkv", tmp_path / "other.mkv", tmp_path / "grade.json"
    chromacord.harmonize_video(**files, output=one, grade_out=grade, method="reinhard", **stages)
    chromacord.harmonize_video(**files, output=other, grade_in=grade, **stages)
    for first, second in zip(decoded(one), decoded(other), strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_grain_reaches_the_foreground_and_nothing_else(files: dict[str, Path], tmp_path: Path) -> None:
    output = tmp_path / "out.mkv"
    chromacord.harmonize_video(**files, output=output, strength=0, match_grain=True)
    for index, (before, after) in enumerate(zip(decoded(files["composite"]), decoded(output), strict=True)):
        weight = disc(index, SIZE)
        assert after[0][weight == 255].std() == pytest.approx(6, rel=0.1)
        assert np.array_equal(after[0][weight == 0], before[0][weight == 0])


def test_a_sharper_foreground_is_softened_and_nothing_else_changes(tmp_path: Path) -> None:
    generator, frames = np.random.default_rng(0), []
    size = Size(192, 320)
    weight = np.zeros(size, np.uint8)
    weight[:, :152] = 255
    for _ in range(2):
        squares = generator.integers(60, 200, (size.height // 12, size.width // 12 + 1)).astype(np.uint8)
        luma = squares.repeat(12, axis=0).repeat(12, axis=1)[:, : size.width]
        luma[:, 152:] = cv2.GaussianBlur(luma, (0, 0), 2)[:, 152:]
        frames.append([luma, *np.full((2, size.height // 2, size.width // 2), 128, np.uint8)])
    composite = make_composite(tmp_path / "comp.mkv", size=size, frames=frames, codec="ffv1")
    mask = make_mask(tmp_path / "mask.mkv", size=size, frames=[[weight]] * 2)
    chromacord.harmonize_video(composite, mask=mask, output=tmp_path / "out.mkv", strength=0, match_sharpness=True)
    for before, after in zip(frames, decoded(tmp_path / "out.mkv"), strict=True):
        assert np.array_equal(before[0][:, 152:], after[0][:, 152:])
        steps = [np.abs(np.diff(plane[:, :150].astype(float), axis=1)).max() for plane in (before[0], after[0])]
        assert steps[1] < 0.4 * steps[0]


def test_sharpening_needs_what_measures_it(files: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="sharpen needs match_sharpness"):
        chromacord.harmonize_video(**files, output=tmp_path / "out.mkv", sharpen=True)
    assert not (tmp_path / "out.mkv").exists()


@pytest.mark.parametrize("stage", [{"decontaminate": True}, {"despill": "auto"}, {"contact_shadow": "0.5,90,30,12"}])
def test_what_needs_layers_is_refused_of_a_composite(files: dict[str, Path], stage: dict, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="needs layers: give --foreground and --background"):
        chromacord.harmonize_video(**files, output=tmp_path / "out.mkv", **stage)


def test_layers_are_cleaned_before_they_are_composited(files: dict[str, Path], tmp_path: Path) -> None:
    plate = make_composite(tmp_path / "plate.mkv", size=SIZE, codec="ffv1")
    layers = {"foreground": files["composite"], "alpha": files["mask"], "background": plate, "strength": 0}
    plain, clean = tmp_path / "plain.mkv", tmp_path / "clean.mkv"
    chromacord.harmonize_video(**layers, output=plain)
    chromacord.harmonize_video(**layers, output=clean, decontaminate=True, edge="2,1")
    for index, (before, after) in enumerate(zip(decoded(plain), decoded(clean), strict=True)):
        weight = disc(index, SIZE)
        assert (before[0] != after[0])[(weight > 0) & (weight < 255)].mean() > 0.5
        assert np.array_equal(after[0][weight == 0], decoded(plate)[index][0][weight == 0])


def test_a_shadow_darkens_the_background_beside_the_foreground(files: dict[str, Path], tmp_path: Path) -> None:
    plate = make_composite(tmp_path / "plate.mkv", size=SIZE, codec="ffv1")
    layers = {"foreground": files["composite"], "alpha": files["mask"], "background": plate, "strength": 0}
    plain, shaded = tmp_path / "plain.mkv", tmp_path / "shaded.mkv"
    chromacord.harmonize_video(**layers, output=plain)
    chromacord.harmonize_video(**layers, output=shaded, contact_shadow="0.8,0,10,2")
    for index, (before, after) in enumerate(zip(decoded(plain), decoded(shaded), strict=True)):
        weight = disc(index, SIZE)
        near = np.roll(weight, 5, axis=1)
        far = cv2.dilate(weight, np.ones((41, 41), np.uint8))
        assert np.array_equal(after[0][weight == 255], before[0][weight == 255])
        assert np.array_equal(after[0][far == 0], before[0][far == 0])
        beside = (near == 255) & (weight == 0)
        assert after[0][beside].mean() < before[0][beside].mean() - 10


def test_a_shrunk_mask_grades_less(files: dict[str, Path], tmp_path: Path) -> None:
    whole, less = tmp_path / "whole.mkv", tmp_path / "less.mkv"
    chromacord.harmonize_video(**files, output=whole, exposure=1.0)
    chromacord.harmonize_video(**files, output=less, exposure=1.0, edge="6,0")
    source = decoded(files["composite"])
    counts = [
        sum(int((a[0] != b[0]).sum()) for a, b in zip(decoded(each), source, strict=True)) for each in (whole, less)
    ]
    assert counts[1] < 0.85 * counts[0]


@pytest.mark.parametrize("known", ["cuts", "grade"])
def test_grain_is_matched_in_shots_shorter_than_the_step_of_analysis(
    files: dict[str, Path], known: str, tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    output, grade, told = tmp_path / "out.mkv", tmp_path / "grade.json", []
    run = {"cuts": [2, 4, 6], "strength": 0, "match_grain": True, "progress": told.append}
    if known == "grade":
        chromacord.harmonize_video(**files, output=output, cuts=[2, 4, 6], strength=0, grade_out=grade)
        run = {"grade_in": grade, "match_grain": True, "force": True, "progress": told.append}
    chromacord.harmonize_video(**files, output=output, **run)
    for index, frame in enumerate(decoded(output)):
        assert frame[0][disc(index, SIZE) == 255].std() == pytest.approx(6, rel=0.15)
    assert not [each for each in recwarn if "noise" in str(each.message)]
    assert ("measure" in {each.stage for each in told}) == (known == "grade")


def test_the_foreground_alone_is_said_to_lack_what_the_composite_has(files: dict[str, Path], tmp_path: Path) -> None:
    outputs = {"output": tmp_path / "out.mkv", "foreground_out": str(tmp_path / "alone.mov")}
    with pytest.warns(ChromacordWarning, match="alone.mov: holds .* without --wrap and --match-grain"):
        chromacord.harmonize_video(**files, **outputs, method="reinhard", wrap="0.5", match_grain=True)


def test_a_fitted_edge_grades_the_foreground_and_not_what_the_mask_adds_to_it(tmp_path: Path) -> None:
    generator, frames = np.random.default_rng(0), []
    true = [disc(index, SIZE) for index in range(3)]
    for weight in true:
        luma = 60 + 110 * (weight / 255) + 2 * generator.standard_normal(SIZE)
        chroma = np.full((2, SIZE.height // 2, SIZE.width // 2), 128, np.uint8)
        frames.append([np.rint(luma).astype(np.uint8), *chroma])
    wide = [[cv2.dilate(weight, np.ones((7, 7), np.uint8))] for weight in true]
    run = {
        "composite": make_composite(tmp_path / "comp.mkv", size=SIZE, frames=frames, codec="ffv1"),
        "mask": make_mask(tmp_path / "mask.mkv", size=SIZE, frames=wide),
        "method": "reinhard",
        "exposure": 2.0,
    }
    changed = []
    for name, options in (("bleeds", {}), ("fitted", {"fit_edge": 4})):
        chromacord.harmonize_video(**run, output=tmp_path / f"{name}.mkv", **options)
        pairs = zip(decoded(tmp_path / f"{name}.mkv"), frames, true, strict=True)
        changed.append(sum(np.abs(a[0].astype(float) - b[0])[weight == 0].sum() for a, b, weight in pairs))
    assert changed[1] < 0.25 * changed[0]


def test_an_edge_is_fitted_to_composites_only(files: dict[str, Path], tmp_path: Path) -> None:
    layers = {"foreground": files["composite"], "alpha": files["mask"], "background": files["composite"]}
    with pytest.raises(InputError, match="fit edge needs a composite with a mask"):
        chromacord.harmonize_video(**layers, output=tmp_path / "out.mkv", fit_edge=3)
