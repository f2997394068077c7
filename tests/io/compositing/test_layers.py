"""Foreground over background: covered and uncovered pixels, and soft edges without fringes."""

import warnings
from dataclasses import replace

import numpy as np
import pytest

from chromacord.errors import InputError, MismatchError
from chromacord.io import LayeredSource
from chromacord.io.compositing.mattes import MatteReader
from chromacord.types import Alpha, Colorimetry, PixelFormat, Size, VideoInfo
from tests.clips import BT601, BT709
from tests.images import DISPLAY, RGB8, RGBA8, SCENE_LINEAR, MemorySource, video_info

SIZE = Size(16, 24)
GRAY8 = PixelFormat("gray")
YUV420 = PixelFormat("yuv", subsampling=(1, 1))
Planes = tuple[np.ndarray, ...]


def info(pixel_format: PixelFormat, colors: Colorimetry = DISPLAY, *, size: Size = SIZE) -> VideoInfo:
    return video_info(pixel_format, colors, size=size)


def flat(pixel_format: PixelFormat, *values: float, size: Size = SIZE) -> Planes:
    down, right = pixel_format.subsampling
    planes = []
    for k, value in enumerate(values):
        small = pixel_format.model == "yuv" and k in (1, 2)
        shape = (size.height >> down, size.width >> right) if small else size
        planes.append(np.full(shape, value, pixel_format.dtype))
    return tuple(planes)


