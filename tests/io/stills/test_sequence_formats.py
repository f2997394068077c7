"""Every image format is read exactly, and written back bit for bit."""

from collections.abc import Callable
from contextlib import nullcontext
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import OpenImageIO as oiio
import pytest

from chromacord.errors import ChromacordWarning, CodecError, NonFiniteError, TruncatedFileError, UnreadableFileError
from chromacord.io import open_sink, open_source
from chromacord.io.stills.image_formats import checked_compression
from chromacord.types import Alpha, Box, Encoding, Frame, Size
from tests.images import (
    HEIGHT,
    WIDTH,
    Pixels,
    attributes,
    copy,
    noise,
    parts,
    plain_png,
    write,
    write_parts,
)


def _dpx(bits: int, channels: int) -> Callable[[Path], Path]:
    codes = noise(channels, "uint16", top=(1 << bits) - 1)
    pixels = codes.astype(np.uint8) if bits == 8 else codes << (16 - bits)
    return lambda path: write(path, pixels, oiio__BitsPerSample=bits, dpx__FrameRate=25.0, dpx__Transfer="ITU-R 709-4")


FORMATS: dict[str, tuple[str, Callable[[Path], Path], str, int, Alpha]] = {
    # what, ending, how it is made, model, depth, alpha
    "8-bit PNG": (".png", lambda path: write(path, noise(3)), "rgb", 8, Alpha.NONE),
    "8-bit PNG with alpha": (".png", lambda path: write(path, noise(4)), "rgb", 8, Alpha.STRAIGHT),
    "16-bit PNG with alpha": (".png", lambda path: write(path, noise(4, "uint16")), "rgb", 16, Alpha.STRAIGHT),
    "grey PNG": (".png", lambda path: write(path, noise(1)), "gray", 8, Alpha.NONE),
    "grey PNG with alpha": (".png", lambda path: write(path, noise(2, "uint16")), "gray", 16, Alpha.STRAIGHT),
    "PNG without tags": (".png", lambda path: plain_png(path, noise(3)), "rgb", 8, Alpha.NONE),
    "8-bit TIFF": (".tif", lambda path: write(path, noise(3)), "rgb", 8, Alpha.NONE),
    "16-bit TIFF, straight": (".tif", lambda path: write(path, noise(4, "uint16")), "rgb", 16, Alpha.STRAIGHT),
    "8-bit TIFF, premultiplied": (
        ".tiff",
        lambda path: write(path, noise(4), oiio__UnassociatedAlpha=0),
        "rgb",
        8,
        Alpha.PREMULTIPLIED,
    ),
    "12-bit TIFF": (
        ".tif",
        lambda path: write(path, noise(3, "uint16", top=4095) << 4, oiio__BitsPerSample=12),
        "rgb",
        12,
        Alpha.NONE,
    ),
    "float TIFF": (".tif", lambda path: write(path, noise(3, "float")), "rgb", 32, Alpha.NONE),
    "half EXR": (".exr", lambda path: write(path, noise(4, "half"), "half"), "rgb", 16, Alpha.PREMULTIPLIED),
    "float EXR": (".exr", lambda path: write(path, noise(3, "float")), "rgb", 32, Alpha.NONE),
    "8-bit DPX": (".dpx", _dpx(8, 3), "rgb", 8, Alpha.NONE),
    "10-bit DPX": (".dpx", _dpx(10, 3), "rgb", 10, Alpha.NONE),
    "12-bit DPX with alpha": (".dpx", _dpx(12, 4), "rgb", 12, Alpha.STRAIGHT),
    "16-bit DPX": (".dpx", _dpx(16, 3), "rgb", 16, Alpha.NONE),
}


