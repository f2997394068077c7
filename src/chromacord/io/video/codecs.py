"""Output codecs: their capabilities, and the choice for an output."""

import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import av

from chromacord.errors import ChromacordWarning, CodecError, one_of
from chromacord.io.pixels import describe
from chromacord.types import STDOUT, Alpha, PixelFormat, Size, VideoInfo


@dataclass(frozen=True)
class Codec:
    """An output codec: its encoder and capabilities."""

    encoder: str
    """libav's name of the encoder."""

    pix_fmts: tuple[str, ...]
    """Pixel formats that it accepts, by libav's names, the most common first."""

    containers: tuple[str, ...]
    """Suffixes of containers that support it, the most common first."""

    options: dict[str, str] = field(default_factory=dict)
    crf: float | None = None
    """Constant quality that is visually lossless; None: the codec has no such setting."""

    has_preset: bool = False
    families: tuple[str, ...] = ()
    """Source codecs, by libav's names, that are written with this one by default."""

    alpha_containers: tuple[str, ...] | None = None
    """Suffixes of containers that keep its alpha; None: all of them."""

    decoded_depth: int = 0
    """Depth of its decoded pictures, if greater than the encoder's input."""

    takes_halves: bool = True
    """Whether a picture with subsampled chroma may have an odd size."""

    matrix: int | None = None
    """The only colour matrix that decoders assume; None: any."""

    full_range: bool | None = None
    """The only range that decoders assume; None: any."""

    def formats(self, size: Size) -> dict[str, PixelFormat]:
        """Return the accepted formats for a picture size, by libav's name."""
        every = {name: describe(name) for name in self.pix_fmts}
        if self.takes_halves:
            return every
        return {name: form for name, form in every.items() if _is_whole(size, form)}


def _is_whole(size: Size, pixel_format: PixelFormat) -> bool:
    vertical, horizontal = pixel_format.subsampling
    return size.height % (1 << vertical) == 0 and size.width % (1 << horizontal) == 0


def _names(*families: str, depths: tuple[int, ...]) -> tuple[str, ...]:
    return tuple(family if depth == 8 else f"{family}{depth}le" for depth in depths for family in families)


_YUV = ("yuv420p", "yuv422p", "yuv444p")

LOSSLESS = ("ffv1", "huffyuv", "ffvhuff", "utvideo", "rawvideo", "v210", "r210", "png", "qtrle", "magicyuv")
"""Lossless video codecs by libav's names."""

