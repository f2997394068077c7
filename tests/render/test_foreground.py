from itertools import starmap

import numpy as np
import pytest

from chromacord.color.alpha import over
from chromacord.color.transforms import AffineField
from chromacord.masks.masks import MaskedFrame
from chromacord.render.cpu import Renderer
from chromacord.render.foreground import ForegroundRenderer
from chromacord.types import PixelFormat
from tests.scenes import as_mask, describe, noise_frame, soft_disc

WARM = AffineField.from_matrix(np.diag(np.float32([0.9, 0.8, 0.6]))[None], np.float32([[0.05, 0.02, 0.0]]))
FORMATS = pytest.mark.parametrize(
    "pixel_format",
    [PixelFormat("rgb", 8), PixelFormat("rgb", 16), PixelFormat("rgb", 32, is_float=True), PixelFormat("yuv", 10)],
    ids=["8 bit", "16 bit", "float", "yuv"],
)


def rendered(pixel_format: PixelFormat, alpha: str):
    """Return composite, result and foreground, R, G and B in [0, 1] and coverage. Shape (4 or 3, H, W)."""
    info = describe(pixel_format)
    frame = noise_frame(info)
    weights = np.rint(soft_disc() * 255) / np.float32(255)
    masked = MaskedFrame(frame, as_mask(weights))
    renderer = ForegroundRenderer(info, alpha=alpha)
    result = Renderer(info).render(masked, WARM)
    found = renderer.render(masked, WARM)
    scale = renderer.info.pixel_format.max_code
    return info, frame, result, np.stack(found.planes).astype(np.float64) / scale


@FORMATS
def test_the_foreground_over_the_composite_is_the_result_to_a_code(pixel_format: PixelFormat) -> None:
    from chromacord.color.spaces import code_to_rgb

    info, frame, result, foreground = rendered(pixel_format, "straight")
    matrix, offset = code_to_rgb(info.colorimetry, info.size, pixel_format)
    before, after = (
        np.einsum("ij,jhw->ihw", matrix, np.stack(each.planes[:3]).astype(np.float64)) + offset[:, None, None]
        for each in (frame, result)
    )
    codes = np.linalg.solve(matrix, (over(foreground[:3], before, foreground[3]) - after).reshape(3, -1))
    assert np.abs(codes).max() <= (1e-5 if pixel_format.is_float else 1)


@FORMATS
def test_premultiplied_colours_are_straight_ones_times_coverage(pixel_format: PixelFormat) -> None:
    straight, multiplied = (rendered(pixel_format, alpha)[-1] for alpha in ("straight", "premultiplied"))
    np.testing.assert_array_equal(straight[3], multiplied[3])
    np.testing.assert_allclose(multiplied[:3], straight[:3] * straight[3], atol=2e-5)
    assert not multiplied[:3][:, multiplied[3] == 0].any()


def test_a_layer_is_graded_alone() -> None:
    """Its colours come from its own frame, not from the composite."""
    info = describe(PixelFormat("rgb", 16))
    layer, frame = noise_frame(info), noise_frame(info, seed=1)
    masked = MaskedFrame(frame, as_mask(soft_disc()), layer)
    alone = ForegroundRenderer(info, info).render(masked, WARM)
    same = ForegroundRenderer(info).render(MaskedFrame(layer, as_mask(soft_disc())), WARM)
    assert all(starmap(np.array_equal, zip(alone.planes, same.planes, strict=True)))


def test_colours_of_a_managed_blend_are_finite_where_there_is_no_foreground() -> None:
    class Halved:
        """Blends half as far as the weight says."""

        @staticmethod
        def lay_over(mixed: np.ndarray, before: np.ndarray, weight: np.ndarray) -> None:
            mixed[...] = before + 0.5 * weight[..., None] * (mixed - before)

    graded, before = np.random.default_rng(0).random((2, 4, 5, 4), np.float32)
    weight = np.linspace(0, 1, 20, dtype=np.float32).reshape(4, 5, 1)
    renderer = ForegroundRenderer(describe(PixelFormat("rgb", 16)), alpha="straight")
    with np.errstate(all="raise"):
        colors = renderer._as_mixed(Halved, graded, before, weight)  # type: ignore[arg-type]
    expected = before + 0.5 * (graded - before)
    np.testing.assert_allclose(colors[weight[..., 0] > 0], expected[weight[..., 0] > 0], atol=1e-5)
    np.testing.assert_array_equal(colors[0, 0], graded[0, 0])
