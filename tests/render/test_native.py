"""The compiled renderer against cpu.py. What both must do stands in test_cpu.py."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from chromacord.color.transforms import AffineField, Identity, Lut3d, lattice
from chromacord.masks.masks import Mask, MaskedFrame
from chromacord.masks.packed_masks import PackedMask
from chromacord.render import compiled
from chromacord.render.cpu import Renderer
from chromacord.render.native import NativeGrading
from chromacord.types import Alpha, Box, Frame, PixelFormat, Size, VideoInfo
from tests.render.test_cpu import FORMATS, TRANSFORMS
from tests.scenes import as_mask, describe, masked, noise_frame, soft_disc

needs_native = pytest.mark.skipif(
    compiled.opened(compiled.BINARY) is None,
    reason="native.c was not compiled; with a C compiler installed: pip install --editable .",
)

COMMON = {
    **{name: FORMATS[name] for name in ("420 8 bit", "420 10 bit", "422 10 bit", "444 12 bit", "rgb 8 bit")},
    "440 8 bit": PixelFormat("yuv", 8, subsampling=(1, 0)),
    "420 16 bit": PixelFormat("yuv", 16, subsampling=(1, 1)),
    "rgb 16 bit": FORMATS["rgb 16 bit"],
    "rgba 8 bit": FORMATS["rgba 8 bit"],
    "yuva 8 bit": PixelFormat("yuv", 8, subsampling=(1, 1), alpha=Alpha.STRAIGHT),
}
STRONG = Lut3d(
    (lattice(9) + np.float32(0.2) * np.random.default_rng(1).standard_normal((3, 9, 9, 9), np.float32))[None]
)


def prepared(info: VideoInfo) -> NativeGrading:
    grade = NativeGrading.prepare(TRANSFORMS["lut"], info)
    assert grade is not None
    return grade


def both(info: VideoInfo, shown: MaskedFrame, transform, monkeypatch: pytest.MonkeyPatch) -> tuple[Frame, Frame]:
    """Return what the compiled render makes, and what render.py makes."""
    assert NativeGrading.prepare(transform, info) is not None
    made = Renderer(info).render(shown, transform)
    with monkeypatch.context() as without:
        without.setattr(compiled, "BINARY", Path("not built"))
        return made, Renderer(info).render(shown, transform)


def agree(one: Frame, other: Frame, *, share: float = 1e-3) -> None:
    """Assert that samples are equal but for roundings: a few differ, by one code."""
    for plane, expected in zip(one.planes, other.planes, strict=True):
        difference = np.abs(plane.astype(int) - expected.astype(int))
        assert difference.max() <= 1
        assert (difference > 0).mean() <= share


@needs_native
@pytest.mark.parametrize("kind", ["affine", "lut", "strong lut"])
@pytest.mark.parametrize("layout", COMMON)
# 300 columns are more than two runs; of 513 one is left over.
@pytest.mark.parametrize("size", [Size(48, 64), Size(45, 63), Size(33, 300), Size(31, 513)], ids=str)
def test_it_makes_what_render_makes(layout: str, kind: str, size: Size, monkeypatch: pytest.MonkeyPatch) -> None:
    info = describe(COMMON[layout], size)
    wide = Size(size.height, size.height)
    weights = np.resize(soft_disc(wide), size) if size.width > 256 else soft_disc(size)
    transform = STRONG if kind == "strong lut" else TRANSFORMS[kind]
    # With more bits than floats keep apart, more samples lie next to a rounding.
    share = 0.05 if info.pixel_format.depth == 16 else 2e-3
    agree(*both(info, masked(info, weights), transform, monkeypatch), share=share)


@needs_native
@pytest.mark.parametrize("full_range", [True, False])
@pytest.mark.parametrize("layout", ["420 8 bit", "444 12 bit", "rgb 8 bit", "420 16 bit"])
def test_codes_at_both_ends_stay_in_their_format(
    layout: str, full_range: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixel_format = COMMON[layout]
    info = describe(pixel_format, full_range=full_range)
    generator = np.random.default_rng(0)
    ends = np.array([0, 1, pixel_format.max_code - 1, pixel_format.max_code], pixel_format.dtype)
    planes = tuple(generator.choice(ends, plane.shape) for plane in noise_frame(info).planes)
    shown = MaskedFrame(Frame(planes, 0), as_mask(soft_disc()))
    gain = AffineField.from_matrix(3 * np.eye(3, dtype=np.float32)[None], np.full((1, 3), -0.8, np.float32))
    for transform in (gain, STRONG):
        agree(*both(info, shown, transform, monkeypatch), share=0.05 if pixel_format.depth == 16 else 2e-3)


@needs_native
@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (2, 1), (1, 3), (3, 3), (5, 7)])
@pytest.mark.parametrize("corner", ["near", "far"])
def test_boxes_of_few_pixels_are_graded_and_nothing_beside_them(
    shape: tuple[int, int], corner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = Size(9, 11)
    info = describe(FORMATS["420 8 bit"], size)
    weights = np.zeros(size, np.float32)
    height, width = shape
    part = weights[:height, :width] if corner == "near" else weights[-height:, -width:]
    part[...] = 1
    shown = masked(info, weights)
    made, expected = both(info, shown, TRANSFORMS["affine"], monkeypatch)
    agree(made, expected, share=0.01)
    np.testing.assert_array_equal(made.planes[0][weights == 0], shown.frame.planes[0][weights == 0])


@needs_native
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_masks_are_read_in_their_own_codes(dtype: type[np.generic], monkeypatch: pytest.MonkeyPatch) -> None:
    info = describe(FORMATS["420 8 bit"])
    white = 1.0 if dtype is np.float32 else 0.9 * np.iinfo(dtype).max
    black = 0.1 * white
    codes = (soft_disc() * white).astype(dtype)
    mask = Mask.from_plane(codes, black=black, white=0.95 * white)
    shown = MaskedFrame(noise_frame(info), mask)
    made, expected = both(info, shown, TRANSFORMS["lut"], monkeypatch)
    agree(made, expected)
    packed = MaskedFrame(shown.frame, PackedMask.pack(mask).unpack_box())
    again, _ = both(info, packed, TRANSFORMS["lut"], monkeypatch)
    for plane, other in zip(made.planes, again.planes, strict=True):
        np.testing.assert_array_equal(plane, other)


@needs_native
@pytest.mark.parametrize("dtype", [">u2", "<i4", "u4", "i8", "f8", "f2"])
def test_masks_of_other_types_mean_the_same(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    info = describe(FORMATS["420 8 bit"])
    codes = (soft_disc() * 200).astype(dtype)
    shown = MaskedFrame(noise_frame(info), Mask.from_plane(codes, black=10, white=190))
    agree(*both(info, shown, TRANSFORMS["lut"], monkeypatch))


@needs_native
def test_planes_that_do_not_hold_the_part_are_refused() -> None:
    info = describe(FORMATS["420 8 bit"])
    frame, target = noise_frame(info), noise_frame(info)
    whole = as_mask(soft_disc())
    short = replace(frame, planes=(frame.planes[0], frame.planes[1][:-1], frame.planes[2]))
    cut = Mask(whole.plane[:20], whole.black, whole.white, whole.box, is_full=False)
    for given in ((short, target, whole), (frame, short, whole), (frame, target, cut)):
        with pytest.raises(ValueError, match="of a picture has planes of"):
            prepared(info).render(*given, Box(0, 0, *info.size))


def unaligned(plane: np.ndarray) -> np.ndarray:
    """Return a copy at an odd address."""
    held = np.zeros(plane.nbytes + 1, np.uint8)
    copy = held[1:].view(plane.dtype).reshape(plane.shape)
    copy[...] = plane
    assert copy.ctypes.data % 2 == 1
    return copy


def read_only(plane: np.ndarray) -> np.ndarray:
    copy = plane.copy()
    copy.flags.writeable = False
    return copy


TARGETS = {
    "column by column": np.asfortranarray,
    "every second": lambda plane: np.repeat(plane, 2, axis=1)[:, ::2],
    "at an odd address": unaligned,
    "rows of an odd length": lambda plane: np.lib.stride_tricks.as_strided(
        np.zeros(2 * plane.nbytes, np.uint8).view(plane.dtype), plane.shape, (2 * plane.shape[1] + 1, 2)
    ),
    "read only": read_only,
    "signed": lambda plane: plane.astype(np.int16),
    "of more bytes": lambda plane: plane.astype(np.uint32),
    "of the other byte order": lambda plane: plane.astype(">u2"),
}


@needs_native
@pytest.mark.parametrize("plane", [0, 2])
@pytest.mark.parametrize("layout", TARGETS)
def test_targets_that_c_cannot_write_are_refused(layout: str, plane: int) -> None:
    info = describe(FORMATS["420 10 bit"])
    frame, target = noise_frame(info), noise_frame(info, seed=1)
    before = [each.copy() for each in target.planes]
    planes = [*target.planes]
    planes[plane] = TARGETS[layout](planes[plane])
    with pytest.raises(ValueError, match="cannot render into samples of"):
        prepared(info).render(frame, replace(target, planes=tuple(planes)), as_mask(soft_disc()), Box(0, 0, *info.size))
    for each, expected in zip(target.planes, before, strict=True):
        np.testing.assert_array_equal(each, expected)


@needs_native
@pytest.mark.parametrize("dtype", [np.uint16, np.int8, np.float32])
def test_pictures_of_another_type_than_the_clip_are_refused(dtype: type[np.generic]) -> None:
    info = describe(FORMATS["420 8 bit"])
    frame = noise_frame(info)
    other = replace(frame, planes=(frame.planes[0].astype(dtype), *frame.planes[1:]))
    with pytest.raises(ValueError, match="expected samples of uint8, got"):
        prepared(info).render(other, frame, as_mask(soft_disc()), Box(0, 0, *info.size))


@needs_native
@pytest.mark.parametrize("count", [0, 2])
@pytest.mark.parametrize("kind", ["affine", "lut"])
def test_transforms_of_several_pictures_are_refused(kind: str, count: int) -> None:
    transform = TRANSFORMS[kind]
    several = transform.with_parameters(np.repeat(transform.parameters, count, axis=0))
    with pytest.raises(ValueError, match=f"one picture, got one for {count}"):
        NativeGrading.prepare(several, describe(FORMATS["420 8 bit"]))


@needs_native
@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_masks_at_odd_addresses_mean_the_same(dtype: type[np.generic], monkeypatch: pytest.MonkeyPatch) -> None:
    info = describe(FORMATS["420 8 bit"])
    codes = (soft_disc() * (1 if dtype is np.float32 else 60000)).astype(dtype)
    mask = Mask.from_plane(codes, black=0, white=float(codes.max()))
    module = compiled.opened(compiled.BINARY)
    addresses = []

    class Watched:
        ffi = module.ffi

        class lib:
            @staticmethod
            def chromacord_grade(job) -> None:
                addresses.append(int(module.ffi.cast("uintptr_t", job.mask.data)))
                module.lib.chromacord_grade(job)

    monkeypatch.setattr(compiled, "opened", lambda path: Watched)
    frame = noise_frame(info)
    results = [
        Renderer(info).render(MaskedFrame(frame, replace(mask, plane=plane)), TRANSFORMS["lut"])
        for plane in (codes, unaligned(codes))
    ]
    assert [address % codes.itemsize for address in addresses] == [0, 0]
    for one, other in zip(results[0].planes, results[1].planes, strict=True):
        np.testing.assert_array_equal(one, other)


@needs_native
@pytest.mark.parametrize("view", [unaligned, lambda plane: plane.astype(">u2")], ids=["odd address", "byte order"])
def test_pictures_of_deep_codes_are_read_wherever_they_lie(view: Callable) -> None:
    info = describe(FORMATS["420 10 bit"])
    shown = masked(info)
    other = MaskedFrame(replace(shown.frame, planes=tuple(map(view, shown.frame.planes))), shown.mask)
    results = []
    for each in (shown, other):
        target = replace(shown.frame, planes=tuple(plane.copy() for plane in shown.frame.planes))
        prepared(info).render(each.frame, target, each.mask, Box(0, 0, *info.size))
        results.append(target.planes)
    for one, two in zip(*results, strict=True):
        np.testing.assert_array_equal(one, two)


@needs_native
@pytest.mark.parametrize(
    "view",
    [lambda plane: np.repeat(plane, 3, axis=1)[:, ::3], lambda plane: plane[::-1].copy()[::-1], np.asfortranarray],
    ids=["every third", "bottom up", "column by column"],
)
def test_planes_of_any_memory_layout_are_read(view: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    info = describe(FORMATS["420 8 bit"])
    shown = masked(info)
    other = MaskedFrame(replace(shown.frame, planes=tuple(map(view, shown.frame.planes))), shown.mask)
    transform = TRANSFORMS["lut"]
    one, two = Renderer(info).render(shown, transform), Renderer(info).render(other, transform)
    for plane, expected in zip(two.planes, one.planes, strict=True):
        np.testing.assert_array_equal(plane, expected)


@needs_native
def test_colours_on_the_nodes_take_the_nodes_values() -> None:
    info = describe(PixelFormat("rgb", 8), Size(16, 16))
    # 0, 51, ..., 255 are the nodes of a LUT of 6, which is stretched to 33 nodes: only both ends are nodes of both.
    ends = np.array(np.meshgrid([0, 255], [0, 255], [0, 255], indexing="ij"), np.uint8).reshape(3, 8)
    planes = tuple(np.resize(channel, (16, 16)).astype(np.uint8) for channel in ends)
    values = np.random.default_rng(5).random((1, 3, 6, 6, 6), np.float32)
    weights = np.ones((16, 16), np.float32)
    weights[-1, -1] = 0  # a mask that is full leaves no background
    rendered = Renderer(info).render(MaskedFrame(Frame(planes, 0), as_mask(weights)), Lut3d(values))
    red, green, blue = (ends // 255 * 5).astype(int)
    expected = values[0][:, blue, green, red] * 255
    for plane, wanted in zip(rendered.planes, expected, strict=True):
        assert np.abs(plane.ravel()[:8] - wanted).max() <= 0.51


@pytest.mark.parametrize("layout", ["411 8 bit", "gray 8 bit", "rgb float"])
def test_uncommon_formats_are_left_to_render(layout: str) -> None:
    assert NativeGrading.prepare(TRANSFORMS["lut"], describe(FORMATS[layout])) is None


def test_uncommon_pictures_and_grades_are_left_to_render() -> None:
    info = describe(FORMATS["rgba 8 bit"])
    premultiplied = replace(info, pixel_format=replace(info.pixel_format, alpha=Alpha.PREMULTIPLIED))
    light = describe(PixelFormat("rgb", 16), scene_linear=True)
    for each in (premultiplied, light):
        assert NativeGrading.prepare(TRANSFORMS["lut"], each) is None
    for transform in (TRANSFORMS["field"], Identity.for_frames(1)):
        assert NativeGrading.prepare(transform, info) is None
