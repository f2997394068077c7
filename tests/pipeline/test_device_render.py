"""The renderer of torch devices against the CPU's, on the CPU as a torch device."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.pipeline.scenes import SIZE, as_mask, describe, masked, noise_frame, soft_disc
from tests.pipeline.test_render import FORMATS, TRANSFORMS

from chromacord.color.transforms import AffineField, Identity, Lut3d, lattice
from chromacord.errors import ChromacordWarning
from chromacord.pipeline import device_render
from chromacord.pipeline.device_blend import Fused, blend
from chromacord.pipeline.device_render import DeviceRenderer
from chromacord.pipeline.masks import Mask, MaskedFrame
from chromacord.pipeline.render import Renderer
from chromacord.types import Alpha, PixelFormat, Size, VideoInfo

CPU = torch.device("cpu")
ALL_FORMATS = {
    **FORMATS,
    "440 8 bit": PixelFormat("yuv", 8, subsampling=(1, 0)),
    "410 8 bit": PixelFormat("yuv", 8, subsampling=(2, 2)),
    "420 12 bit": PixelFormat("yuv", 12, subsampling=(1, 1)),
    "gray 16 bit": PixelFormat("gray", 16),
    "yuva 444 10 bit": PixelFormat("yuv", 10, alpha=Alpha.STRAIGHT),
    "premultiplied 16 bit": PixelFormat("rgb", 16, alpha=Alpha.PREMULTIPLIED),
}


def in_corner(size: Size) -> np.ndarray:
    """Return soft weights whose box starts at odd places and ends at the picture's far edges."""
    weights = np.zeros(size, np.float32)
    weights[7:, 11:] = np.random.default_rng(5).uniform(0, 1, (size.height - 7, size.width - 11))
    return weights


def agree(info: VideoInfo, shown: MaskedFrame, transform, foreground: VideoInfo | None = None) -> None:
    """Check that both renderers make the same of a frame: to a code, and where its weight is 0 to the bit."""
    expected = Renderer(info, foreground).render(shown, transform)
    rendered = DeviceRenderer(info, foreground, device=CPU).render(shown, transform)
    assert (rendered.index, rendered.pts) == (expected.index, expected.pts)
    assert len(rendered.planes) == len(expected.planes)
    for before, one, other in zip(shown.frame.planes, expected.planes, rendered.planes, strict=True):
        assert one.dtype == other.dtype
        if info.pixel_format.is_float:
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
        else:
            difference = np.abs(one.astype(int) - other.astype(int))
            assert difference.max() <= 1
            # Rounding apart they are the same: hardly a sample lies so near to a half.
            assert (difference > 0).mean() < (6e-3 if info.pixel_format.depth < 16 else 5e-2)
        untouched = uncovered(shown, before)
        np.testing.assert_array_equal(other[untouched], before[untouched])


