"""Pictures that libav reads instead of OpenImageIO are stills too."""

import struct
from pathlib import Path

import av
import cv2
import numpy as np
import OpenImageIO as oiio
import pytest

from chromacord.errors import ChromacordWarning, UnreadableFileError
from chromacord.io import open_sink, open_source
from chromacord.io.compositing.mattes import MatteReader
from chromacord.io.orientation import Orientation
from tests.clips import make_clip
from tests.images import noise, write_parts

FORMATS = ["bmp", "tga", "pgm", "qoi", "sgi", "gif", "webp"]
CODECS = {"tga": "targa", "pgm": "pgm", "qoi": "qoi", "sgi": "sgi"}

MATTE = np.tile(np.linspace(0, 255, 24).round().astype(np.uint8), (12, 1))


def write_still(path: Path, *, num_frames: int = 1) -> Path:
    """Write a grey picture."""
    codec = CODECS.get(path.suffix[1:])
    if path.suffix == ".gif":
        with av.open(str(path), "w") as container:
            stream = container.add_stream("gif", rate=25)
            stream.width, stream.height, stream.pix_fmt = 24, 12, "gray"
            for _ in range(num_frames):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(MATTE, format="gray")))
            container.mux(stream.encode(None))
    elif codec is None:
        cv2.imwrite(str(path), MATTE, [cv2.IMWRITE_WEBP_QUALITY, 101])
    else:
        encoder = av.CodecContext.create(codec, "w")
        encoder.width, encoder.height, encoder.pix_fmt = 24, 12, "rgb24" if codec == "qoi" else "gray"
        encoder.time_base = 1
        frame = av.VideoFrame.from_ndarray(MATTE, format="gray").reformat(format=encoder.pix_fmt)
        path.write_bytes(b"".join(bytes(packet) for packet in [*encoder.encode(frame), *encoder.encode(None)]))
    return path


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_picture_of_any_format_is_a_still_of_one_frame(tmp_path: Path, suffix: str) -> None:
    source = open_source(write_still(tmp_path / f"m.{suffix}"), keep=True)
    assert (source.info.container, source.info.num_frames) == ("still", 1)
    (frame,) = source.frames()
    if suffix != "webp":  # which libav cannot distinguish from a lossy one
        np.testing.assert_allclose(MatteReader(source.info, from_alpha=False).read(frame.planes), MATTE, atol=1)


def test_a_gif_of_several_frames_is_a_clip(tmp_path: Path) -> None:
    assert open_source(write_still(tmp_path / "m.gif", num_frames=3)).info.container == "gif"


def test_a_video_of_one_frame_is_no_still(tmp_path: Path) -> None:
    assert open_source(make_clip(tmp_path / "a.mp4", num_frames=1)).info.container != "still"


def test_such_a_still_is_written_to_folders_and_videos(tmp_path: Path) -> None:
    source = open_source(write_still(tmp_path / "m.bmp"))
    for out in (f"{tmp_path}/out/", f"{tmp_path}/out.mkv", f"{tmp_path}/out.png"):
        with open_sink(out, source.info) as sink:
            for frame in source.frames():
                sink.write(frame)
            sink.finish()
            sink.commit()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["frame.000000.png"]
    assert cv2.imread(str(tmp_path / "out.png")).shape == (12, 24, 3)


def box(kind: bytes, *parts: bytes) -> bytes:
    content = b"".join(parts)
    return struct.pack(">I4s", 8 + len(content), kind) + content


def inside(kind: bytes, content: bytes) -> bytes:
    """Return the first box of a kind with its header, at any depth."""
    start = content.index(kind) - 4
    return content[start : start + int.from_bytes(content[start : start + 4], "big")]


