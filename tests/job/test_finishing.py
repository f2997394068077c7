"""Stages of finishing in whole runs."""

from pathlib import Path

import numpy as np
import pytest

import chromacord
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


@pytest.mark.parametrize("stages", [{"wrap": "0.5"}, {"match_grain": True}], ids=lambda stages: next(iter(stages)))
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
