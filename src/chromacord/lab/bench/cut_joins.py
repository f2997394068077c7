"""Make films with known cuts: real shots joined as in an edit, and effects that resemble cuts."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from chromacord.types import FloatArray

Pictures = npt.NDArray[np.uint8]
"""Consecutive small frames of a clip as RGB codes. Shape (T, height, width, 3), height and width even."""

LONGEST_SHOT = 20
"""Maximum frames of a clip on one side of a join."""

SHORTEST_CLIP = 12
"""Minimum length of a clip in frames; shorter ones leave no room for effects beside a join."""


class Film(NamedTuple):
    """A film of one or two shots."""

    pictures: FloatArray
    """The detector's input. RGB in [0, 1]. Shape (T, height / 2, width / 2, 3)."""

    transition: range
    """Frames accepted as the start of the second shot: exactly one for a hard cut; empty if there is only one shot."""


Maker = Callable[[Pictures, Pictures, np.random.Generator], Film]
"""Builds a film from two clips. Kinds with a single shot use only the first clip."""

NO_CUT = range(0)
_CADENCES = ((1, 1, 1, 2), (2,), (3,), (2, 3))
"""Repeat patterns of frames: 24 at 30 frames per second, 12 at 24, 8 at 24, 12 at 30."""


def make_films(clips: Sequence[Pictures], kind: str, *, per_clip: int, seed: int) -> Iterator[Film]:
    """Make films of one kind. Each clip is followed by `per_clip` others, the same ones for all kinds.

    Args:
        clips: two or more, all of the same size.
        kind: a key of `KINDS`.
        per_clip: number of films that begin with each clip.
        seed: equal seeds give equal films.
    """
    for number, first in enumerate(clips):
        for distance in range(1, min(per_clip, len(clips) - 1) + 1):
            second = (number + distance) % len(clips)
            generator = np.random.default_rng([seed, list(KINDS).index(kind), number, second])
            yield KINDS[kind](first, clips[second], generator)


def _cut(first: Pictures, second: Pictures, generator: np.random.Generator) -> Film:
    before, after = _shot(first, generator), _shot(second, generator)
    return _joined(before, after)


def _cut_beside_pan(first: Pictures, second: Pictures, generator: np.random.Generator) -> Film:
    """Join a shot that ends in a whip pan to a static one, or the reverse."""
    before, after = _part(first, generator), _part(second, generator)
    if generator.random() < 0.5:
        return _joined(_panned(before, generator), _windows(after, [0] * len(after)))
    return _joined(_windows(before, [0] * len(before)), _panned(after[::-1], generator)[::-1])


def _dissolve(first: Pictures, second: Pictures, generator: np.random.Generator) -> Film:
    before, after = _shot(first, generator), _shot(second, generator)
    length = int(generator.integers(4, min(len(before), len(after)) - 3))
    shares = np.linspace(0, 1, length + 2, dtype=np.float32)[1:-1, None, None, None]
    mixed = before[-length:] * (1 - shares) + after[:length] * shares
    start = len(before) - length
    return Film(np.concatenate([before[:-length], mixed, after[length:]]), range(start, start + length + 1))


def _fade_through_black(first: Pictures, second: Pictures, generator: np.random.Generator) -> Film:
    before, after = _shot(first, generator), _shot(second, generator)
    fading, black = _faded(before, generator), int(generator.integers(0, 9))
    rising = _faded(after[::-1], generator)
    film = np.concatenate([fading.pictures, np.zeros_like(before[:1]).repeat(black, 0), rising.pictures[::-1]])
    stop = len(before) + black + rising.length
    return Film(film, range(len(before) - fading.length, stop + 1))


def _cut_beside_flash(first: Pictures, second: Pictures, generator: np.random.Generator) -> Film:
    before, after = _shot(first, generator), _shot(second, generator)
    if generator.random() < 0.5:
        _flash(before, len(before) - int(generator.integers(1, 5)), generator)
    else:
        _flash(after, int(generator.integers(0, 4)), generator)
    return _joined(before, after)


def _cut_of_repeated(first: Pictures, second: Pictures, generator: np.random.Generator) -> Film:
    film = (_cut if generator.random() < 0.5 else _cut_beside_pan)(first, second, generator)
    before, after = np.split(film.pictures, [film.transition.start])
    times = _cadence(len(before) + len(after), generator)
    start = int(times[: len(before)].sum())
    return Film(np.concatenate([before, after]).repeat(times, 0), range(start, start + 1))


def _one_shot(first: Pictures, second: Pictures, generator: np.random.Generator) -> Film:  # noqa: ARG001
    return Film(_whole(first), NO_CUT)


def _pan(first: Pictures, second: Pictures, generator: np.random.Generator) -> Film:  # noqa: ARG001
    return Film(_panned(_part(first, generator), generator), NO_CUT)


def _slow_pan(first: Pictures, second: Pictures, generator: np.random.Generator) -> Film:  # noqa: ARG001
    """Pan by 1 to 8 % of the width per frame, over the whole clip or until its frames end."""
    width = first.shape[2] // 2
    lefts = np.rint(np.arange(len(first)) * generator.uniform(0.01, 0.08) * width).astype(int)
    reaches = lefts <= width
    return Film(_windows(first[reaches], lefts[reaches].tolist()), NO_CUT)


def _flash_alone(first: Pictures, second: Pictures, generator: np.random.Generator) -> Film:  # noqa: ARG001
    shot = _shot(first, generator)
    _flash(shot, int(generator.integers(3, len(shot) - 5)), generator)
    return Film(shot, NO_CUT)


