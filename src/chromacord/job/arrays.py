"""Harmonize in-memory frames: NumPy arrays in, NumPy arrays out."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from chromacord.analysis.observe import observe
from chromacord.analysis.timeline import Timeline
from chromacord.errors import InputError, MismatchError
from chromacord.grade.by_hand import Hand
from chromacord.grade.keys import Consistency
from chromacord.job.mask_check import MaskCheck, array_mask, check_floats
from chromacord.masks.masks import MaskedFrame
from chromacord.methods.base import Method
from chromacord.parsing import reason_of
from chromacord.render.cpu import Renderer
from chromacord.types import Colorimetry, Frame, PixelFormat, Size, VideoInfo

Array = npt.NDArray[Any]


def harmonize_arrays(
    source: Iterator[tuple[Array, Array]],
    method: Method,
    rate: Fraction,
    *,
    hand: Hand,
    consistency: Consistency,
    cuts: Sequence[int] | None,
) -> Iterator[Array]:
    """Harmonize in-memory frames one after another; see `chromacord.harmonize_frames`.

    Args:
        source: composite and mask of each frame.
        method: decides the grade.
        rate: frames per second.
        hand: manual changes to the grade.
        consistency: how the grade may change within a shot.
        cuts: first frames of all shots but the first; None: detect them.
    """
    pairs = _as_arrays(source)
    first = next(pairs, None)
    if first is None:
        return
    info = _describe(first[0], rate)
    masked_frames = (
        _masked_frame(index, *pair, info) for index, pair in enumerate(_of_one_type(chain([first], pairs)))
    )
    waiting: deque[MaskedFrame] = deque()  # only the frames between the analysed one and the rendered one

    def watched() -> Iterator[MaskedFrame]:
        for masked in MaskCheck(None, info).watch(masked_frames):
            waiting.append(masked)
            yield masked

    timeline = Timeline(method, rate=info.rate, consistency=consistency, hand=hand)
    renderer = Renderer(info)
    for decided in timeline.decide(observe(watched(), info, method, consistency=consistency, cuts=cuts)):
        masked = waiting.popleft()
        rendered = renderer.render(masked, decided.transform)
        # A copy of an unchanged frame: callers own what they get, and must not write into their input.
        yield _as_given(rendered) if rendered is not masked.frame else np.array(rendered.attributes)


def _as_arrays(pairs: Iterator[Any]) -> Iterator[tuple[Array, Array]]:
    """Copy each pair into arrays: frames wait for their grade, while a generator may fill the same buffers anew.

    Raises:
        InputError: an item is not a pair, or cannot be converted.
    """
    for index, pair in enumerate(pairs):
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            raise InputError(f"frame {index}: is not a pair; give (composite, mask), two arrays")
        try:
            composite, mask = np.array(pair[0]), np.array(pair[1])
        except (TypeError, ValueError) as error:
            raise InputError(f"frame {index}: is not made of arrays: {reason_of(error)}; give two") from error
        yield composite, mask


def _of_one_type(pairs: Iterable[tuple[Array, Array]]) -> Iterator[tuple[Array, Array]]:
    """Refuse composites whose dtype differs from the first one's, because the scale of codes would change."""
    first: np.dtype[Any] | None = None
    for index, (composite, mask) in enumerate(pairs):
        found = composite.dtype
        first = first or found
        if found != first:
            raise MismatchError(f"frame {index}: is of type {found}, the first frame of {first}; convert one of them")
        yield composite, mask


def _describe(composite: Array, rate: Fraction) -> VideoInfo:
    """Return the properties of a video with such frames."""
    if composite.ndim != 3 or composite.shape[2] != 3:
        raise InputError(f"a composite has shape (H, W, 3), got {composite.shape}")
    if composite.dtype not in (np.uint8, np.uint16) and not np.issubdtype(composite.dtype, np.floating):
        raise InputError(f"a composite is uint8, uint16 or float, got {composite.dtype}; convert it")
    if not composite.size:
        raise InputError(f"frame 0: a composite of shape {composite.shape} has no pixels; give pictures")
    is_float = np.issubdtype(composite.dtype, np.floating)
    depth = 32 if is_float else 8 * composite.dtype.itemsize
    return VideoInfo(
        path=Path("frames"),
        size=Size(*composite.shape[:2]),
        pixel_format=PixelFormat("rgb", depth, is_float),
        colorimetry=Colorimetry(full_range=True),
        rate=rate,
        time_base=1 / rate,
        num_frames=None,
        codec="rawvideo",
        container="arrays",
    )


def _masked_frame(index: int, composite: Array, mask: Array, info: VideoInfo) -> MaskedFrame:
    original = composite
    if composite.shape != (*info.size, 3):
        raise MismatchError(f"frame {index}: has shape {composite.shape}, the first frame {(*info.size, 3)}")
    if info.pixel_format.is_float:
        check_floats(composite, where=f"frame {index}: the composite")
        composite = composite.astype(np.float32, copy=False)
    # Views: the renderer copies what it changes.
    planes = tuple(composite[..., channel] for channel in range(3))
    frame = Frame(planes, index, attributes=original)
    return MaskedFrame(frame, array_mask(mask, info.size, index=index))


def _as_given(rendered: Frame) -> Array:
    """Convert a rendered frame to its composite's dtype; unchanged values keep all their digits."""
    original: Array = np.asarray(rendered.attributes)
    result = np.stack(rendered.planes, axis=-1)
    if result.dtype == original.dtype:
        return result
    # Graded in float32: where that changed nothing, the caller's float64 or half comes back bit for bit.
    return np.where(result == original.astype(result.dtype), original, result.astype(original.dtype))