def write_tiles(path: Path, num_tiles: int = 4) -> Path:
    """Write an AVIF whose picture is a grid of two by two tiles (HEIF, ISO/IEC 23008-12, 6.6.2.3)."""
    with av.open(str(path), "w", format="avif") as container:
        stream = container.add_stream("libsvtav1", rate=1)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for packet in (*stream.encode(av.VideoFrame(64, 64, "yuv420p")), *stream.encode(None)):
            container.mux(packet)
    single = path.read_bytes()
    tile, configuration = inside(b"mdat", single)[8:], inside(b"av1C", single)
    ids = range(1, num_tiles + 2)
    full = struct.Struct(">I").pack
    grid = struct.pack(">4B2H", 0, 0, 1, 1, 128, 128)
    items = [
        box(b"infe", full(2 << 24 | (k > 1)), struct.pack(">2H", k, 0), b"av01\0" if k > 1 else b"grid\0") for k in ids
    ]
    sizes = [box(b"ispe", full(0), struct.pack(">2I", size, size)) for size in (128, 64)]
    owned = [struct.pack(">HB", 1, 1) + b"\x01", *(struct.pack(">HB", k, 2) + b"\x02\x83" for k in ids[1:])]

    def meta(offset: int) -> bytes:
        places = [(offset, len(grid)), *[(offset + len(grid), len(tile))] * num_tiles]
        return box(
            b"meta",
            full(0),
            box(b"hdlr", full(0), bytes(4), b"pict", bytes(13)),
            box(b"pitm", full(0), struct.pack(">H", 1)),
            box(
                b"iloc",
                struct.pack(">I2BH", 0, 0x44, 0, len(places)),
                *(struct.pack(">3H2I", k, 0, 1, *place) for k, place in zip(ids, places, strict=True)),
            ),
            box(b"iinf", full(0), struct.pack(">H", len(items)), *items),
            box(b"iref", full(0), box(b"dimg", struct.pack(f">2H{num_tiles}H", 1, num_tiles, *ids[1:]))),
            box(b"iprp", box(b"ipco", *sizes, configuration), box(b"ipma", full(0), full(len(owned)), *owned)),
        )

    head = box(b"ftyp", b"avif", bytes(4), b"avifmif1")
    path.write_bytes(head + meta(len(head + meta(0)) + 8) + box(b"mdat", grid, tile))
    return path


def test_a_picture_in_tiles_is_refused_and_one_without_is_a_still(tmp_path: Path) -> None:
    path = write_tiles(tmp_path / "grid.avif")
    assert cv2.imread(str(path)).shape == (128, 128, 3)  # a second reader takes the file for one picture
    with pytest.raises(
        UnreadableFileError, match=r"grid\.avif: is one picture in 4 tiles, .*; convert it to PNG or TIFF$"
    ):
        open_source(path)
    cv2.imwrite(str(tmp_path / "one.avif"), np.zeros((64, 64, 3), np.uint8))
    assert open_source(tmp_path / "one.avif").info.container == "still"


def test_further_pictures_of_a_still_are_said_to_be_left_out(tmp_path: Path) -> None:
    rgba = np.full((64, 64, 4), 90, np.uint8)
    rgba[8:20, 8:20, 3] = 255
    cv2.imwrite(str(tmp_path / "alpha.avif"), rgba)
    with pytest.warns(ChromacordWarning, match=r"alpha\.avif: holds more pictures, such as its alpha, which are"):
        open_source(tmp_path / "alpha.avif")
    spec = oiio.ImageSpec(18, 12, 3, "uint8")
    write_parts(tmp_path / "pages.tif", [(spec, noise(3)), (spec, noise(3, seed=1))])
    animation = cv2.Animation()
    animation.frames, animation.durations = [rgba[..., :3], 2 * rgba[..., :3]], [40, 40]
    cv2.imwriteanimation(str(tmp_path / "frames.png"), animation)
    for name in ("pages.tif", "frames.png"):
        with pytest.warns(ChromacordWarning, match=rf"{name}: holds more pages or frames, which are ignored"):
            assert len(list(open_source(tmp_path / name).frames())) == 1


@pytest.mark.parametrize("code", [1, 2, 6])
def test_a_webp_with_exif_is_read_and_lies_as_that_says(tmp_path: Path, code: int) -> None:
    """PyAV has no name for EXIF among side data. Chunks as in Google's "WebP Container Specification"."""
    path = tmp_path / "a.webp"
    cv2.imwrite(str(path), noise(3), [cv2.IMWRITE_WEBP_QUALITY, 101])
    height, width = noise(3).shape[:2]
    tag = struct.pack("<HHIHH", 0x112, 3, 1, code, 0)
    exif = b"II*\0" + struct.pack("<IH", 8, 1) + tag + bytes(4)
    header = struct.pack("<II", 0x08, width - 1)[:7] + struct.pack("<I", height - 1)[:3]
    chunks = b"VP8X" + struct.pack("<I", len(header)) + header + path.read_bytes()[12:]
    chunks += b"EXIF" + struct.pack("<I", len(exif)) + exif
    path.write_bytes(b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WEBP" + chunks)
    assert Orientation.of(open_source(path).info) == Orientation.from_exif(code)


def test_an_animated_webp_is_called_so(tmp_path: Path) -> None:
    animation = cv2.Animation()
    animation.frames = [np.full((8, 8, 4), value, np.uint8) for value in (50, 200)]
    animation.durations = np.array([100, 100])
    assert cv2.imwriteanimation(str(tmp_path / "a.webp"), animation)
    with pytest.raises(UnreadableFileError, match=r"a\.webp: is an animated WebP, which is not supported; convert it"):
        open_source(tmp_path / "a.webp")
