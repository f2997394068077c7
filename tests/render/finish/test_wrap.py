"""Light wrap, and rules for all stages: nothing changes outside the matte's extended box; alpha and depth are kept."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from chromacord.color.spaces import code_scale, rgb_to_code
from chromacord.errors import InputError
from chromacord.masks.masks import MaskedFrame
from chromacord.render.finish.stage import Finish
from chromacord.render.finish.wrap import LightWrap, parse_wrap
from chromacord.types import Alpha, Frame, PixelFormat, Size, VideoInfo
from tests.scenes import as_mask, describe, masked, soft_disc

SIZE = Size(96, 128)
FORMATS = {
    "420 8 bit": PixelFormat("yuv", 8, subsampling=(1, 1)),
    "422 10 bit": PixelFormat("yuv", 10, subsampling=(0, 1)),
    "411 8 bit": PixelFormat("yuv", 8, subsampling=(0, 2)),
    "rgb 16 bit": PixelFormat("rgb", 16),
    "rgba 8 bit": PixelFormat("rgb", 8, alpha=Alpha.STRAIGHT),
    "premultiplied": PixelFormat("rgb", 16, alpha=Alpha.PREMULTIPLIED),
    "gray 8 bit": PixelFormat("gray", 8),
    "rgb float": PixelFormat("rgb", 32, is_float=True),
}


def flat(info: VideoInfo, inside: float, outside: float, weights: np.ndarray) -> MaskedFrame:
    """Return a grey foreground over a grey background, as R'G'B'."""
    grey = np.float32(outside) + weights * np.float32(inside - outside)
    affine = rgb_to_code(info.colorimetry, info.size, info.pixel_format)
    codes = np.einsum("ij,hwj->ihw", affine.matrix, np.stack([grey] * 3, axis=-1)) + affine.offset[:, None, None]
    down, right = info.pixel_format.subsampling
    planes = []
    for number in range(info.pixel_format.num_colors):
        plane = codes[number][:: 1 << down, :: 1 << right] if number else codes[number]
        plane = plane if info.pixel_format.is_float else np.rint(plane)
        planes.append(plane.astype(info.pixel_format.dtype))
    if info.pixel_format.alpha is not Alpha.NONE:
        planes.append(np.full(info.size, info.pixel_format.max_code, info.pixel_format.dtype))
    return MaskedFrame(Frame(tuple(planes), 0), as_mask(weights))


def grey_of(frame: Frame, info: VideoInfo) -> np.ndarray:
    """Return luma or R', in [0, 1]. Shape (H, W)."""
    scale, offset, _, _ = code_scale(info.colorimetry, info.pixel_format)
    return (frame.planes[0].astype(np.float64) - offset) / scale


@pytest.mark.parametrize("layout", FORMATS)
@pytest.mark.parametrize("size", [SIZE, Size(93, 127)], ids=["even", "odd"])
def test_samples_outside_the_mask_keep_their_bits(layout: str, size: Size) -> None:
    info = describe(FORMATS[layout], size)
    shown = masked(info)
    finished = Finish(info, [LightWrap(info, 1.0, 12)])(shown, shown.frame)
    assert any((one != other).any() for one, other in zip(shown.frame.planes, finished.planes, strict=True))
    down, right = info.pixel_format.subsampling
    for number, (before, after) in enumerate(zip(shown.frame.planes, finished.planes, strict=True)):
        assert after.dtype == before.dtype
        if number == info.pixel_format.num_colors:
            assert np.array_equal(before, after)
            continue
        is_chroma = info.pixel_format.model == "yuv" and number > 0
        held = shown.mask.crop(shown.mask.box or pytest.fail("no box"))
        assert held.max() == 1
        weights = soft_disc(size)
        if is_chroma:
            weights = cv2.dilate(weights, np.ones((2 << down, 2 << right), np.uint8))[:: 1 << down, :: 1 << right]
        outside = weights == 0
        assert np.array_equal(before[outside], after[outside])


def test_without_stages_a_frame_passes_as_it_is() -> None:
    info = describe(FORMATS["420 8 bit"], SIZE)
    shown = masked(info)
    assert Finish(info, [])(shown, shown.frame) is shown.frame


@pytest.mark.parametrize("layout", [name for name in FORMATS if name != "411 8 bit"])
def test_the_edge_takes_the_light_of_a_brighter_background_and_the_middle_none(layout: str) -> None:
    info = describe(FORMATS[layout], SIZE, transfer=1)
    shown = flat(info, 0.2, 0.8, soft_disc(SIZE))
    before = grey_of(shown.frame, info)
    after = grey_of(Finish(info, [LightWrap(info, 0.5, 10)])(shown, shown.frame), info)
    middle, edge = (48, 64), (48, 64 + 22)
    assert after[middle] == before[middle]
    assert soft_disc(SIZE)[edge] == 1
    # Half of the light of the background at the edge (BT.1886: gamma 2.4), a little less two pixels inside.
    at_edge = (0.5 * 0.8**2.4 + 0.5 * 0.2**2.4) ** (1 / 2.4)
    assert 0.75 * at_edge < after[edge] < at_edge
    assert after.max() <= 0.8 + 1 / 255


def test_the_light_of_a_darker_background_changes_nothing() -> None:
    info = describe(FORMATS["rgb 16 bit"], SIZE)
    shown = flat(info, 0.8, 0.2, (soft_disc(SIZE, soft=1e-3) > 0.5).astype(np.float32))
    finished = Finish(info, [LightWrap(info, 1.0, 10)])(shown, shown.frame)
    for before, after in zip(shown.frame.planes, finished.planes, strict=True):
        assert np.array_equal(before, after)


def test_the_composite_itself_is_never_written_to() -> None:
    info = describe(FORMATS["420 8 bit"], SIZE)
    shown = masked(info)
    kept = [plane.copy() for plane in shown.frame.planes]
    frozen = replace(shown.frame, planes=shown.frame.planes)
    for plane in frozen.planes:
        plane.flags.writeable = False
    Finish(info, [LightWrap(info, 1.0, 10)])(MaskedFrame(frozen, shown.mask), frozen)
    assert all(np.array_equal(one, other) for one, other in zip(kept, frozen.planes, strict=True))


@pytest.mark.parametrize(("text", "expected"), [("0.5", (0.5, None)), ("1,20", (1.0, 20.0))])
def test_an_amount_and_a_radius_are_read(text: str, expected: tuple[float, float | None]) -> None:
    assert parse_wrap(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"), [("1", (1, None)), ("0.01", (0.01, None)), ("1,1", (1, 1)), ("0.01,1000", (0.01, 1000))]
)
def test_both_ends_of_each_range_are_wraps(text: str, expected: tuple[float, float | None]) -> None:
    assert parse_wrap(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "x", "0", "1.1", "-1", "nan", "0.5,0", "0.5,inf", "0.5,2,3", "0.5,", "1.1,20", "0,20", "1,0.9", "1,1001"],
)
def test_what_is_no_wrap_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="such as 0"):
        parse_wrap(text)
