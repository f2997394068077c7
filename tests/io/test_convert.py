"""Conversions between layouts, against formulae of the standards and against ffmpeg's own."""

import warnings
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import av.filter
import numpy as np
import pytest

from chromacord.errors import ChromacordWarning, CodecError
from chromacord.io import open_sink, open_source
from chromacord.io.convert import PlaneConverter, upsample
from chromacord.types import Alpha, Colorimetry, Encoding, PixelFormat
from tests.clips import BT601, BT709, picture, to_frame
from tests.images import DISPLAY, SCENE_LINEAR, noise, video_info, write

FLOAT_RGB = PixelFormat("rgb", 32, is_float=True)


def codes(*values: float, dtype: type = np.uint8) -> tuple[np.ndarray, ...]:
    return tuple(np.full((1, 1), value, dtype) for value in values)


@pytest.mark.parametrize(("depth", "target"), [(8, 16), (10, 16), (12, 16), (10, 12), (16, 8)])
def test_integer_depths_scale_exactly(depth: int, target: int) -> None:
    """round(code * top / old top), computed in Python's integers."""
    top, new_top = (1 << depth) - 1, (1 << target) - 1
    every = np.arange(top + 1).astype(PixelFormat("rgb", depth).dtype)[None]
    convert = PlaneConverter(
        video_info(PixelFormat("rgb", depth), DISPLAY), PixelFormat("rgb", target), scene_linear=False
    )
    expected = [(2 * code * new_top + top) // (2 * top) for code in range(top + 1)]
    for plane in convert((every, every, every)):
        assert plane[0].tolist() == expected
    assert expected[-1] == new_top


@pytest.mark.parametrize(
    ("colors", "full_range", "planes", "expected"),
    [
        # BT.709 and BT.601 primaries in 8-bit codes, from the standards' equations.
        (BT709, False, (235, 128, 128), (255, 255, 255)),
        (BT709, False, (16, 128, 128), (0, 0, 0)),
        (BT709, False, (63, 102, 240), (255, 0, 0)),
        (BT601, False, (81, 90, 240), (255, 0, 0)),
        (BT709, True, (54, 99, 255), (254, 0, 0)),
        (BT601, True, (150, 44, 21), (0, 255, 1)),
    ],
)
def test_luma_and_chroma_become_rgb_by_tag(
    colors: Colorimetry, full_range: bool, planes: tuple[int, int, int], expected: tuple[int, int, int]
) -> None:
    source = video_info(PixelFormat("yuv"), replace(colors, full_range=full_range))
    rgb = PlaneConverter(source, PixelFormat("rgb"), scene_linear=False)(codes(*planes))
    assert np.abs(np.concatenate(rgb, axis=None).astype(int) - expected).max() <= 1


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv422p10le", "yuv444p"])
def test_rgb_agrees_with_ffmpegs(pix_fmt: str) -> None:
    planes = picture(pix_fmt)
    frame = to_frame(pix_fmt, planes)
    frame.colorspace, frame.color_range = 1, 1
    theirs = _with_swscale(frame)
    layout = av.VideoFormat(pix_fmt, 64, 64)
    shift = {"yuv420p": (1, 1), "yuv422p10le": (0, 1), "yuv444p": (0, 0)}[pix_fmt]
    source = video_info(PixelFormat("yuv", layout.components[0].bits, subsampling=shift), BT709)
    ours = np.stack(PlaneConverter(source, PixelFormat("rgb"), scene_linear=False)(planes), axis=-1)
    difference = np.abs(ours.astype(int) - theirs)
    # The filters differ where chroma bends, at the disc's edge; elsewhere only rounding does.
    assert np.percentile(difference, 95) <= 2


def _with_swscale(frame: av.VideoFrame) -> np.ndarray:
    graph = av.filter.Graph()
    given = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 25))
    flags = "bilinear+accurate_rnd+full_chroma_int+full_chroma_inp"
    scale = graph.add("scale", f"in_color_matrix=bt709:in_range=tv:out_range=pc:in_chroma_loc=left:flags={flags}")
    shaped = graph.add("format", "rgb24")
    sink = graph.add("buffersink")
    graph.link_nodes(given, scale, shaped, sink).configure()
    graph.push(frame)
    return graph.pull().to_ndarray()


def test_chroma_is_sited_on_the_left_and_between_rows() -> None:
    """A linear ramp in chroma becomes the same ramp at the positions of luma samples, except beyond the border."""
    x, y = np.arange(8.0) * 2, np.arange(4.0) * 2 + 0.5
    plane = (10 * y[:, None] + 3 * x[None, :]).astype(np.float32)
    rows = slice(2, 7)
    expected = 10 * np.arange(2.0, 7)[:, None] + 3 * np.minimum(np.arange(16.0), 14)[None, :]
    np.testing.assert_allclose(upsample(plane, rows, 16, subsampling=(1, 1))[:4], expected[:4], rtol=1e-6)


