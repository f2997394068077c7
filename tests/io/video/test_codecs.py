import warnings
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import pytest

from chromacord.errors import ChromacordWarning, CodecError
from chromacord.io.pixels import describe
from chromacord.io.video.codecs import CODECS, CONTAINERS, choose, family
from chromacord.io.video.settings import encoder_options
from chromacord.types import Alpha, Colorimetry, Encoding, PixelFormat, Size, VideoInfo


@pytest.mark.parametrize(
    ("text", "name"),
    [
        *(("H.264", "h264"), ("HEVC", "hevc"), ("AV1", "av1"), ("VP9", "vp9"), ("ProRes 422", "prores")),
        *(("ProRes 4444", "prores4444"), ("DNxHR", "dnxhr"), ("FFV1", "ffv1"), ("MJPEG", "mjpeg"), ("h.265", "hevc")),
    ],
)
def test_codecs_are_named_as_people_write_them(text: str, name: str) -> None:
    chosen = choose(info("h264", "yuv420p"), Path("out").with_suffix(CODECS[name].containers[0]), text)
    assert chosen.name == name


def info(codec: str, pix_fmt: str, *, container: str = "mov,mp4") -> VideoInfo:
    return VideoInfo(
        path=Path("in.mp4"),
        size=Size(1080, 1920),
        pixel_format=describe(pix_fmt),
        colorimetry=Colorimetry(),
        rate=Fraction(25),
        time_base=Fraction(1, 25),
        num_frames=None,
        codec=codec,
        container=container,
    )


KEPT = [
    ("h264", "yuv420p", ".mp4", "h264", "yuv420p"),
    ("h264", "yuv422p10le", ".mov", "h264", "yuv422p10le"),
    ("hevc", "yuv420p10le", ".mkv", "hevc", "yuv420p10le"),
    ("hevc", "yuv444p12le", ".mp4", "hevc", "yuv444p12le"),
    ("av1", "yuv420p10le", ".webm", "av1", "yuv420p10le"),
    ("vp9", "yuva420p", ".webm", "vp9", "yuva420p"),
    ("prores", "yuv422p10le", ".mov", "prores", "yuv422p10le"),
    ("prores", "yuv444p12le", ".mov", "prores4444", "yuv444p10le"),
    ("prores", "yuva444p12le", ".mov", "prores4444", "yuva444p10le"),
    ("dnxhd", "yuv422p", ".mxf", "dnxhr", "yuv422p"),
    ("dnxhd", "yuv422p10le", ".mov", "dnxhr", "yuv422p10le"),
    ("ffv1", "gbrap16le", ".mkv", "ffv1", "gbrap16le"),
    ("ffv1", "gbrp", ".mkv", "ffv1", "bgr0"),
    ("mjpeg", "yuvj422p", ".avi", "mjpeg", "yuvj422p"),
]

BY_CONTAINER = [
    ("mpeg2video", "yuv420p", ".mp4", "h264", "yuv420p"),
    ("hevc", "yuv420p10le", ".webm", "vp9", None),
    ("prores", "yuv422p10le", ".mp4", "h264", "yuv422p10le"),
    ("hevc", "yuv420p12le", ".mov", "hevc", "yuv420p12le"),
    ("mpeg2video", "yuv420p12le", ".mp4", "hevc", "yuv420p12le"),
    ("png", "gbrap", ".mov", "prores4444", "yuva444p10le"),
    ("png", "gbrap", ".webm", "vp9", "yuva420p"),
    ("png", "gbrp", ".mkv", "ffv1", "bgr0"),
    ("png", "gray16le", ".mkv", "ffv1", "gray16le"),
    ("png", "gray", ".mp4", "h264", "yuv420p"),
    ("hevc", "gray10le", ".mp4", "hevc", "gray10le"),
]


