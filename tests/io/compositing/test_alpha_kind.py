"""Whether a layer's colours are premultiplied: stated by the user, or detected from its soft edges."""

import warnings
from pathlib import Path

import numpy as np
import pytest

from chromacord import harmonize_video
from chromacord.errors import ChromacordWarning, InputError
from chromacord.io.compositing.alpha_kind import read_as
from chromacord.types import Alpha, Colorimetry, PixelFormat
from tests import images
from tests.clips import make_clip
from tests.images import MemorySource, video_info
from tests.job.test_foreground_out import NUM_FRAMES, background, pngs, read, with_alpha
from tests.scenes import SIZE, soft_disc

DISPLAY, LIGHT = Colorimetry(matrix=0, full_range=True), Colorimetry(matrix=0, full_range=True, scene_linear=True)
BRIGHT, DARK = (0.9, 0.7, 0.5), (0.12, 0.1, 0.08)


def source(color: tuple[float, ...], stored: Alpha, *, is_float: bool = False, soft: float = 12.0) -> MemorySource:
    """A disc of one colour with some grain and a soft edge, whose format says that it is straight."""
    alpha = soft_disc(soft=soft)
    grain = 1 + 0.1 * np.random.default_rng(0).normal(size=SIZE)
    highest = np.inf if is_float else 1
    colors = [np.minimum(value * grain, highest) * (alpha if stored is Alpha.PREMULTIPLIED else 1) for value in color]
    planes = [*colors, alpha]
    pixel_format = PixelFormat("rgb", 32 if is_float else 8, is_float, alpha=Alpha.STRAIGHT)
    if is_float:
        made = tuple(plane.astype(np.float32) for plane in planes)
    else:
        made = tuple(np.rint(plane.clip(0, 1) * 255).astype(np.uint8) for plane in planes)
    return MemorySource(video_info(pixel_format, LIGHT if is_float else DISPLAY, size=SIZE), [made])


@pytest.mark.parametrize("stored", [Alpha.STRAIGHT, Alpha.PREMULTIPLIED])
@pytest.mark.parametrize(
    ("color", "is_float"),
    [(BRIGHT, False), (DARK, False), (BRIGHT, True), (DARK, True), ((5.0, 3.0, 2.0), True)],
    ids=["bright codes", "dark codes", "bright light", "dark light", "light above white"],
)
def test_soft_edges_tell_how_colours_are_stored(stored: Alpha, color: tuple[float, ...], is_float: bool) -> None:
    with pytest.warns(
        ChromacordWarning, match=rf"colours are treated as {stored.value}: .*; if that is wrong, use --al"
    ):
        info = read_as(source(color, stored, is_float=is_float), "auto")
    assert info.pixel_format.alpha is stored


@pytest.mark.parametrize(("color", "soft"), [((0.0, 0.0, 0.0), 12.0), (BRIGHT, 0.01)], ids=["black", "hard edge"])
def test_what_does_not_tell_is_taken_as_usual_and_that_is_said(color: tuple[float, ...], soft: float) -> None:
    with pytest.warns(ChromacordWarning, match=r"edges do not show .* assumed to be straight, as usual in this format"):
        info = read_as(source(color, Alpha.PREMULTIPLIED, soft=soft), "auto")
    assert info.pixel_format.alpha is Alpha.STRAIGHT


def test_glass_of_one_alpha_does_not_tell() -> None:
    planes = tuple(np.full(SIZE, code, np.uint8) for code in (51, 51, 51, 128))
    glass = MemorySource(video_info(PixelFormat("rgb", alpha=Alpha.STRAIGHT), DISPLAY, size=SIZE), [planes])
    with pytest.warns(ChromacordWarning, match=r"edges do not show"):
        assert read_as(glass, "auto").pixel_format.alpha is Alpha.STRAIGHT


@pytest.mark.parametrize("word", ["straight", "premultiplied"])
def test_what_the_user_says_goes_without_a_look(word: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_as(source(BRIGHT, Alpha.STRAIGHT), word).pixel_format.alpha is Alpha(word)


def test_a_layer_without_alpha_is_refused() -> None:
    layer = MemorySource(video_info(PixelFormat("rgb"), DISPLAY), [])
    with pytest.raises(InputError, match=r"has no alpha that could be auto; give a matte with --alpha FILE"):
        read_as(layer, "auto")


def multiplied(index: int) -> np.ndarray:
    picture = with_alpha(index)
    return np.concatenate([picture[..., :3] * picture[..., 3:], picture[..., 3:]], axis=-1)


@pytest.mark.parametrize("word", ["premultiplied", "auto"])
def test_a_premultiplied_png_gives_what_a_straight_one_gives(tmp_path: Path, word: str) -> None:
    under = pngs(tmp_path, "bg", background, np.uint16)
    results = []
    for name, picture, alpha in (("a", with_alpha, None), ("b", multiplied, word)):
        layer, output = pngs(tmp_path, name, picture, np.uint16), tmp_path / f"out_{name}.%04d.png"
        harmonize_video(
            foreground=layer, background=under, alpha=alpha, output=output, method="mkl", consistency="shot"
        )
        results.append(read(output))
    assert np.abs(results[0] - read(under)).max() * 255 > 20
    assert np.abs(results[0] - results[1]).max() * 255 < 0.2, "a code of colours that were rounded twice, and one more"


def test_premultiplied_video_fades_to_its_own_black(tmp_path: Path) -> None:
    """Y'CbCr of limited range: black is 16 and 128, and no code fades to 0."""
    under = pngs(tmp_path, "bg", background, np.uint16)
    to_ycc = np.linalg.inv(np.array([[1, 0, 1.5748], [1, -0.1873, -0.4681], [1, 1.8556, 0]]))
    results = []
    for name, picture, alpha in (("a", with_alpha, None), ("b", multiplied, "premultiplied")):
        frames = []
        for index in range(NUM_FRAMES):
            pixels = picture(index)
            ycc = np.einsum("ij,hwj->ihw", to_ycc, pixels[..., :3])
            codes = ycc * np.array([219, 224, 224])[:, None, None] + np.array([16, 128, 128])[:, None, None]
            frames.append([*np.rint(codes * 256).astype(np.uint16), np.rint(pixels[..., 3] * 65535).astype(np.uint16)])
        size = images.Size(*pixels.shape[:2])
        layer = make_clip(tmp_path / f"{name}.mkv", codec="ffv1", pix_fmt="yuva444p16le", size=size, frames=frames)
        output = tmp_path / f"out_{name}.%04d.png"
        harmonize_video(
            foreground=layer, background=under, alpha=alpha, output=output, method="mkl", consistency="shot"
        )
        results.append(read(output))
    assert np.abs(results[0] - results[1]).max() * 255 < 0.2
