"""Encoder options."""

import os
import warnings

from chromacord.errors import ChromacordWarning, CodecError, one_of
from chromacord.io.cores import core_share
from chromacord.io.hdr import hdr_options
from chromacord.io.pixels import frame_bytes
from chromacord.io.video.codecs import Choice
from chromacord.types import Encoding, HdrMetadata, PixelFormat, Size

_DNXHR_PROFILES = {"yuv422p": "dnxhr_hq", "yuv422p10le": "dnxhr_hqx", "yuv444p10le": "dnxhr_444"}

_LOOKAHEADS = {
    "h264": {
        **{"ultrafast": 0, "superfast": 0, "veryfast": 10, "faster": 20, "fast": 30, "medium": 40},
        **{"slow": 50, "slower": 60, "veryslow": 60},
    },
    "hevc": {
        **{"ultrafast": 5, "superfast": 10, "veryfast": 15, "faster": 15, "fast": 15, "medium": 20},
        **{"slow": 25, "slower": 40, "veryslow": 40},
    },
}
"""Look-ahead in frames for each preset of x264 and x265 (from their own tables)."""

_SVT_PRESETS = tuple(str(preset) for preset in range(14))

_LOOKAHEAD_BYTES = 250_000_000
"""Memory limit for an encoder's look-ahead frames."""

_BYTES_PER_BYTE = {"h264": 2, "hevc": 5}
"""An encoder's memory per look-ahead frame, relative to the frame's size; measured at 4K."""

_HIGHEST_CRF = {"h264": 51, "hevc": 51, "av1": 63, "vp9": 63}
"""Worst quality on each codec's scale. Encoders silently accept values beyond."""

_NO_HDR = HdrMetadata()

_LARGE_FRAME = 8_000_000
"""Frame size in bytes (8-bit 2880x1800) from which SVT-AV1 and libvpx, which count pictures, are limited."""


def encoder_options(
    choice: Choice, encoding: Encoding, *, size: Size, pixel_format: PixelFormat, metadata: HdrMetadata = _NO_HDR
) -> dict[str, str]:
    """Return libav's options for an encoder.

    Args:
        choice: codec and pixel format.
        encoding: the user's settings; settings that the codec lacks are ignored with a warning.
        size: size of the picture.
        pixel_format: the encoder's input format.
        metadata: HDR metadata, for the codecs in `chromacord.io.hdr.ENCODERS`.

    Raises:
        CodecError: the preset does not exist, or the quality is out of range.

    Warns:
        ChromacordWarning: the codec has no setting for a given quality or preset.
    """
    codec = choice.codec
    options = dict(codec.options)
    if codec.crf is not None:
        crf = codec.crf if encoding.crf is None else _checked_crf(choice.name, encoding.crf)
        options["crf"] = f"{crf:g}"
    if codec.has_preset and encoding.preset is not None:
        options["preset"] = _checked_preset(choice.name, encoding.preset)
    if choice.name == "dnxhr":
        options["profile"] = _DNXHR_PROFILES[choice.pix_fmt]
    _warn_of_unused(choice, encoding)
    _limit_memory(choice.name, options, frame_bytes(size, pixel_format))
    _limit_threads(choice.name, options)
    for name, parameters in hdr_options(choice.name, metadata).items():
        options[name] = f"{options[name]}:{parameters}" if name in options else parameters
    return options


def silence(name: str) -> None:
    """Keep SVT-AV1 from printing its settings, which it writes to the terminal bypassing libav's log."""
    if name == "av1":
        os.environ.setdefault("SVT_LOG", "1")


def _checked_crf(name: str, crf: float) -> float:
    top = _HIGHEST_CRF[name]
    if not 0 <= crf <= top:
        raise CodecError(f"{name}: crf must lie in 0..{top}, got {crf:g}; lower is better")
    return crf


def _checked_preset(name: str, preset: str) -> str:
    known = tuple(_LOOKAHEADS.get(name, ())) or _SVT_PRESETS
    if preset not in known:
        raise CodecError(f"{name} has no preset {preset!r}; {one_of(preset, known)}")
    return preset


def _warn_of_unused(choice: Choice, encoding: Encoding) -> None:
    unused = []
    if encoding.crf is not None and choice.codec.crf is None:
        unused.append("crf")
    if encoding.preset is not None and not choice.codec.has_preset:
        unused.append("preset")
    if unused:
        warnings.warn(f"{choice.name} has no {' and no '.join(unused)}; ignored", ChromacordWarning, stacklevel=2)


def _limit_memory(name: str, options: dict[str, str], picture: int) -> None:
    """Limit the look-ahead of an encoder, which would take gigabytes at 4K.

    Files grow by a few percent; the quality, set by `crf`, stays.
    """
    if name in _LOOKAHEADS:
        wanted = _LOOKAHEADS[name][options.get("preset", "medium")]
        # At least two frames, so that x265 keeps one B-frame: it requires more look-ahead than consecutive B-frames.
        most = max(2, round(_LOOKAHEAD_BYTES / (_BYTES_PER_BYTE[name] * picture)))
        if wanted > most and name == "h264":
            options["rc-lookahead"] = str(most)
        elif wanted > most:
            # One frame thread, because each holds its own look-ahead frames.
            options["x265-params"] += f":rc-lookahead={most}:bframes={min(4, most - 1)}:frame-threads=1"
    elif name == "av1" and picture > _LARGE_FRAME:
        # SVT-AV1 holds whole pictures for its look-ahead, for each level of its hierarchy and for each thread.
        options["svtav1-params"] = "lookahead=0:hierarchical-levels=2:lp=1"
    elif name == "vp9" and picture > _LARGE_FRAME:
        options["lag-in-frames"] = "4"


def _limit_threads(name: str, options: dict[str, str]) -> None:
    """Limit an encoder's threads to this process's share of the cores, if set.

    Encoders use all cores by default, so with one process per core the threads would be quadratic in the cores.
    """
    share = core_share()
    if share is None:
        return
    options["threads"] = str(share)
    if name == "hevc":
        options["x265-params"] += f":pools={share}"
    elif name == "av1" and "svtav1-params" not in options:  # large frames already limit it to one
        options["svtav1-params"] = f"lp={share}"