@pytest.mark.parametrize(
    ("transfer", "model", "expected"),
    [(13, "rgb", 0.21404), (1, "rgb", 0.25972), (2, "rgb", 0.21404), (2, "yuv", 0.25972), (14, "yuv", 0.25972)],
)
def test_display_referred_becomes_light_by_the_tagged_curve(transfer: int, model: str, expected: float) -> None:
    """IEC 61966-2-1: 0.5 is 0.21404; BT.709's inverse OETF: ((0.5 + 0.099) / 1.099) ** (1 / 0.45) = 0.25972."""
    colors = Colorimetry(1, transfer, 1 if model == "yuv" else 0, full_range=True)
    source = video_info(PixelFormat(model, 16), colors)
    middle = codes(32768, 32768, 32768, dtype=np.uint16)
    light = PlaneConverter(source, FLOAT_RGB, scene_linear=True)(middle)
    assert float(light[1][0, 0]) == pytest.approx(expected, abs=1e-4)


def test_a_curve_that_is_not_known_is_refused() -> None:
    with pytest.raises(CodecError, match="transfer code 16"):
        PlaneConverter(video_info(PixelFormat("yuv", 10), Colorimetry(9, 16, 9)), FLOAT_RGB, scene_linear=True)


def test_light_becomes_srgb_and_clips_with_one_warning() -> None:
    convert = PlaneConverter(video_info(FLOAT_RGB, SCENE_LINEAR), PixelFormat("rgb"), scene_linear=False)
    planes = codes(0.21586, 7.5, -1.0, dtype=np.float32)
    with pytest.warns(ChromacordWarning, match="highlights are clipped"):
        assert [int(plane[0, 0]) for plane in convert(planes)] == [128, 255, 0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        convert(planes)


def test_curves_act_on_straight_colours() -> None:
    """Half-covered white, premultiplied in light, is straight white; and back."""
    premultiplied = replace(FLOAT_RGB, alpha=Alpha.PREMULTIPLIED)
    straight = PixelFormat("rgb", 8, alpha=Alpha.STRAIGHT)
    there = PlaneConverter(video_info(premultiplied, SCENE_LINEAR), straight, scene_linear=False)
    assert [int(plane[0, 0]) for plane in there(codes(0.5, 0.5, 0.25, 0.5, dtype=np.float32))] == [255, 255, 188, 128]
    back = PlaneConverter(video_info(straight, DISPLAY), premultiplied, scene_linear=True)
    light = [float(plane[0, 0]) for plane in back(codes(255, 255, 188, 51))]
    # 188 / 255 is 0.50289 in light (IEC 61966-2-1).
    assert light == pytest.approx([0.2, 0.2, 0.2 * 0.50289, 0.2], abs=1e-4)


def test_premultiplied_codes_become_straight_before_the_curve() -> None:
    """The straight value is 64 / 128; the curve is IEC 61966-2-1's; then coverage multiplies light."""
    source = video_info(PixelFormat("rgb", alpha=Alpha.PREMULTIPLIED), DISPLAY)
    convert = PlaneConverter(source, replace(FLOAT_RGB, alpha=Alpha.PREMULTIPLIED), scene_linear=True)
    light = [float(plane[0, 0]) for plane in convert(codes(64, 64, 64, 128))]
    straight = ((64 / 128 + 0.055) / 1.055) ** 2.4
    assert light == pytest.approx([straight * 128 / 255] * 3 + [128 / 255], abs=1e-5)


def test_bands_do_not_show() -> None:
    """A tall picture, converted in several bands, equals one converted row by row."""
    rng = np.random.default_rng(0)
    planes = (
        rng.integers(16, 235, (200, 8)).astype(np.uint8),
        *(rng.integers(16, 240, (100, 4)).astype(np.uint8),) * 2,
    )
    convert = PlaneConverter(
        video_info(PixelFormat("yuv", subsampling=(1, 1)), BT709), PixelFormat("rgb"), scene_linear=False
    )
    rows = [convert.band(planes, slice(row, row + 1)) for row in range(200)]
    for k, plane in enumerate(convert(planes)):
        np.testing.assert_array_equal(plane, np.concatenate([row[k] for row in rows]))


class TestVideoFromImages:
    def test_scene_linear_images_become_srgb_video(self, tmp_path: Path) -> None:
        light = np.full((12, 18, 3), 0.21404, np.float32)
        source = open_source(write(tmp_path / "a.exr", light, "half"))
        with open_sink(tmp_path / "a.mkv", source.info, encoding=Encoding("ffv1")) as sink:
            for frame in source.frames():
                sink.write(frame)
            sink.finish()
            sink.commit()
        written = open_source(tmp_path / "a.mkv")
        assert written.info.colorimetry.transfer == 13
        plane = next(written.frames()).planes[0]
        assert plane[0, 0] / written.info.pixel_format.max_code == pytest.approx(0.5, abs=1e-3)

    def test_premultiplied_images_become_straight_video(self, tmp_path: Path) -> None:
        pixels = noise(4)
        pixels[..., 3] = 128
        pixels[..., :3] = 64
        source = open_source(write(tmp_path / "a.tif", pixels, oiio__UnassociatedAlpha=0))
        with open_sink(tmp_path / "a.mkv", source.info, encoding=Encoding("ffv1")) as sink:
            for frame in source.frames():
                sink.write(frame)
            sink.finish()
            sink.commit()
        planes = next(open_source(tmp_path / "a.mkv").frames()).planes
        assert [int(plane[3, 3]) for plane in planes] == [128, 128, 128, 128]
