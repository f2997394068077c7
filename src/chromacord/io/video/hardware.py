"""Hardware decoding, where available. H.264, HEVC and VP9 are bit-exact, so samples do not change."""

from av.codec.hwaccel import HWAccel, hwdevices_available

from chromacord.types import Alpha, VideoInfo

_CODECS = frozenset({"h264", "hevc", "vp9"})
"""AV1's standard leaves its film grain to decoders; other codecs leave more."""

_DEPTHS = (8, 10)


def accelerator(info: VideoInfo, device: str) -> HWAccel | None:
    """Return what to open a file with so that a device decodes it; None where it cannot.

    Frames come to the host's memory, where the encoder needs them whole. What the device refuses when it sees the
    stream, libav decodes by itself.

    Args:
        info: of the file, read without the device.
        device: as torch calls it; only "cuda" has a decoder here.
    """
    layout = info.pixel_format
    is_common = layout.subsampling == (1, 1) and layout.depth in _DEPTHS and layout.alpha is Alpha.NONE
    if device not in hwdevices_available() or info.codec not in _CODECS or not is_common:
        return None
    return HWAccel(device, allow_software_fallback=True)