def uncovered(shown: MaskedFrame, plane: np.ndarray) -> np.ndarray:
    """Return which samples of a plane no pixel of the mask covers."""
    height, width = shown.mask.plane.shape
    rows, columns = -(-height // plane.shape[0]), -(-width // plane.shape[1])
    support = np.pad(shown.mask.plane > shown.mask.black, ((0, -height % rows), (0, -width % columns)))
    return ~support.reshape(plane.shape[0], rows, plane.shape[1], columns).any(axis=(1, 3))


@pytest.mark.parametrize("kind", TRANSFORMS)
@pytest.mark.parametrize("layout", ALL_FORMATS)
@pytest.mark.parametrize("size", [SIZE, Size(45, 63)], ids=["even", "odd"])
def test_every_format_is_rendered_as_on_the_cpu(layout: str, kind: str, size: Size) -> None:
    info = describe(ALL_FORMATS[layout], size)
    for weights in (soft_disc(size), in_corner(size)):
        agree(info, masked(info, weights), TRANSFORMS[kind])


@pytest.mark.parametrize("kind", TRANSFORMS)
@pytest.mark.parametrize("premultiplied", [False, True])
def test_light_is_rendered_as_on_the_cpu(kind: str, premultiplied: bool) -> None:
    alpha = Alpha.PREMULTIPLIED if premultiplied else Alpha.NONE
    info = describe(PixelFormat("rgb", 32, is_float=True, alpha=alpha), scene_linear=True)
    frame = noise_frame(info)
    frame.planes[0][20:24, 30:34] = 12.5
    frame.planes[1][24, 31] = -0.25
    if premultiplied:
        frame.planes[3][...] = np.linspace(0, 1, SIZE.width)
    agree(info, MaskedFrame(frame, as_mask(soft_disc())), TRANSFORMS[kind])


LAYERS = {
    "420 over 420": (PixelFormat("yuv", 8, subsampling=(1, 1)), PixelFormat("yuv", 8, subsampling=(1, 1))),
    "rgb over 420": (PixelFormat("rgb", 8), PixelFormat("yuv", 8, subsampling=(1, 1))),
    "420 over rgb": (PixelFormat("yuv", 8, subsampling=(1, 1)), PixelFormat("rgb", 8)),
    "410 over 420": (PixelFormat("yuv", 8, subsampling=(2, 2)), PixelFormat("yuv", 8, subsampling=(1, 1))),
    "rgba 16 bit over 422 10 bit": (
        PixelFormat("rgb", 16, alpha=Alpha.STRAIGHT),
        PixelFormat("yuv", 10, subsampling=(0, 1)),
    ),
    "premultiplied 16 bit over 444 12 bit": (
        PixelFormat("rgb", 16, alpha=Alpha.PREMULTIPLIED),
        PixelFormat("yuv", 12),
    ),
    "rgb over a straight transparency": (PixelFormat("rgb", 16), PixelFormat("rgb", 16, alpha=Alpha.STRAIGHT)),
    "rgb over gray": (PixelFormat("rgb", 8), PixelFormat("gray", 8)),
}


@pytest.mark.parametrize("kind", TRANSFORMS)
@pytest.mark.parametrize("layers", LAYERS)
def test_layers_are_rendered_as_on_the_cpu(layers: str, kind: str) -> None:
    size = Size(45, 63)
    foreground, background = (describe(pixel_format, size) for pixel_format in LAYERS[layers])
    shown = MaskedFrame(noise_frame(background, seed=1), as_mask(in_corner(size)), noise_frame(foreground, seed=2))
    for info, frame in ((background, shown.frame), (foreground, shown.foreground)):
        if info.pixel_format.alpha is not Alpha.NONE:
            ramp = np.linspace(0, info.pixel_format.max_code, size.width)
            frame.planes[-1][...] = ramp.astype(info.pixel_format.dtype)
    agree(background, shown, TRANSFORMS[kind], foreground)


def test_a_display_referred_layer_over_light_is_rendered_as_on_the_cpu() -> None:
    foreground = describe(PixelFormat("rgb", 16))
    background = describe(PixelFormat("rgb", 32, is_float=True), scene_linear=True)
    for one, other in ((foreground, background), (background, foreground)):
        shown = MaskedFrame(noise_frame(other, seed=1), as_mask(soft_disc()), noise_frame(one, seed=2))
        agree(other, shown, TRANSFORMS["lut"], one)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_masks_of_codes_are_read_as_on_the_cpu(dtype: type[np.generic]) -> None:
    info = describe(FORMATS["420 8 bit"])
    top = np.iinfo(dtype).max
    plane = np.rint(soft_disc() * top).astype(dtype)
    agree(
        info,
        MaskedFrame(noise_frame(info), Mask.from_plane(plane, black=16 * top / 255, white=235 * top / 255)),
        TRANSFORMS["lut"],
    )


@pytest.mark.parametrize("strip_pixels", [1, 400])
@pytest.mark.parametrize("kind", TRANSFORMS)
def test_strips_make_no_difference(kind: str, strip_pixels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    info = describe(FORMATS["420 8 bit"], Size(45, 63))
    shown = masked(info, in_corner(info.size))
    whole = DeviceRenderer(info, device=CPU).render(shown, TRANSFORMS[kind])
    monkeypatch.setattr(device_render, "STRIP_PIXELS", strip_pixels)
    cut = DeviceRenderer(info, device=CPU).render(shown, TRANSFORMS[kind])
    for one, other in zip(whole.planes, cut.planes, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("layout", ALL_FORMATS)
def test_a_grade_that_changes_nothing_keeps_every_bit(layout: str) -> None:
    info = describe(ALL_FORMATS[layout])
    shown, renderer = masked(info), DeviceRenderer(info, device=CPU)
    for transform in (None, Identity.for_frames(1)):
        assert renderer.render(shown, transform) is shown.frame
    for weights in (np.zeros(SIZE), np.ones(SIZE)):
        untouched = masked(info, weights)
        assert renderer.render(untouched, TRANSFORMS["lut"]) is untouched.frame
    if info.pixel_format.model == "yuv" or info.pixel_format.is_float:
        return  # random codes lie outside of RGB, or of its lattice, and are clipped to it
    for transform in (Lut3d(lattice(9)[None]), AffineField(np.eye(3, 4, dtype=np.float32)[None, :, :, None, None])):
        for before, after in zip(shown.frame.planes, renderer.render(shown, transform).planes, strict=True):
            np.testing.assert_array_equal(before, after)


def test_colours_that_rgb_holds_keep_every_bit_under_an_identity_lut() -> None:
    info = describe(FORMATS["420 8 bit"])
    frame = noise_frame(info)
    for plane in frame.planes[1:]:
        plane[...] = 118 + plane % 21
    frame.planes[0][...] = 60 + frame.planes[0] % 120
    rendered = DeviceRenderer(info, device=CPU).render(
        MaskedFrame(frame, as_mask(soft_disc())), Lut3d(lattice(17)[None])
    )
    for before, after in zip(frame.planes, rendered.planes, strict=True):
        np.testing.assert_array_equal(before, after)


def test_one_renderer_follows_boxes_and_grades_and_leaves_its_sources_alone() -> None:
    info = describe(FORMATS["420 8 bit"])
    renderer = DeviceRenderer(info, device=CPU)
    results = []
    for seed, weights in enumerate((soft_disc(), in_corner(SIZE), soft_disc(soft=9))):
        for kind in ("lut", "affine"):
            shown = masked(info, weights, seed=seed)
            for plane in shown.frame.planes:
                plane.setflags(write=False)
            alone = DeviceRenderer(info, device=CPU).render(shown, TRANSFORMS[kind])
            results.append((renderer.render(shown, TRANSFORMS[kind]), alone))
    for shared, alone in results:  # buffers that are used again must not lie in frames that were given out
        for one, other in zip(shared.planes, alone.planes, strict=True):
            np.testing.assert_array_equal(one, other)


def test_only_the_box_travels_and_as_it_is_stored() -> None:
    info = describe(replace(FORMATS["420 10 bit"]), Size(96, 128))
    weights = np.zeros(info.size, np.float32)
    weights[21:30, 41:52] = 1
    plane = (weights * 255).astype(np.uint8)
    renderer = DeviceRenderer(info, device=CPU)
    sent = renderer.send(MaskedFrame(noise_frame(info), Mask.from_plane(plane, black=0, white=255)))
    assert (sent.box, sent.padded) == ((20, 40, 30, 52), (10, 12))
    assert [tensor.dtype for tensor in sent.composite.colors] == [torch.uint16] * 3
    assert [tensor.numel() for tensor in sent.composite.colors] == [120, 30, 30]
    assert (sent.weights.codes.dtype, sent.weights.codes.numel()) == (torch.uint8, 120)


@pytest.mark.parametrize("kind", TRANSFORMS)
def test_nothing_is_calculated_on_two_devices_at_once(kind: str) -> None:
    """torch refuses to join tensors of the device "meta", which holds no values, with those of the CPU."""
    meta = torch.device("meta")
    foreground = describe(ALL_FORMATS["premultiplied 16 bit"])
    for layer in (None, foreground):
        info = describe(FORMATS["rgb 16 bit"])
        renderer = DeviceRenderer(info, layer, device=meta)
        shown = masked(info)._replace(foreground=None if layer is None else noise_frame(layer))
        sent = renderer.send(shown)
        renderer.grade(sent, TRANSFORMS[kind])
        assert {plane.device for plane in (*sent.composite.colors, *sent.results)} == {meta}


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch compiles with g++ on a CPU")
def test_compiled_it_makes_the_same_also_of_boxes_that_move() -> None:
    info = describe(FORMATS["420 8 bit"])
    renderer = DeviceRenderer(info, device=CPU, fuse_after=1)
    for seed, weights in enumerate((soft_disc(), soft_disc(soft=9), in_corner(SIZE))):
        shown = masked(info, weights, seed=seed)
        expected = DeviceRenderer(info, device=CPU).render(shown, TRANSFORMS["lut"])
        for one, other in zip(expected.planes, renderer.render(shown, TRANSFORMS["lut"]).planes, strict=True):
            assert np.abs(one.astype(int) - other.astype(int)).max() <= 1
    assert isinstance(renderer._blend, Fused)
    assert renderer._blend._blend is not blend


def test_where_torch_cannot_compile_the_render_goes_on_with_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise RuntimeError("no compiler\nwas found")

    monkeypatch.setattr(torch, "compile", lambda function, options: refuse)
    info = describe(FORMATS["420 8 bit"])
    shown = masked(info)
    renderer = DeviceRenderer(info, device=CPU, fuse_after=0)
    with pytest.warns(ChromacordWarning, match=r"cannot compile the render \(no compiler\)"):
        made = renderer.render(shown, TRANSFORMS["lut"])
    expected = DeviceRenderer(info, device=CPU).render(shown, TRANSFORMS["lut"])
    for one, other in zip(expected.planes, made.planes, strict=True):
        np.testing.assert_array_equal(one, other)
    renderer.render(shown, TRANSFORMS["affine"])  # and does not warn again
