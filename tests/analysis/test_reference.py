from pathlib import Path

import numpy as np
import pytest

from chromacord.analysis.reference import MatchedTo, read_reference
from chromacord.color.management.clip_space import Spaces
from chromacord.methods import load_method
from tests.images import write

MASK = np.zeros((1, 1, 1, 24, 32), np.float32)
MASK[..., 8:16, 8:20] = 1


def flat(color: tuple[float, float, float], foreground: tuple[float, float, float]) -> np.ndarray:
    """A picture of two colours and a little texture. Shape (1, 1, 3, H, W)."""
    picture = np.array(color)[:, None, None] * (1 - MASK[0, 0]) + np.array(foreground)[:, None, None] * MASK[0, 0]
    return (picture + np.random.default_rng(0).normal(0, 0.01, picture.shape)).astype(np.float32)[None, None]


def test_the_foreground_is_matched_to_the_reference_not_to_its_own_background() -> None:
    composite = flat((0.2, 0.3, 0.8), (0.5, 0.5, 0.5))
    reference = flat((0.7, 0.5, 0.3), (0.7, 0.5, 0.3))[0, 0].transpose(1, 2, 0)
    method = load_method("reinhard")
    decided = MatchedTo(method, np.ascontiguousarray(reference)).decide(composite, MASK)
    alone = method.decide(composite, MASK)
    inside = MASK[0, 0, 0] == 1
    to_reference, to_background = (
        each.transform(composite[0])[0][:, inside].mean(axis=1) - composite[0, 0][:, inside].mean(axis=1)
        for each in (decided, alone)
    )
    assert to_reference[0] > 0 > to_reference[2], "warmer"
    assert to_background[0] < 0 < to_background[2], "cooler"


def test_it_is_the_method_itself_where_the_reference_is_the_background() -> None:
    composite = flat((0.2, 0.3, 0.8), (0.5, 0.5, 0.5))
    own = np.ascontiguousarray(composite[0, 0].transpose(1, 2, 0))
    method = load_method("reinhard")
    decided = MatchedTo(method, own).decide(composite, MASK).transform.parameters
    np.testing.assert_allclose(decided, method.decide(composite, MASK).transform.parameters, atol=1e-5)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((30, 40), (30, 40)),
        ((512, 300), (512, 300)),
        ((600, 1024), (300, 512)),
        ((1, 2000), (1, 512)),
        ((2000, 1), (512, 1)),
    ],
)
def test_a_large_reference_is_reduced_in_its_shape(
    tmp_path: Path, size: tuple[int, int], expected: tuple[int, int]
) -> None:
    write(tmp_path / "reference.png", np.full((*size, 3), 128, np.uint8))
    reference = read_reference(tmp_path / "reference.png", Spaces())
    assert reference.shape == (*expected, 3)
    np.testing.assert_allclose(reference, 128 / 255, atol=2e-3)
