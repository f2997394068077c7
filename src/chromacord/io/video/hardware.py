"""Hardware decoding, where available. H.264, HEVC and VP9 are bit-exact, so samples do not change."""

from av.codec.hwaccel import HWAccel, hwdevices_available

from chromacord.types import Alpha, VideoInfo

_CODECS = frozenset({"h264", "hevc", "vp9"})
"""AV1 leaves film grain to the decoder; other codecs leave more unspecified."""

_DEPTHS = (8, 10)


def accelerator(info: VideoInfo, device: str) -> HWAccel | None:
    """Return the acceleration for opening a file on a device; None if it has none.

    Frames are returned in host memory, where the encoder needs them. If the device rejects the stream, libav decodes it
    in software.

    Args:
        info: properties of the file, read without the device.
        device: device name; only "cuda" can decode.
    """
    layout = info.pixel_format
    is_common = layout.subsampling == (1, 1) and layout.depth in _DEPTHS and layout.alpha is Alpha.NONE
    if device not in hwdevices_available() or info.codec not in _CODECS or not is_common:
        return None
    return HWAccel(device, allow_software_fallback=True)