def _fade_of_one_shot(first: Pictures, second: Pictures, generator: np.random.Generator) -> Film:  # noqa: ARG001
    """Fade a shot in from black and out again, or out and back in."""
    shot = _shot(first, generator)
    black = np.zeros_like(shot[:1]).repeat(int(generator.integers(0, 9)), 0)
    if generator.random() < 0.5:
        middle = len(shot) // 2
        rising = _faded(shot[:middle][::-1], generator).pictures[::-1]
        return Film(np.concatenate([black, rising, _faded(shot[middle:], generator).pictures, black]), NO_CUT)
    half = len(shot) // 2
    rising = _faded(shot[half:][::-1], generator).pictures[::-1]
    return Film(np.concatenate([_faded(shot[:half], generator).pictures, black, rising]), NO_CUT)


def _repeated(first: Pictures, second: Pictures, generator: np.random.Generator) -> Film:  # noqa: ARG001
    shot = _shot(first, generator) if generator.random() < 0.5 else _panned(_part(first, generator), generator)
    return Film(shot.repeat(_cadence(len(shot), generator), 0), NO_CUT)


def _held(first: Pictures, second: Pictures, generator: np.random.Generator) -> Film:  # noqa: ARG001
    """Hold a frame and drop those it replaces, like a recorder that cannot keep up."""
    shot = _shot(first, generator)
    start, count = int(generator.integers(2, len(shot) - 8)), int(generator.integers(1, 5))
    shot[start : start + count + 1] = shot[start]
    return Film(shot, NO_CUT)


KINDS: Mapping[str, Maker] = {
    "cut": _cut,
    "cut beside a fast pan": _cut_beside_pan,
    "cut beside a flash": _cut_beside_flash,
    "cut among repeated frames": _cut_of_repeated,
    "dissolve": _dissolve,
    "fade through black": _fade_through_black,
    "one shot": _one_shot,
    "fast pan": _pan,
    "slow pan": _slow_pan,
    "flash": _flash_alone,
    "fade of one shot": _fade_of_one_shot,
    "repeated frames": _repeated,
    "held frame": _held,
}
"""Makers by kind. Films of the first six kinds have a cut."""


def _part(clip: Pictures, generator: np.random.Generator) -> Pictures:
    count = min(len(clip), LONGEST_SHOT)
    start = int(generator.integers(len(clip) - count + 1))
    return clip[start : start + count]


def _shot(clip: Pictures, generator: np.random.Generator) -> FloatArray:
    return _whole(_part(clip, generator))


def _whole(pictures: Pictures) -> FloatArray:
    """Return frames at half size by dropping pixels, as thumbnails are made."""
    codes: FloatArray = pictures[:, ::2, ::2].astype(np.float32)
    return codes / np.float32(255)


def _joined(before: FloatArray, after: FloatArray) -> Film:
    return Film(np.concatenate([before, after]), range(len(before), len(before) + 1))


def _windows(pictures: Pictures, lefts: Sequence[int], *, blur: int = 0) -> FloatArray:
    """Return the view of a camera that covers half of each frame's height and width.

    Args:
        pictures: one for each frame.
        lefts: left edge of the view in each frame.
        blur: pixels by which the camera moves while the shutter is open.
    """
    height, width = pictures.shape[1] // 2, pictures.shape[2] // 2
    offsets = sorted({0, blur // 3, 2 * blur // 3, blur})
    seen = [
        np.mean([picture[height // 2 : height // 2 + height, _inside(left + x, width)] for x in offsets], axis=0)
        for picture, left in zip(pictures, lefts, strict=True)
    ]
    codes: FloatArray = np.stack(seen).astype(np.float32)
    return codes / np.float32(255)


def _inside(left: int, width: int) -> slice:
    left = min(left, width)
    return slice(left, left + width)


def _panned(pictures: Pictures, generator: np.random.Generator) -> FloatArray:
    """Return a shot that ends with a pan over its full width, at 8 to 25 % of it per frame."""
    width = pictures.shape[2] // 2
    speed = generator.uniform(0.08, 0.25) * width
    steps = np.arange(len(pictures)) - len(pictures) + 1
    lefts = np.maximum(width + np.rint(steps * speed).astype(int), 0)
    blur = int(speed / 2) if generator.random() < 0.5 else 0
    if generator.random() < 0.5:
        return _windows(pictures, lefts.tolist(), blur=blur)
    return _windows(pictures[:, :, ::-1], lefts.tolist(), blur=blur)[:, :, ::-1]


class _Fading(NamedTuple):
    pictures: FloatArray
    length: int
    """Number of darkened frames at the end."""


def _faded(shot: FloatArray, generator: np.random.Generator) -> _Fading:
    """Fade the end of a shot to black, linearly in codes as editors do."""
    length = int(generator.integers(min(4, len(shot) - 2), min(len(shot) - 1, 13)))
    gains = np.ones(len(shot), np.float32)
    gains[len(shot) - length :] = np.linspace(1, 0, length + 2)[1:-1]
    return _Fading(shot * gains[:, None, None, None], length)


def _flash(shot: FloatArray, start: int, generator: np.random.Generator) -> None:
    """Brighten one to three frames, the first perhaps only below some row, as a rolling shutter records a flash."""
    length, strength = int(generator.integers(1, 4)), generator.uniform(0.4, 1.0)
    rows = int(generator.integers(shot.shape[1])) if generator.random() < 0.3 else 0
    for number, frame in enumerate(shot[start : start + length]):
        lit = frame[rows:] if number == 0 else frame
        lit += (1 - lit) * np.float32(strength * (1 - number / 4))


def _cadence(count: int, generator: np.random.Generator) -> npt.NDArray[np.intp]:
    """Return how many times each of `count` frames is shown."""
    pattern = _CADENCES[int(generator.integers(len(_CADENCES)))]
    shift = int(generator.integers(len(pattern)))
    return np.resize(np.roll(pattern, shift), count)