@pytest.mark.parametrize(("codec", "pix_fmt", "suffix", "name", "chosen"), KEPT)
def test_the_source_family_is_kept_with_its_depth_and_subsampling(
    codec: str, pix_fmt: str, suffix: str, name: str, chosen: str
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        choice = choose(info(codec, pix_fmt), Path(f"out{suffix}"))
    assert (choice.name, choice.pix_fmt) == (name, chosen)


@pytest.mark.filterwarnings("ignore:.*chroma resolution:chromacord.errors.ChromacordWarning")
@pytest.mark.parametrize(("codec", "pix_fmt", "suffix", "name", "chosen"), BY_CONTAINER)
def test_where_it_cannot_go_a_usual_codec_of_the_container_that_holds_it_is_taken(
    codec: str, pix_fmt: str, suffix: str, name: str, chosen: str | None
) -> None:
    if chosen is None:
        with pytest.raises(CodecError, match="depth of 10 bits"):
            choose(
                replace(info(codec, pix_fmt), pixel_format=PixelFormat("yuv", 10, alpha=Alpha.STRAIGHT)), Path("o.webm")
            )
        return
    choice = choose(info(codec, pix_fmt), Path(f"out{suffix}"))
    assert (choice.name, choice.pix_fmt) == (name, chosen)


@pytest.mark.parametrize(
    ("codec", "pix_fmt", "out", "message"),
    [
        ("vp9", "yuva420p", "out.mp4", r"vp9 in \.mp4 cannot hold the source's alpha; use --codec vp9 \(\.webm\)"),
        (
            "png",
            "gbrap",
            "out.mp4",
            r"h264 in \.mp4 cannot hold the source's alpha; use .*--codec prores4444 \(\.mov\)",
        ),
        ("png", "gbrp16le", "out.mp4", r"cannot hold the source's depth of 16 bits; use --codec ffv1 \(\.mkv\)"),
        ("png", "gbrap16le", "out.mov", r"cannot hold the source's alpha and depth of 16 bits"),
        ("openexr", "gbrpf32le", "out.mov", "cannot hold the source's float samples; write an EXR or TIFF sequence"),
    ],
)
def test_a_default_that_would_lose_alpha_or_depth_is_refused(codec: str, pix_fmt: str, out: str, message: str) -> None:
    with pytest.raises(CodecError, match=message):
        choose(info(codec, pix_fmt), Path(out))


@pytest.mark.parametrize(
    ("pix_fmt", "codec", "out", "lost"),
    [
        ("yuva444p12le", "h264", "out.mp4", "alpha and depth of 12 bits"),
        ("yuv422p10le", "av1", "out.mp4", "chroma resolution"),
        ("yuva444p16le", "prores", "out.mov", "alpha and depth of 16 bits and chroma resolution"),
        ("yuva420p", "vp9", "out.mp4", "alpha"),
    ],
)
def test_a_codec_that_the_user_names_is_taken_with_a_warning(pix_fmt: str, codec: str, out: str, lost: str) -> None:
    with pytest.warns(ChromacordWarning, match=f"{codec} does not keep the source's {lost}"):
        choice = choose(info("ffv1", pix_fmt), Path(out), codec)
    assert choice.name == codec


@pytest.mark.parametrize(
    ("size", "pix_fmt"),
    [(Size(1080, 1920), "yuv420p"), (Size(1081, 1920), "yuv422p"), (Size(1080, 1921), "yuv444p")],
)
def test_a_size_that_chroma_cannot_halve_gets_more_chroma(size: Size, pix_fmt: str) -> None:
    assert choose(replace(info("png", "gbrp"), size=size), Path("out.mp4")).pix_fmt == pix_fmt


def test_lost_chroma_is_only_a_warning() -> None:
    with pytest.warns(ChromacordWarning, match="av1 does not keep the source's chroma resolution"):
        assert choose(info("av1", "yuv444p"), Path("out.mp4")).pix_fmt == "yuv420p"


@pytest.mark.parametrize(("codec", "depth"), [("h264", 8), ("h264", 10), ("hevc", 12), ("av1", 10), ("ffv1", 16)])
def test_codecs_take_the_depths_that_they_are_known_for(codec: str, depth: int) -> None:
    form = PixelFormat("yuv", depth, subsampling=(1, 1))
    suffix = CODECS[codec].containers[0]
    choice = choose(replace(info("rawvideo", "yuv420p"), pixel_format=form), Path(f"out{suffix}"), codec)
    assert describe(choice.pix_fmt) == form


def test_an_unknown_codec_is_answered_with_the_names() -> None:
    with pytest.raises(CodecError, match=r"unknown codec 'divx'; choose one of h264, hevc, av1, vp9, prores"):
        choose(info("h264", "yuv420p"), Path("out.mp4"), "divx")


def test_a_container_that_cannot_hold_the_codec_is_answered_with_those_that_can() -> None:
    with pytest.raises(
        CodecError, match=r"out\.mp4: \.mp4 cannot hold prores; name the output \.mov or \.mkv or \.mxf"
    ):
        choose(info("h264", "yuv420p"), Path("out.mp4"), "prores")


@pytest.mark.parametrize("out", ["out.wmv", "out", "out.png"])
def test_an_unknown_suffix_is_answered_with_the_known(out: str) -> None:
    with pytest.raises(CodecError, match=r"unknown kind of video file .*; choose one of \.mp4, \.m4v, \.mov"):
        choose(info("h264", "yuv420p"), Path(out))


def test_suffixes_may_be_written_large() -> None:
    assert choose(info("h264", "yuv420p"), Path("OUT.MP4")).muxer == "mp4"


@pytest.mark.parametrize("name", CODECS)
def test_the_table_says_what_libav_says(name: str) -> None:
    codec = CODECS[name]
    known = {form.name for form in av.Codec(codec.encoder, "w").video_formats or ()}
    assert set(codec.pix_fmts) <= known or name == "raw", "rawvideo lists no formats"
    assert set(codec.containers) <= set(CONTAINERS)
    if name not in ("ffv1", "raw"):
        assert all(describe(pix_fmt).depth <= 12 for pix_fmt in codec.pix_fmts)


@pytest.mark.parametrize("suffix", CONTAINERS)
def test_the_usual_codecs_of_a_container_go_into_it(suffix: str) -> None:
    assert all(suffix in CODECS[name].containers for name in CONTAINERS[suffix].usual)


def test_a_codec_that_cannot_be_written_has_no_family() -> None:
    assert family(info("mpeg2video", "yuv420p")) is None
    assert family(info("vp8", "yuv420p")) == "vp9"


def test_quality_and_speed_go_to_the_encoder() -> None:
    source = info("h264", "yuv420p")
    choice = choose(source, Path("out.mp4"))
    options = encoder_options(
        choice, Encoding(crf=20.5, preset="slow"), size=source.size, pixel_format=source.pixel_format
    )
    assert options == {"crf": "20.5", "preset": "slow", "rc-lookahead": "40"}


@pytest.mark.parametrize(
    ("codec", "pix_fmt", "preset", "expected"),
    [
        ("h264", "yuv420p", "medium", {"rc-lookahead": "10"}),
        ("h264", "yuv420p10le", "medium", {"rc-lookahead": "5"}),
        ("h264", "yuv420p", "ultrafast", {}),
        ("hevc", "yuv420p10le", "fast", {"x265-params": "log-level=none:rc-lookahead=2:bframes=1:frame-threads=1"}),
        ("av1", "yuv420p10le", "8", {"svtav1-params": "lookahead=0:hierarchical-levels=2:lp=1"}),
    ],
)
def test_large_pictures_are_looked_at_less_far_ahead(
    codec: str, pix_fmt: str, preset: str, expected: dict[str, str]
) -> None:
    # 250 MB by two (x264) or five (x265) times 12.4 MB, or 24.9 MB, a frame.
    source = replace(info(codec, pix_fmt), size=Size(2160, 3840))
    options = encoder_options(
        choose(source, Path("out.mp4")), Encoding(preset=preset), size=source.size, pixel_format=source.pixel_format
    )
    own = {"x265-params", "svtav1-params", "rc-lookahead"}
    assert {name: value for name, value in options.items() if name in own} == expected


def test_a_setting_that_the_codec_lacks_is_said_to_be_ignored() -> None:
    source = info("prores", "yuv422p10le")
    with pytest.warns(ChromacordWarning, match="prores has no crf and no preset; ignored"):
        encoder_options(
            choose(source, Path("out.mov")),
            Encoding(crf=10, preset="slow"),
            size=source.size,
            pixel_format=source.pixel_format,
        )


@pytest.mark.parametrize(("codec", "preset"), [("h264", "8"), ("av1", "medium")])
def test_an_unknown_preset_is_answered_with_the_names(codec: str, preset: str) -> None:
    source = info(codec, "yuv420p")
    with pytest.raises(CodecError, match=f"{codec} has no preset '{preset}'; choose one of"):
        encoder_options(
            choose(source, Path("out.mp4")),
            Encoding(preset=preset),
            size=source.size,
            pixel_format=source.pixel_format,
        )


@pytest.mark.parametrize(("codec", "top"), [("h264", 51), ("hevc", 51), ("av1", 63), ("vp9", 63)])
@pytest.mark.parametrize("crf", [-1.0, 64.0, 1e9, float("nan"), float("inf")])
def test_a_quality_that_the_codec_does_not_have_is_refused(codec: str, top: int, crf: float) -> None:
    """The encoders clamp it in silence, or name no cause."""
    source = info("h264", "yuv420p")
    choice = choose(source, Path("out.mkv"), codec)
    with pytest.raises(CodecError, match=rf"^{codec}: crf must lie in 0..{top}, got "):
        encoder_options(choice, Encoding(crf=crf), size=source.size, pixel_format=source.pixel_format)