@pytest.mark.parametrize("what", FORMATS)
def test_a_file_is_read_as_it_is_and_written_back_to_the_bit(tmp_path: Path, what: str) -> None:
    ending, make, model, depth, alpha = FORMATS[what]
    source = open_source(make(tmp_path / f"in{ending}"))
    pixel_format = source.info.pixel_format
    assert (pixel_format.model, pixel_format.depth, pixel_format.alpha) == (model, depth, alpha)
    _assert_planes_are_stored_samples(source.info.path, next(source.frames()))

    written = copy(source, tmp_path / f"out{ending}")
    assert written.info.pixel_format == pixel_format
    assert written.info.colorimetry == source.info.colorimetry
    assert written.info.rate == source.info.rate
    before, after = parts(source.info.path)[0], parts(written.info.path)[0]
    np.testing.assert_array_equal(before[1], after[1])
    assert before[0].format == after[0].format
    changing = {"DateTime", "tiff:RowsPerStrip", "oiio:RowsPerChunk"}
    assert {k: v for k, v in attributes(source.info.path).items() if k not in changing} == {
        k: v for k, v in attributes(written.info.path).items() if k not in changing
    }


def _assert_planes_are_stored_samples(path: Path, frame: Frame) -> None:
    """Compare with OpenImageIO's numbers in [0, 1]; widening 10 and 12 bits, it is up to one 16-bit code off."""
    stored = parts(path)[0][1]
    for k, plane in enumerate(frame.planes):
        top = 1.0
        if plane.dtype == np.uint8:
            top = 255.0
        elif plane.dtype == np.uint16:
            top = float((1 << open_source(path).info.pixel_format.depth) - 1)
        np.testing.assert_allclose(plane / top, stored[..., k], atol=1.01 / 65535)


def test_ten_bit_codes_of_dpx_are_the_files_own(tmp_path: Path) -> None:
    """The 32-bit words of a 10-bit DPX hold R, G and B from the top, "filled, method A" (SMPTE 268M, 5.3)."""
    codes = noise(3, "uint16", top=1023)
    path = write(tmp_path / "a.dpx", (codes << 6) | (codes >> 4), oiio__BitsPerSample=10)
    copy(open_source(path), tmp_path / "b.dpx")
    for file in (path, tmp_path / "b.dpx"):
        data = file.read_bytes()
        order = {b"SDPX": ">u4", b"XPDS": "<u4"}[data[:4]]
        start = int(np.frombuffer(data[4:8], order)[0])
        words = np.frombuffer(data[start : start + 4 * HEIGHT * WIDTH], order).reshape(HEIGHT, WIDTH)
        stored = np.stack([words >> 22, words >> 12 & 1023, words >> 2 & 1023], axis=-1)
        np.testing.assert_array_equal(stored, codes)
    frame = next(open_source(path).frames())
    np.testing.assert_array_equal(np.stack(frame.planes, axis=-1), codes)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_straight_png_colours_are_never_multiplied_by_alpha(tmp_path: Path, dtype: str) -> None:
    """OpenCV reads and writes PNG with libpng directly: a second implementation."""
    pixels = noise(4, dtype)
    cv2.imwrite(str(tmp_path / "in.png"), pixels[..., [2, 1, 0, 3]])
    frame = next(open_source(tmp_path / "in.png").frames())
    np.testing.assert_array_equal(np.stack(frame.planes, axis=-1), pixels)
    copy(open_source(tmp_path / "in.png"), tmp_path / "out.png")
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "out.png"), -1)[..., [2, 1, 0, 3]], pixels)


