import numpy as np
import pytest

from chromacord.color.management.config import find_space, space_names
from chromacord.color.management.managed import ManagedSpace, grade_light
from tests.color.spaces import in_spaces

TEN_BITS = 1023

FEWER_COLOURS = ("Raw", "ADX10", "ADX16")
"""Spaces that do not hold all of SDR video: no colours at all, and the densities of print film."""


def rgba(rgb: np.ndarray) -> np.ndarray:
    return np.concatenate([rgb, rgb[..., :1]], axis=-1).astype(np.float32)


def warmer(display: np.ndarray) -> np.ndarray:
    """Warms, brightens and lifts."""
    return display * np.array([1.15, 1.02, 0.85, 1], np.float32) + np.float32(0.02)


def scene(number: int = 4000) -> np.ndarray:
    return 0.02 + 0.98 * np.random.default_rng(0).random((number, 3))


def test_a_scene_in_five_spaces_is_seen_alike_and_graded_alike() -> None:
    display = scene()
    seen, graded = {}, {}
    rec709 = ManagedSpace.of(find_space("Rec.709"))
    for name, numbers in in_spaces(display).items():
        managed = ManagedSpace.of(find_space(name))
        seen[name] = managed.display(rgba(numbers))
        graded[name] = managed.converted(managed.graded(rgba(numbers), warmer), rec709)[:, :3].clip(0, 1)
    expected = warmer(rgba(display))[:, :3].clip(0, 1)
    for name in seen:
        assert np.abs(seen[name] - display).max() * TEN_BITS < 0.3, name
        assert np.abs(graded[name] - expected).max() * TEN_BITS < 0.5, name


@pytest.mark.parametrize("name", [each for each in space_names() if each not in FEWER_COLOURS])
def test_every_space_is_seen_and_graded_as_sdr_video_of_the_same_scene(name) -> None:
    rec709, managed = ManagedSpace.of(find_space("Rec.709")), ManagedSpace.of(find_space(name))
    display = scene().clip(0.1, 1)
    numbers = rec709.converted(rgba(display), managed)
    graded = managed.converted(managed.graded(numbers, warmer), rec709)[:, :3].clip(0, 1)
    assert np.abs(managed.display(numbers) - display).max() * TEN_BITS < 0.5
    assert np.abs(graded - warmer(rgba(display))[:, :3].clip(0, 1)).max() * TEN_BITS < 0.5


@pytest.mark.parametrize("name", [each for each in space_names() if each != "Raw"])
def test_a_grade_that_changes_nothing_is_exact(name) -> None:
    managed = ManagedSpace.of(find_space(name))
    numbers = rgba(np.random.default_rng(1).random((1000, 3)))
    np.testing.assert_allclose(managed.graded(numbers, lambda display: display)[:, :3], numbers[:, :3], atol=3e-6)


def test_light_above_1_gets_the_grade_of_the_brightest_colour_of_its_hue() -> None:
    light = rgba(np.array([[4.0, 2.0, 1.0], [1.0, 0.5, 0.25]]))
    graded = grade_light(light, warmer)
    np.testing.assert_allclose(graded[0, :3], 4 * graded[1, :3], rtol=1e-5)


def test_light_below_0_is_scaled_as_the_grade_scales_the_rest() -> None:
    light = rgba(np.array([[-0.1, 0.5, 0.2]]))
    darker = np.float32(0.5 ** (1 / 2.4))
    graded = grade_light(light, lambda display: display * darker)
    np.testing.assert_allclose(graded[0, :3], light[0, :3] / 2, rtol=5e-3)


def test_a_grade_is_continuous_at_white_and_at_black() -> None:
    steps = np.linspace(-0.01, 2, 2001)
    light = rgba(np.stack([steps, 0.5 * steps, np.full_like(steps, 0.1)], axis=-1))
    graded = grade_light(light, warmer)[:, :3]
    assert np.abs(np.diff(graded, axis=0)).max() < 0.004


def test_what_methods_see_lies_between_0_and_1() -> None:
    managed = ManagedSpace.of(find_space("ACEScg"))
    seen = managed.display(rgba(np.array([[-1.0, 0.2, 9.0], [100.0, 0.0, 0.0]])))
    assert seen.min() >= 0
    assert seen.max() <= 1
