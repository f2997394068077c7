"""Pack the pictures of one frame into one response: a JSON header, followed by the pictures.

Y'CbCr video is sent as the codes of its file. They take half the bytes of R'G'B' and no conversion, and let the page
grade and average chroma as the renderer does.
"""

import json
import zlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from chromacord.color.spaces import code_to_rgb, rgb_to_code
from chromacord.io.orientation import Orientation
from chromacord.job.clip import MaskedClip
from chromacord.masks.masks import Mask, MaskedFrame
from chromacord.types import Alpha, Box, Frame, Plane, Size, VideoInfo
from chromacord.ui.shown_frames import Codes, FramePictures, exact_pictures, weights

_ALIGNED = 4
_QUALITY = 85


class Part(NamedTuple):
    """One picture."""

    name: str
    """"picture", "mask" or "layer"; "luma" and "chroma" instead of "picture" for codes of Y'CbCr."""

    kind: str
    """A media type, "u1" for bytes, or "f2" for half floats."""

    shape: tuple[int, ...]
    """Height, width and, if there are several, channels."""

    content: bytes | memoryview


def encoded(codes: Codes) -> bytes:
    """Encode R'G'B' as a JPEG file, 4:4:4."""
    settings = [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]
    settings += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    return cv2.imencode(".jpg", codes[..., ::-1], settings)[1].tobytes()


def small_packet(pictures: FramePictures) -> bytes:
    """Return a packet with the small pictures of a frame, compressed as HTTP's "deflate".

    The mask is sent as it is: browsers decompress an answer faster than they decode a second picture.
    """
    colours = {"picture": pictures.picture, "layer": pictures.layer}
    parts = [_raw("mask", pictures.mask)]
    parts += [Part(n, "image/jpeg", codes.shape, encoded(codes)) for n, codes in colours.items() if codes is not None]
    return zlib.compress(b"".join(packed(parts, box=box_of(pictures.mask))), 1)


def exact_packet(masked: MaskedFrame, clip: MaskedClip) -> list[bytes | memoryview]:
    """Return a packet with the pictures of a frame at the clip's size, in parts."""
    if clip.foreground is None and _keeps_codes(clip.info):
        mask, weighing = _mask(masked.mask)
        parts = [*_coded(masked.frame, clip.info), _raw("mask", mask)]
        return packed(
            parts, box=_shares(masked.mask.box, clip.info.size), coded=_described(clip.info), weighing=weighing
        )
    pictures = exact_pictures(masked, clip)
    parts = [_raw(name, codes) for name, codes in zip(pictures._fields, pictures, strict=True) if codes is not None]
    return packed(parts, box=box_of(pictures.mask))


def packed(parts: Sequence[Part], **head: Any) -> list[bytes | memoryview]:
    """Return the bytes to send: the header's length, the header, and the pictures.

    Args:
        parts: the pictures.
        head: additional fields of the header.
    """
    said = [{"name": part.name, "kind": part.kind, "shape": part.shape, "bytes": len(part.content)} for part in parts]
    text = json.dumps({"parts": said, **head}).encode()
    text += b" " * (-len(text) % _ALIGNED)
    return [len(text).to_bytes(4, "little") + text, *(part.content for part in parts)]


def box_of(mask: Codes) -> list[float] | None:
    """Return left, top, right and bottom of a mask's foreground, as shares of the picture; None without foreground."""
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    box = Box(int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1) if len(rows) else None
    return _shares(box, Size(*mask.shape))


def _shares(box: Box | None, size: Size) -> list[float] | None:
    if box is None:
        return None
    return [box.left / size.width, box.top / size.height, box.right / size.width, box.bottom / size.height]


def _keeps_codes(info: VideoInfo) -> bool:
    """Whether the page can decode a picture's codes itself: integers of Y'CbCr, upright, as SDR video."""
    form = info.pixel_format
    is_sdr = info.space is None and not info.colorimetry.scene_linear
    is_yuv = form.model == "yuv" and not form.is_float and form.alpha is Alpha.NONE
    return is_sdr and is_yuv and Orientation.of(info) == Orientation()


def _coded(frame: Frame, info: VideoInfo) -> list[Part]:
    luma, *chroma = frame.planes[:3]
    both = np.empty((*chroma[0].shape, 2), chroma[0].dtype)
    both[..., 0], both[..., 1] = chroma
    return [_samples("luma", luma, info), _samples("chroma", both, info)]


def _mask(mask: Mask) -> tuple[npt.NDArray[np.generic], tuple[float, float]]:
    """Return a mask as a texture, with the factor and offset to its weights: rounded weights would shift the grade."""
    if mask.plane.dtype != np.uint8:
        return weights(mask, np.float16), (1, 0)
    reach = mask.white - mask.black
    return mask.plane, (255 / reach, -mask.black / reach)


def _samples(name: str, plane: Plane, info: VideoInfo) -> Part:
    """Return 8-bit samples unchanged, and deeper ones as half floats in [0, 1), which are exact up to 11 bits."""
    if info.pixel_format.depth == 8:
        return _raw(name, plane)
    halves = np.empty(plane.shape, np.float16)
    np.multiply(plane, np.float32(1 / _unit(info)), out=halves, casting="unsafe")
    return _raw(name, halves)


def _raw(name: str, samples: npt.NDArray[np.generic]) -> Part:
    whole = np.ascontiguousarray(samples)
    # The next picture must start at a multiple of its sample size, so pictures of odd length are padded.
    content = whole.tobytes() + bytes(-whole.nbytes % _ALIGNED) if whole.nbytes % _ALIGNED else whole.data.cast("B")
    return Part(name, f"{whole.dtype.kind}{whole.dtype.itemsize}", whole.shape, content)


def _unit(info: VideoInfo) -> int:
    """Return the code that corresponds to 1 in the texture."""
    depth = info.pixel_format.depth
    return 255 if depth == 8 else 1 << depth


def _described(info: VideoInfo) -> dict[str, Any]:
    maps = {"decode": code_to_rgb, "encode": rgb_to_code}
    affine = {name: make(info.colorimetry, info.size, info.pixel_format) for name, make in maps.items()}
    down, right = info.pixel_format.subsampling
    return {
        **{name: np.column_stack(each).ravel().tolist() for name, each in affine.items()},
        "unit": _unit(info),
        "max": info.pixel_format.max_code,
        "step": [1 << right, 1 << down],
    }