CODECS: dict[str, Codec] = {
    "h264": Codec(
        "libx264",
        _names(*_YUV, depths=(8, 10)),
        (".mp4", ".mov", ".mkv", ".m4v"),
        crf=12,
        has_preset=True,
        families=("h264",),
        takes_halves=False,
    ),
    "hevc": Codec(
        "libx265",
        (*_names(*_YUV, depths=(8, 10, 12)), "gray", "gray10le", "gray12le"),
        (".mp4", ".mov", ".mkv", ".m4v"),
        # x265 prints to the terminal past libav's log.
        {"x265-params": "log-level=none"},
        crf=12,
        has_preset=True,
        families=("hevc",),
        takes_halves=False,
    ),
    "av1": Codec(
        "libsvtav1",
        _names("yuv420p", depths=(8, 10)),
        (".mp4", ".mkv", ".webm"),
        # SVT-AV1's presets run from 0, the slowest, to 13.
        {"preset": "8"},
        crf=10,
        has_preset=True,
        families=("av1",),
    ),
    "vp9": Codec(
        "libvpx-vp9",
        ("yuv420p", "yuva420p", "yuv422p", "yuv444p"),
        (".webm", ".mkv", ".mp4"),
        # Alternate reference frames and alpha exclude each other in libvpx.
        # "b": libvpx treats `crf` as constant quality only with a bit rate of 0.
        {"deadline": "good", "cpu-used": "4", "row-mt": "1", "b": "0", "auto-alt-ref": "0"},
        crf=10,
        families=("vp9", "vp8"),
        alpha_containers=(".webm", ".mkv"),
    ),
    "prores": Codec(
        "prores_ks",
        ("yuv422p10le",),
        (".mov", ".mkv", ".mxf"),
        # The vendor code of Apple's encoder: some programs refuse ProRes of any other.
        {"profile": "hq", "vendor": "apl0"},
        families=("prores",),
        full_range=False,
    ),
    "prores4444": Codec(
        "prores_ks",
        ("yuv444p10le", "yuva444p10le"),
        (".mov", ".mkv"),
        {"profile": "4444", "vendor": "apl0"},
        families=("prores",),
        decoded_depth=12,
        full_range=False,
    ),
    "dnxhr": Codec(
        "dnxhd",
        ("yuv422p", "yuv422p10le", "yuv444p10le"),
        (".mov", ".mxf"),
        families=("dnxhd",),
        matrix=1,
        full_range=False,
    ),
    "ffv1": Codec(
        "ffv1",
        (
            *_names(*_YUV, "gray", depths=(8, 10, 12, 14, 16)),
            *_names("yuva420p", "yuva422p", "yuva444p", depths=(8, 10, 16)),
            *_names("yuva422p", "yuva444p", depths=(12,)),
            *("yuv440p", "yuv411p", "yuv410p", "bgr0", "bgra"),
            *_names("gbrp", "gbrap", depths=(10, 12, 14, 16)),
        ),
        (".mkv", ".avi"),
        # Version 3 has a checksum for each slice, which reveals damage. With key frames only, each frame can be
        # decoded alone.
        {"level": "3", "slicecrc": "1", "g": "1"},
        families=LOSSLESS,
    ),
    "raw": Codec(
        "rawvideo",
        (*_names(*_YUV, "gray", depths=(8, 10, 12, 16)), "yuv411p"),
        (".y4m",),
    ),
    "mjpeg": Codec(
        "mjpeg",
        ("yuvj420p", "yuvj422p", "yuvj444p"),
        (".mov", ".mkv", ".avi", ".mp4"),
        # Quantizer 2, the second finest: libav's lambda is 118 for a quantizer of 1 (FF_QP2LAMBDA).
        {"flags": "+qscale", "global_quality": "236"},
        families=("mjpeg",),
        # JFIF has no other matrix or range, and its decoders assume these whatever the container says.
        matrix=5,
        full_range=True,
    ),
}
"""All codecs by their name for `--codec`."""


class Container(NamedTuple):
    """A video container format."""

    muxer: str
    """libav's name of the muxer."""

    usual: tuple[str, ...]
    """Codecs to use if the source's own is not supported, in order of preference."""

    drops: frozenset[str] = frozenset()
    """What it does not store of "rotation", "pixel aspect", "timecode", "colour tags" and "sound"."""


CONTAINERS: dict[str, Container] = {
    ".mp4": Container("mp4", ("h264", "hevc")),
    ".m4v": Container("mp4", ("h264", "hevc")),
    ".mov": Container("mov", ("h264", "prores", "prores4444")),
    # PyAV passes the pixel aspect to the Matroska muxer only for H.264 and HEVC.
    ".mkv": Container("matroska", ("h264", "hevc", "ffv1"), frozenset({"pixel aspect"})),
    ".webm": Container("webm", ("vp9", "av1"), frozenset({"pixel aspect"})),
    ".avi": Container("avi", ("ffv1", "mjpeg"), frozenset({"rotation", "timecode", "colour tags"})),
    ".mxf": Container("mxf", ("dnxhr",), frozenset({"rotation", "pixel aspect"})),
    ".y4m": Container("yuv4mpegpipe", ("raw",), frozenset({"rotation", "timecode", "colour tags", "sound"})),
}
"""All supported video containers by suffix."""