def test_jpeg_keeps_colours_to_a_few_codes(tmp_path: Path) -> None:
    ramp = np.linspace(0, 255, WIDTH)[None, :, None] * np.ones((HEIGHT, 1, 1))
    pixels = np.concatenate([ramp, ramp[:, ::-1], 255 - ramp / 2], axis=-1).astype(np.uint8)
    # Colour that changes from pixel to pixel: only full-resolution chroma holds it.
    pixels[::2, :, 0] = 200
    path = write(tmp_path / "in.png", pixels)
    written = next(copy(open_source(path), tmp_path / "out.jpg").frames())
    assert np.abs(np.stack(written.planes, axis=-1).astype(int) - pixels).max() <= 6


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda path: plain_png(path, noise(3)), (2, 2)),
        (lambda path: write(path, noise(3), oiio__ColorSpace="sRGB"), (1, 13)),
    ],
)
def test_png_is_srgb_only_where_it_says_so(
    tmp_path: Path, make: Callable[[Path], Path], expected: tuple[int, int]
) -> None:
    colors = open_source(make(tmp_path / "a.png")).info.colorimetry
    assert (colors.primaries, colors.transfer, colors.matrix, colors.full_range) == (*expected, 0, True)


class TestExr:
    def test_further_channels_and_windows_come_back_to_the_bit(self, tmp_path: Path) -> None:
        kinds = ["half"] * 4 + ["float", "half"]
        pixels = noise(6, "float")
        pixels[..., 4] *= np.float32(1 / 3)
        names = ["R", "G", "B", "A", "depth.Z", "mist.Y"]
        path = write(tmp_path / "a.exr", pixels, names=names, kinds=kinds, window=(-3, -2, 40, 30))
        source = open_source(path)
        assert source.info.size == Size(30, 40)
        frame = next(source.frames())
        assert frame.attributes.data_window == Box(2, 3, 2 + HEIGHT, 3 + WIDTH)
        np.testing.assert_array_equal(frame.planes[0][2 : 2 + HEIGHT, 3 : 3 + WIDTH], pixels[..., 0])
        assert np.count_nonzero(frame.planes[0]) == HEIGHT * WIDTH

        copy(source, tmp_path / "b.exr")
        (before, stored), (after, written) = parts(path)[0], parts(tmp_path / "b.exr")[0]
        np.testing.assert_array_equal(stored, written)
        assert before.channelnames == after.channelnames
        assert before.channelformats == after.channelformats
        assert (before.x, before.y, before.full_x, before.full_width) == (
            after.x,
            after.y,
            after.full_x,
            after.full_width,
        )

    def test_integer_channels_beside_float_ones_are_warned_of(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.exr", noise(4, "float"), names=["R", "G", "B", "id"], kinds=["half"] * 3 + ["uint"])
        with pytest.warns(ChromacordWarning, match="upper 24 bits: id"):
            copy(open_source(path), tmp_path / "b.exr")

    def test_overscan_beyond_the_picture_is_kept(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.exr", noise(3, "half"), "half", window=(4, 2, 6, 5))
        source = open_source(path)
        assert source.info.size == Size(5, 6)
        np.testing.assert_array_equal(next(source.frames()).planes[1], noise(3, "half")[2:7, 4:10, 1])
        copy(source, tmp_path / "b.exr")
        np.testing.assert_array_equal(parts(path)[0][1], parts(tmp_path / "b.exr")[0][1])

    def test_light_outside_the_data_window_widens_it(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.exr", noise(3, "half"), "half", window=(-3, -2, 40, 30))
        source = open_source(path)
        frame = next(source.frames())
        planes = tuple(plane.copy() for plane in frame.planes)
        planes[2][29, 39] = 0.5
        with open_sink(tmp_path / "b.exr", source.info) as sink:
            sink.write(Frame(planes, 0, attributes=frame.attributes))
            sink.commit()
        np.testing.assert_array_equal(next(open_source(tmp_path / "b.exr").frames()).planes[2], planes[2])

    def test_a_named_layer_is_the_picture_where_there_is_no_plain_one(self, tmp_path: Path) -> None:
        names = ["Z", "beauty.R", "beauty.G", "beauty.B", "beauty.A"]
        path = write(tmp_path / "a.exr", noise(5, "half"), "half", names=names)
        source = open_source(path)
        np.testing.assert_array_equal(np.stack(next(source.frames()).planes, -1), noise(5, "half")[..., 1:])
        copy(source, tmp_path / "b.exr")
        assert parts(tmp_path / "b.exr")[0][0].channelnames == parts(path)[0][0].channelnames
        np.testing.assert_array_equal(parts(path)[0][1], parts(tmp_path / "b.exr")[0][1])

    def test_further_parts_come_back(self, tmp_path: Path) -> None:
        specs = []
        for name, channels in (("depth", ("Z.z", "Z.w")), ("rgba", ("R", "G", "B", "A"))):
            spec = oiio.ImageSpec(WIDTH, HEIGHT, len(channels), "half")
            spec.channelnames = channels
            spec.attribute("oiio:subimagename", name)
            specs.append((spec, noise(len(channels), "half")))
        write_parts(tmp_path / "a.exr", specs)
        source = open_source(tmp_path / "a.exr")
        assert source.has_alpha
        copy(source, tmp_path / "b.exr")
        for (before, stored), (after, written) in zip(
            parts(tmp_path / "a.exr"), parts(tmp_path / "b.exr"), strict=True
        ):
            np.testing.assert_array_equal(stored, written)
            assert before.channelnames == after.channelnames

    @pytest.mark.parametrize("compression", ["dwaa:45", "dwab", "b44", "b44a", "pxr24", "zips", "rle", "none"])
    def test_the_background_is_never_compressed_with_loss_once_more(self, tmp_path: Path, compression: str) -> None:
        source = open_source(write(tmp_path / "a.exr", noise(3, "float"), "float", compression=compression))
        is_lossless = compression in ("zips", "rle", "none")
        said = f"written with zip, not with the source's {compression[:4]}"
        with nullcontext() if is_lossless else pytest.warns(ChromacordWarning, match=said):
            written = copy(source, tmp_path / "b.exr")
        np.testing.assert_array_equal(next(written.frames()).planes, next(source.frames()).planes)
        assert attributes(tmp_path / "b.exr")["compression"] == (compression if is_lossless else "zip")

    @pytest.mark.parametrize("compression", ["piz", "ZIP:2", "none", "dwaa:45", "b44a"])
    @pytest.mark.parametrize("own", ["dwab", "rle"])
    def test_a_compression_that_is_asked_for_is_used(self, tmp_path: Path, compression: str, own: str) -> None:
        source = open_source(write(tmp_path / "a.exr", noise(3, "float"), "float", compression=own))
        is_lossy = compression in ("dwaa:45", "b44a")
        with (
            pytest.warns(ChromacordWarning, match="is lossy, so the background changes too")
            if is_lossy
            else nullcontext()
        ):
            written = copy(source, tmp_path / "b.exr", encoding=Encoding(exr_compression=compression))
        assert attributes(tmp_path / "b.exr")["compression"] == compression.lower().partition(":")[0]
        if not is_lossy:
            np.testing.assert_array_equal(next(written.frames()).planes, next(source.frames()).planes)
        copy(
            open_source(write(tmp_path / "c.png", noise(3))),
            tmp_path / "c.exr",
            encoding=Encoding(exr_compression="piz"),
        )
        assert attributes(tmp_path / "c.exr")["compression"] == "piz"

    @pytest.mark.parametrize("compression", ["zap", "piz:3", "", "zip:", "dwaa:x"])
    def test_a_compression_that_exr_lacks_is_refused(self, compression: str) -> None:
        with pytest.raises(CodecError, match=r"^exr compression .*: is not known; choose one of none, rle, zip"):
            checked_compression(compression)

    def test_rate_timecode_and_compression_are_read_and_kept(self, tmp_path: Path) -> None:
        spec = oiio.ImageSpec(WIDTH, HEIGHT, 3, "half")
        spec.attribute("framesPerSecond", oiio.TypeDesc("rational"), (24000, 1001))
        spec.attribute("smpte:TimeCode", oiio.TypeDesc("timecode"), (0x01592307, 0))
        spec.attribute("compression", "piz")
        spec.attribute("note", "kept")
        write_parts(tmp_path / "a.exr", [(spec, noise(3, "half"))])
        for source in (open_source(tmp_path / "a.exr"), copy(open_source(tmp_path / "a.exr"), tmp_path / "b.exr")):
            assert source.info.rate == Fraction(24000, 1001)
            assert source.info.timecode == "01:59:23:07"
            stated = attributes(source.info.path)
            assert (stated["compression"], stated["note"]) == ("piz", "kept")

    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
    def test_a_sample_that_is_no_number_is_refused_by_name_and_place(self, tmp_path: Path, value: float) -> None:
        pixels = noise(4, "float")
        pixels[5, 7, 1] = pixels[9, 2, 1] = value
        path = write(tmp_path / "a.exr", pixels)
        with pytest.raises(NonFiniteError, match=r"a\.exr: 2 samples .* first at x=7, y=5 in channel G"):
            next(open_source(path).frames())

    def test_numbers_that_are_none_do_no_harm_in_further_channels(self, tmp_path: Path) -> None:
        pixels = noise(4, "float")
        pixels[5, 7, 3] = np.inf
        path = write(tmp_path / "a.exr", pixels, names=["R", "G", "B", "Z"])
        assert len(list(open_source(path).frames())) == 1


@pytest.mark.parametrize("rate", [25.0, 23.976, 29.97])
def test_dpx_states_the_rate(tmp_path: Path, rate: float) -> None:
    path = write(tmp_path / "a.dpx", noise(3), dpx__FrameRate=rate)
    assert float(open_source(path).info.rate) == pytest.approx(rate, abs=1e-3)
    assert open_source(path).info.rate.denominator in (1, 1001)


@pytest.mark.parametrize(
    ("ending", "kind"), [(".png", "uint8"), (".tif", "uint8"), (".exr", "half"), (".dpx", "uint8"), (".jpg", "uint8")]
)
@pytest.mark.parametrize("part", [0.5, 0.99])
def test_a_file_cut_off_is_named_with_its_frame(
    tmp_path: Path, ending: str, kind: str, part: float, capfd: pytest.CaptureFixture[str]
) -> None:
    for number in range(3):
        write(tmp_path / f"f.{number}{ending}", noise(3, "half" if kind == "half" else kind), kind)
    broken = tmp_path / f"f.1{ending}"
    data = broken.read_bytes()
    broken.write_bytes(data[: int(len(data) * part)])
    frames = open_source(tmp_path / f"f.%d{ending}").frames()
    next(frames)
    with pytest.raises(TruncatedFileError, match=rf"f\.1\{ending}: is .*(truncated|damaged).*frame 1"):
        next(frames)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("content", [b"", b"this is no picture at all" * 9])
def test_a_file_that_is_no_image_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(UnreadableFileError, match=r"a\.png"):
        open_source(tmp_path / "a.png")


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_a_turned_picture_is_stored_upright_where_the_format_cannot_say_so(tmp_path: Path, orientation: int) -> None:
    """EXIF 2.3, table 6: the first stored row and column lie at bottom/right, right/top and left/bottom."""
    pixels: Pixels = noise(3)
    source = open_source(write(tmp_path / "a.tif", pixels, Orientation=orientation))
    upright = {3: pixels[::-1, ::-1], 6: pixels[::-1].swapaxes(0, 1), 8: pixels.swapaxes(0, 1)[::-1]}[orientation]
    written = copy(source, tmp_path / "b.png")
    np.testing.assert_array_equal(np.stack(next(written.frames()).planes, -1), upright)
    kept = copy(source, tmp_path / "c.tif")
    assert kept.info.rotation == source.info.rotation != 0
    np.testing.assert_array_equal(np.stack(next(kept.frames()).planes, -1), pixels)