def textured(pixel_format: PixelFormat, *, seed: int = 3) -> Planes:
    rng = np.random.default_rng(seed)
    planes = flat(pixel_format, *([0] * (pixel_format.num_colors + (pixel_format.alpha is not Alpha.NONE))))
    if pixel_format.is_float:
        return tuple(rng.normal(size=plane.shape).astype(np.float32) for plane in planes)
    top = pixel_format.max_code
    return tuple(rng.integers(top // 8, top - top // 8, plane.shape).astype(plane.dtype) for plane in planes)


def ramp(depth: int = 8) -> np.ndarray:
    """Coverage from 0 to 1 in the columns 6 to 17, rows 4 to 11."""
    top = (1 << depth) - 1
    alpha = np.zeros(SIZE, np.float64)
    alpha[4:12, 6:18] = np.linspace(0, 1, 12)
    return np.rint(alpha * top).astype(np.uint8 if depth == 8 else np.uint16)


def compose(foreground: MemorySource, background: MemorySource, alpha: MemorySource | None = None) -> Planes:
    return next(LayeredSource(foreground, background, alpha).frames()).planes


BACKGROUNDS = [
    (RGB8, DISPLAY),
    (PixelFormat("rgb", 16), DISPLAY),
    (YUV420, BT709),
    (PixelFormat("yuv", 10, subsampling=(0, 1)), BT709),
    (PixelFormat("rgb", 16, is_float=True), SCENE_LINEAR),
    (replace(RGBA8, depth=10), DISPLAY),
    (GRAY8, Colorimetry(full_range=True)),
]


@pytest.mark.parametrize(("pixel_format", "colors"), BACKGROUNDS)
@pytest.mark.parametrize("layer", [(RGB8, DISPLAY), (YUV420, BT709), (YUV420, BT601)])
def test_nothing_changes_where_nothing_covers(
    pixel_format: PixelFormat, colors: Colorimetry, layer: tuple[PixelFormat, Colorimetry]
) -> None:
    planes = textured(pixel_format)
    foreground = MemorySource(info(*layer), [textured(layer[0], seed=4)])
    matte = MemorySource(info(GRAY8), [(ramp(),)])
    composite = compose(foreground, MemorySource(info(pixel_format, colors), [planes]), matte)
    for plane, before in zip(composite, planes, strict=True):
        step = SIZE.height // plane.shape[0], SIZE.width // plane.shape[1]
        covered = ramp().reshape(plane.shape[0], step[0], plane.shape[1], step[1]).any(axis=(1, 3))
        np.testing.assert_array_equal(plane[~covered], before[~covered])
        assert plane.dtype == before.dtype
        assert (plane[covered] != before[covered]).any()


@pytest.mark.parametrize("depth", [8, 10, 16])
def test_blending_is_linear_in_codes(depth: int) -> None:
    """alpha * foreground + (1 - alpha) * background, to the nearest code."""
    pixel_format = PixelFormat("rgb", depth, alpha=Alpha.STRAIGHT)
    plain = replace(pixel_format, alpha=Alpha.NONE)
    values, below = (np.array([200, 90, 20]) << (depth - 8), np.array([10, 240, 60]) << (depth - 8))
    foreground = (*flat(plain, *values), ramp(depth))
    composite = compose(
        MemorySource(info(pixel_format), [foreground]), MemorySource(info(plain), [flat(plain, *below)])
    )
    alpha = ramp(depth) / pixel_format.max_code
    for plane, over, under in zip(composite, values, below, strict=True):
        np.testing.assert_allclose(plane, alpha * over + (1 - alpha) * under, atol=0.5 + 1e-2)


def test_straight_and_premultiplied_foregrounds_give_the_same_picture() -> None:
    light = PixelFormat("rgb", 32, is_float=True, alpha=Alpha.STRAIGHT)
    colors, alpha = textured(replace(light, alpha=Alpha.NONE)), ramp(16).astype(np.float32) / 65535
    background = MemorySource(info(replace(light, alpha=Alpha.NONE), SCENE_LINEAR), [textured(light)[1:]])
    straight = MemorySource(info(light, SCENE_LINEAR), [(*colors, alpha)])
    premultiplied = MemorySource(
        info(replace(light, alpha=Alpha.PREMULTIPLIED), SCENE_LINEAR), [(*(c * alpha for c in colors), alpha)]
    )
    for one, other in zip(compose(straight, background), compose(premultiplied, background), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.parametrize(("pixel_format", "colors"), [(RGB8, DISPLAY), (YUV420, BT709)])
def test_soft_edges_over_the_same_colour_do_not_show(pixel_format: PixelFormat, colors: Colorimetry) -> None:
    """A grey foreground over the same grey: any fringe, dark or coloured, would be a difference."""
    premultiplied = replace(RGB8, alpha=Alpha.PREMULTIPLIED)
    alpha = ramp()
    foreground = tuple(np.rint(alpha * (150 / 255)).astype(np.uint8) for _ in range(3))
    # 150 of 255 is 16 + 219 * 150 / 255 = 144.8 in limited range.
    below = flat(pixel_format, *((150, 150, 150) if pixel_format.model == "rgb" else (145, 128, 128)))
    background = MemorySource(info(pixel_format, colors), [below])
    composite = compose(MemorySource(info(premultiplied), [(*foreground, alpha)]), background)
    for plane, before in zip(composite, below, strict=True):
        assert np.abs(plane.astype(int) - before).max() <= 1


def test_the_colour_under_transparent_pixels_never_shows() -> None:
    """Green lies under alpha 0, red under alpha 1, in one block of chroma: only red may show."""
    red, green = np.zeros((3, *SIZE), np.uint8)[:2]
    alpha = np.zeros(SIZE, np.uint8)
    alpha[:, :11] = 255
    red[:, :11], green[:, 11:] = 255, 255
    foreground = MemorySource(info(RGBA8), [(red, green, np.zeros(SIZE, np.uint8), alpha)])
    # BT.709 red in limited range is (63, 102, 240).
    below = flat(YUV420, 63, 102, 240)
    composite = compose(foreground, MemorySource(info(YUV420, BT709), [below]))
    for plane, before in zip(composite, below, strict=True):
        assert np.abs(plane.astype(int) - before).max() <= 1


def test_a_foreground_of_another_matrix_keeps_its_colour() -> None:
    """BT.601 red over a BT.709 background becomes BT.709 red: (81, 90, 240) to (63, 102, 240)."""
    full = MemorySource(info(GRAY8), [flat(GRAY8, 255)])
    foreground = MemorySource(info(YUV420, BT601), [flat(YUV420, 81, 90, 240)])
    composite = compose(foreground, MemorySource(info(YUV420, BT709), [flat(YUV420, 200, 100, 100)]), full)
    assert np.abs([int(plane[5, 5]) - code for plane, code in zip(composite, (63, 102, 240), strict=True)]).max() <= 1


def test_scene_linear_over_video_is_encoded() -> None:
    """0.21586 is 128 / 255 of sRGB (IEC 61966-2-1)."""
    light = PixelFormat("rgb", 16, is_float=True, alpha=Alpha.PREMULTIPLIED)
    foreground = MemorySource(info(light, SCENE_LINEAR), [flat(light, *[0.21586] * 3, 1)])
    composite = compose(foreground, MemorySource(info(RGB8), [flat(RGB8, 1, 2, 3)]))
    assert [int(plane[0, 0]) for plane in composite] == [128, 128, 128]


def test_the_backgrounds_own_alpha_is_joined() -> None:
    """Porter-Duff over: a = a1 + a2 (1 - a1); the straight colour is the mean weighted by a1 and a2 (1 - a1)."""
    foreground = MemorySource(info(RGBA8), [flat(RGBA8, 200, 200, 200, 51)])
    composite = compose(foreground, MemorySource(info(RGBA8), [flat(RGBA8, 100, 100, 100, 102)]))
    joined = 0.2 + 0.4 * 0.8
    assert int(composite[3][0, 0]) == round(joined * 255)
    assert int(composite[0][0, 0]) == round((0.2 * 200 + 0.32 * 100) / joined)


def test_layers_give_mask_and_foreground_with_the_backgrounds_times() -> None:
    foreground = MemorySource(info(RGBA8), [(*flat(RGB8, n, n, n), ramp()) for n in range(4)])
    background = MemorySource(info(YUV420, BT709), [flat(YUV420, 99, 128, 128)] * 4)
    source = LayeredSource(foreground, background)
    assert source.info == background.info
    assert (source.mask_info.pixel_format, source.foreground_info.pixel_format) == (GRAY8, RGBA8)
    for number, frames in enumerate(source.layers(1, 3), start=1):
        assert [(frame.index, frame.pts) for frame in frames] == [(number, 10 * number)] * 3
        np.testing.assert_array_equal(frames[1].planes[0], ramp())
        assert frames[2].planes[0][0, 0] == number


@pytest.mark.parametrize(("num_foregrounds", "num_backgrounds"), [(3, 5), (5, 3)])
@pytest.mark.parametrize("own_alpha", [True, False])
def test_layers_of_different_length_are_refused_with_both_counts(
    num_foregrounds: int, num_backgrounds: int, own_alpha: bool
) -> None:
    layer = (*flat(RGB8, 9, 9, 9), ramp())
    background = MemorySource(info(RGB8), [flat(RGB8, 1, 1, 1)] * num_backgrounds)
    if own_alpha:
        source = LayeredSource(MemorySource(info(RGBA8), [layer] * num_foregrounds), background)
    else:
        foreground = MemorySource(info(RGB8), [layer[:3]] * num_backgrounds)
        source = LayeredSource(foreground, background, MemorySource(info(GRAY8), [layer[3:]] * num_foregrounds))
    with pytest.raises(MismatchError, match=rf"has {num_foregrounds} frames, but the background .* {num_backgrounds};"):
        list(source.frames())


def test_a_still_foreground_serves_all_frames() -> None:
    still = replace(info(RGBA8), container="still")
    foreground = MemorySource(still, [(*flat(RGB8, 9, 9, 9), ramp())])
    background = MemorySource(info(RGB8), [flat(RGB8, 1, 1, 1)] * 3)
    assert len(list(LayeredSource(foreground, background).frames())) == 3


def test_layers_that_do_not_belong_together_are_refused() -> None:
    background = MemorySource(info(RGB8), [])
    with pytest.raises(InputError, match="has no alpha channel"):
        LayeredSource(MemorySource(info(RGB8), []), background)
    with pytest.raises(MismatchError, match=r"24x16, but the background .* is 18x12"):
        LayeredSource(MemorySource(info(RGBA8), []), MemorySource(info(RGB8, size=Size(12, 18)), []))


def test_a_turned_foreground_lies_as_players_show_it() -> None:
    turned = replace(info(RGBA8, size=Size(SIZE.width, SIZE.height)), rotation=90)
    picture = np.arange(SIZE.height * SIZE.width).reshape(SIZE).astype(np.uint8)
    opaque = np.full(SIZE, 255, np.uint8)
    stored = tuple(np.rot90(plane, -1) for plane in (picture, picture, picture, opaque))
    source = LayeredSource(MemorySource(turned, [stored]), MemorySource(info(RGB8), [flat(RGB8, 1, 1, 1)]))
    np.testing.assert_array_equal(next(source.frames()).planes[0], picture)
    assert source.foreground_info.size == SIZE


class TestMattes:
    def test_lossless_codes_are_coverage_as_they_are(self) -> None:
        reader = MatteReader(info(RGBA8), from_alpha=True)
        planes = (*flat(RGB8, 0, 0, 0), ramp())
        assert reader.read(planes) is planes[3]

    def test_a_coloured_matte_counts_by_its_luma(self) -> None:
        reader = MatteReader(replace(info(RGB8), codec="png"), from_alpha=False)
        planes = tuple(np.diag([255, 255, 255]).astype(np.uint8)[i : i + 1] for i in range(3))
        assert reader.read(planes)[0].tolist() == [54, 182, 18]  # BT.709: 0.2126, 0.7152, 0.0722 of 255

    def test_limited_range_is_widened(self) -> None:
        matte = replace(info(YUV420, BT709), codec="ffv1")
        plane = np.array([[0, 16, 126, 235, 255]], np.uint8)
        assert MatteReader(matte, from_alpha=False).read((plane,))[0].tolist() == [0, 0, 128, 255, 255]

    def test_the_noise_of_lossy_codecs_covers_nothing(self) -> None:
        matte = replace(info(YUV420, BT709), codec="h264")
        plane = np.array([[16, 19, 232, 235]], np.uint8)
        assert MatteReader(matte, from_alpha=False).read((plane,))[0].tolist() == [0, 0, 255, 255]

    def test_float_coverage_is_kept_to_sixteen_bits(self) -> None:
        light = PixelFormat("rgb", 32, is_float=True, alpha=Alpha.PREMULTIPLIED)
        reader = MatteReader(replace(info(light, SCENE_LINEAR), codec="openexr"), from_alpha=True)
        plane = np.array([[-0.5, 0, 0.5, 1, 2]], np.float32)
        assert reader.read((plane,))[0].tolist() == [0, 0, 32768, 65535, 65535]


@pytest.mark.parametrize(("kinds", "is_said"), [(("sequence", "sequence"), True), (("sequence", "mov"), False)])
def test_sequences_that_are_numbered_from_different_frames_are_named(kinds: tuple[str, str], is_said: bool) -> None:
    """They are paired by order all the same: one may count from 0 and the other from 1001."""
    one, other = (
        MemorySource(replace(info(pixels), container=kind, first_number=number), [textured(pixels)])
        for pixels, kind, number in zip((RGBA8, RGB8), kinds, (0, 1001), strict=True)
    )
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        LayeredSource(one, other)
    assert [str(each.message).partition(";")[0] for each in told] == (
        [f"{one.info.path}: begins with frame 0 and {other.info.path} with frame 1001"] if is_said else []
    )


def test_a_still_layer_is_cleaned_once() -> None:
    still = replace(info(RGB8), container="still")
    pictures = [textured(RGB8, seed=seed) for seed in range(3)]
    matte = replace(info(GRAY8), container="still")
    layers = LayeredSource(
        MemorySource(still, pictures[:1]), MemorySource(info(RGB8), pictures), MemorySource(matte, [(ramp(),)])
    )
    calls = []

    def clean(planes: Planes, mask: np.ndarray) -> Planes:
        calls.append(mask)
        return tuple(255 - plane for plane in planes)

    layers.clean = clean
    composites = [frame.planes for frame in layers.frames()]
    assert len(calls) == 1
    opaque = ramp() == 255
    for planes in composites:
        assert np.array_equal(planes[0][opaque], 255 - pictures[0][0][opaque])


def test_a_moving_layer_is_cleaned_in_each_frame() -> None:
    pictures = [textured(RGB8, seed=seed) for seed in range(3)]
    mattes = MemorySource(info(GRAY8), [(ramp(),)] * 3)
    layers = LayeredSource(MemorySource(info(RGB8), pictures), MemorySource(info(RGB8), pictures), mattes)
    calls = []
    layers.clean = lambda planes, mask: calls.append(mask) or tuple(planes)  # type: ignore[func-returns-value]
    assert len(list(layers.frames())) == len(calls) == 3