def suffix_for(out: Path, codec: str | None = None) -> str:
    """Return the suffix that selects an output's container; standard output is y4m, or Matroska if a codec is named."""
    if str(out) == STDOUT:
        return ".y4m" if codec is None or codec_named(codec) == "raw" else ".mkv"
    return out.suffix.lower()


class Choice(NamedTuple):
    """How to write an output."""

    name: str
    """Key of `CODECS`."""

    codec: Codec
    pix_fmt: str
    """The encoder's input format, by libav's name."""

    muxer: str

    drops: frozenset[str] = frozenset()
    """What the file will not store of "rotation", "pixel aspect", "timecode", "colour tags" and "sound"."""


def choose(source: VideoInfo, out: Path, codec: str | None = None) -> Choice:
    """Choose codec and pixel format for an output.

    By default, keep the source's codec family, depth, subsampling and alpha if the container supports them; otherwise
    use the container's usual codec.

    Args:
        source: properties of the clip to write.
        out: path of the output; its suffix selects the container.
        codec: name given by the user, as `codec_named` accepts it; None: choose.

    Raises:
        CodecError: the codec or suffix is unknown; the container does not support the codec; or, unless the user named
            the codec, alpha, depth or colour would be lost.

    Warns:
        ChromacordWarning: the user's codec loses one of these, or chroma resolution is lost.
    """
    suffix = suffix_for(out, codec)
    if suffix not in CONTAINERS:
        raise CodecError(f"{out}: unknown kind of video file {suffix!r}; {one_of(suffix, CONTAINERS)}")
    if codec is not None:
        return _users_choice(source, out, codec)
    candidates = _candidates(source, suffix)
    choices = [_fit(source, name, suffix) for name in candidates]
    fitting = next((choice for choice in choices if not _losses(source, choice, suffix)), None)
    if fitting is None:
        losses = " and ".join(_losses(source, choices[0], suffix))
        raise CodecError(f"{out}: {choices[0].name} in {suffix} cannot hold the source's {losses}; {_advice(source)}")
    if _is_chroma_lost(source.pixel_format, describe(fitting.pix_fmt)):
        warnings.warn(
            f"{out}: {fitting.name} does not keep the source's chroma resolution; prores4444 and ffv1 do",
            ChromacordWarning,
            stacklevel=2,
        )
    return fitting


def codec_named(text: str) -> str:
    """Return the key in `CODECS` for a name by the user: "H.264" means "h264", "ProRes 4444" means "prores4444".

    Raises:
        CodecError: the codec is unknown.
    """
    plain = "".join(letter for letter in text.casefold() if letter.isalnum())
    name = _ALIASES.get(plain, plain)
    if name not in CODECS:
        raise CodecError(f"unknown codec {text!r}; {one_of(plain, CODECS)}")
    return name


def missing_encoders() -> tuple[str, ...]:
    """Return the names in `CODECS` that this build of libav cannot encode."""
    return tuple(name for name, codec in CODECS.items() if codec.encoder not in av.codecs_available)


_ALIASES = {"avc": "h264", "h265": "hevc", "prores422": "prores", "motionjpeg": "mjpeg"}
"""Alternative names of codecs in `CODECS`, in lower-case letters and digits."""


def _users_choice(source: VideoInfo, out: Path, text: str) -> Choice:
    name = codec_named(text)
    suffix = suffix_for(out, text)
    if suffix not in CODECS[name].containers:
        raise CodecError(f"{out}: {suffix} cannot hold {name}; name the output {' or '.join(CODECS[name].containers)}")
    choice = _fit(source, name, suffix)
    losses = _losses(source, choice, suffix)
    if _is_chroma_lost(source.pixel_format, describe(choice.pix_fmt)):
        losses.append("chroma resolution")
    if losses:
        warnings.warn(
            f"{out}: {name} does not keep the source's {' and '.join(losses)}", ChromacordWarning, stacklevel=3
        )
    return choice


