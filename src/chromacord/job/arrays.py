"""Harmonize in-memory frames: NumPy arrays in, NumPy arrays out."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import chain
from numbers import Rational, Real
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from chromacord.analysis.cuts import given_numbers
from chromacord.analysis.observe import observe
from chromacord.analysis.timeline import Timeline
from chromacord.color.parameters.parametric import Parametric
from chromacord.errors import InputError, MismatchError
from chromacord.grade.by_hand import NO_TURN, Hand, Strength, as_strength
from chromacord.grade.keys import Consistency, check_consistency
from chromacord.job.mask_check import MaskCheck, array_mask, check_floats
from chromacord.masks.masks import MaskedFrame
from chromacord.methods import DEFAULT_METHOD, load_method
from chromacord.methods.base import Method, find_device
from chromacord.parsing import reason_of, shown
from chromacord.render.cpu import Renderer
from chromacord.types import Colorimetry, Device, Frame, PixelFormat, Size, VideoInfo

Array = npt.NDArray[Any]

_RATES = (0.01, 1_000_000)
"""Plausible frame rates: from one picture in two minutes to the fastest cameras."""


def harmonize_frames(
    pairs: Iterable[tuple[Array, Array]],
    method: str | Method = DEFAULT_METHOD,
    *,
    strength: float | Strength = 1.0,
    turn: Parametric = NO_TURN,
    consistency: Consistency = "smooth",
    cuts: Sequence[int] | Literal["none"] | None = None,
    rate: Fraction | float = 25,
    device: Device = "cpu",
) -> Iterator[Array]:
    """Harmonize in-memory frames one after another.

    At most the frames within the smoothing's look-ahead are held, a little over a second, whatever the length. With
    "shot", a shot's frames are held until its end.

    Args:
        pairs: composite and mask of each frame, in order. Composites are display-referred RGB: uint8, uint16, or floats
            in [0, 1], shape (H, W, 3); masks are bool, uint8, uint16 or floats in [0, 1], shape (H, W) or (H, W, 1).
            All frames must have the same size and dtype.
        method: a name from `list_methods()`, optionally with options ("mkl:max_gain=2"), or a loaded method.
        strength: 0 returns the source, 1 is the full grade; tone and colour may differ.
        turn: manual adjustment after the grade.
        consistency: "shot": one grade per shot; "smooth": a slowly changing grade; "frame": one grade per frame.
        cuts: first frames of shots, counted from 0; "none" for one shot; None: detect them.
        rate: frames per second; determines how many frames are analysed, and how fast the grade may change.
        device: "cuda" for a GPU; a loaded method is moved there.

    Returns:
        Each harmonized frame, with the composite's shape and dtype. Pixels with mask 0 are unchanged.

    Raises:
        InputError: `method`, `strength`, `consistency`, `cuts`, `rate` or `device` is invalid (raised immediately); or
            an array has an invalid dtype, shape or range (raised when its frame is reached).
        NonFiniteError: an array holds NaN or infinity.
        MismatchError: a frame and its mask, or two frames, differ in size or dtype.
    """
    hand = Hand(as_strength(strength), turn)
    check_consistency(consistency)
    if isinstance(rate, bool) or not isinstance(rate, Real) or not _RATES[0] <= rate <= _RATES[1]:
        raise InputError(f"rate must lie in {_RATES[0]}..{_RATES[1]} frames a second, got {shown(rate)}")
    starts = given_numbers(cuts)
    place = find_device(device)
    loaded = load_method(method) if isinstance(method, str) else method
    exact = Fraction(rate if isinstance(rate, Rational) else float(rate)).limit_denominator(1001)
    return _harmonized(iter(pairs), loaded, exact, place, hand=hand, consistency=consistency, cuts=starts)


def harmonize_image(
    composite: Array,
    mask: Array,
    method: str | Method = DEFAULT_METHOD,
    *,
    strength: float = 1.0,
    device: Device = "cpu",
) -> Array:
    """Harmonize one picture.

    Args:
        composite: display-referred RGB: uint8, uint16, or floats in [0, 1]. Shape (H, W, 3).
        mask: bool, uint8, uint16 or floats in [0, 1]. Shape (H, W) or (H, W, 1).
        method: a name from `list_methods()`, optionally with options ("mkl:max_gain=2"), or a loaded method.
        strength: 0 returns the composite, 1 is the full grade.
        device: "cuda" for a GPU; a loaded method is moved there.

    Returns:
        The harmonized picture, with the composite's shape and dtype. Pixels with mask 0 are unchanged, as are all
        pixels if the mask is empty or full.

    Raises:
        InputError, NonFiniteError, MismatchError: see `harmonize_frames`.
    """
    (harmonized,) = harmonize_frames([(composite, mask)], method, strength=strength, cuts="none", device=device)
    return harmonized


def _harmonized(
    source: Iterator[tuple[Array, Array]],
    loaded: Method,
    rate: Fraction,
    place: Device,
    *,
    hand: Hand,
    consistency: Consistency,
    cuts: Sequence[int] | None,
) -> Iterator[Array]:
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

    timeline = Timeline(loaded.on(place), rate=info.rate, consistency=consistency, hand=hand)
    renderer = Renderer(info)
    for decided in timeline.decide(observe(watched(), info, loaded, consistency=consistency, cuts=cuts)):
        masked = waiting.popleft()
        rendered = renderer.render(masked, decided.transform)
        yield _as_given(rendered) if rendered is not masked.frame else np.array(rendered.attributes)


def _as_arrays(pairs: Iterator[Any]) -> Iterator[tuple[Array, Array]]:
    """Convert each pair to arrays.

    Raises:
        InputError: an item is not a pair, or cannot be converted.
    """
    for index, pair in enumerate(pairs):
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            raise InputError(f"frame {index}: is not a pair; give (composite, mask), two arrays")
        try:
            composite, mask = np.asarray(pair[0]), np.asarray(pair[1])
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
    original = composite = np.asarray(composite)
    if composite.shape != (*info.size, 3):
        raise MismatchError(f"frame {index}: has shape {composite.shape}, the first frame {(*info.size, 3)}")
    if info.pixel_format.is_float:
        check_floats(composite, where=f"frame {index}: the composite")
        composite = composite.astype(np.float32, copy=False)
    planes = tuple(composite[..., channel] for channel in range(3))
    frame = Frame(planes, index, attributes=original)
    return MaskedFrame(frame, array_mask(np.asarray(mask), info.size, index=index))


def _as_given(rendered: Frame) -> Array:
    """Convert a rendered frame to its composite's dtype; unchanged values keep all their digits."""
    original: Array = np.asarray(rendered.attributes)
    result = np.stack(rendered.planes, axis=-1)
    if result.dtype == original.dtype:
        return result
    return np.where(result == original.astype(result.dtype), original, result.astype(original.dtype))