def family(source: VideoInfo) -> str | None:
    """Return the source's codec as a name in `CODECS`; None: it cannot be written."""
    names = [name for name, codec in CODECS.items() if source.codec in codec.families]
    if len(names) > 1:
        form = source.pixel_format
        # Only ProRes has two entries for one source codec: 4444 for full chroma or alpha, 422 otherwise.
        return names[-1] if form.subsampling == (0, 0) or form.alpha is not Alpha.NONE else names[0]
    return names[0] if names else None


def _candidates(source: VideoInfo, suffix: str) -> list[str]:
    """Return only the source's codec if the container supports it, otherwise the container's usual ones."""
    own = family(source)
    # The source's codec is then the only candidate: silently changing the codec would be worse than an error that
    # says how to keep the depth.
    if own is not None and suffix in CODECS[own].containers:
        return [own]
    return list(CONTAINERS[suffix].usual)


def _fit(source: VideoInfo, name: str, suffix: str) -> Choice:
    """Return the codec with the pixel format that loses the least and, among those, adds the least."""
    codec = CODECS[name]
    wanted = source.pixel_format
    formats = codec.formats(source.size)
    best = min(formats, key=lambda pix_fmt: _distance(wanted, formats[pix_fmt]))
    # See the note at Matroska: PyAV does pass the pixel aspect on for these two.
    drops = CONTAINERS[suffix].drops - ({"pixel aspect"} if name in ("h264", "hevc") else set())
    return Choice(name, codec, best, CONTAINERS[suffix].muxer, drops)


def _distance(wanted: PixelFormat, offered: PixelFormat) -> tuple[int, ...]:
    """Rank formats, first by what is lost (alpha, colour, depth, chroma, model), then by what is added."""
    has_alpha, offers_alpha = wanted.alpha is not Alpha.NONE, offered.alpha is not Alpha.NONE
    # RGB is converted to 4:2:0 first, which all players support.
    step = sum(wanted.subsampling) if wanted.model == "yuv" else 0 if offered.model == wanted.model else 2
    return (
        has_alpha and not offers_alpha,
        wanted.model != "gray" and offered.model == "gray",
        max(0, _depth(wanted) - offered.depth),
        max(0, sum(offered.subsampling) - step),
        wanted.model != offered.model,
        offers_alpha and not has_alpha,
        max(0, offered.depth - _depth(wanted)),
        max(0, step - sum(offered.subsampling)),
        wanted.subsampling != offered.subsampling,
    )


def _depth(pixel_format: PixelFormat) -> int:
    """Return the integer depth that a format needs; floats need more than any."""
    return 32 if pixel_format.is_float else pixel_format.depth


def _losses(source: VideoInfo, choice: Choice, suffix: str) -> list[str]:
    """List what the output does not support, except chroma resolution."""
    wanted, offered, codec = source.pixel_format, describe(choice.pix_fmt), choice.codec
    losses = []
    keeps_alpha = codec.alpha_containers is None or suffix in codec.alpha_containers
    if wanted.alpha is not Alpha.NONE and (offered.alpha is Alpha.NONE or not keeps_alpha):
        losses.append("alpha")
    if _depth(wanted) > max(offered.depth, codec.decoded_depth):
        losses.append("float samples" if wanted.is_float else f"depth of {wanted.depth} bits")
    return losses


def _is_chroma_lost(wanted: PixelFormat, offered: PixelFormat) -> bool:
    """Whether chroma resolution is lost. RGB sources do not count: users who write them as video expect it."""
    return wanted.model == "yuv" and sum(offered.subsampling) > sum(wanted.subsampling)


def _advice(source: VideoInfo) -> str:
    """List the codecs and suffixes that support the source's alpha and depth."""
    holding = []
    for name, codec in CODECS.items():
        suffixes = codec.containers
        if not _losses(source, _fit(source, name, suffixes[0]), suffixes[0]):
            holding.append(f"--codec {name} ({suffixes[0]})")
    if holding:
        return f"use {' or '.join(holding)}"
    return "write an EXR or TIFF sequence instead (out.%04d.exr), or name a codec to accept the loss"
