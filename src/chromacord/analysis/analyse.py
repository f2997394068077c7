"""Pass 1: sample a few small frames a second and decide the grade."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain, groupby, pairwise
from operator import itemgetter

import numpy as np

from chromacord.analysis.observe import Observation, Seen, look, turned_as_stored
from chromacord.analysis.windows import WindowOf, windows
from chromacord.color.distribution import ColorDistribution
from chromacord.color.fitting import fit_affine_field, fit_gains, fit_lut3d
from chromacord.color.transforms import ColorTransform
from chromacord.errors import NonFiniteError
from chromacord.grade.keys import Consistency, Grade, Key, Shot, steady
from chromacord.io.memory import return_freed_memory
from chromacord.masks.masks import MaskedFrame
from chromacord.methods.base import Method, State, as_frames
from chromacord.types import Device, FloatArray, VideoInfo

FITS: dict[str, Callable[[FloatArray, FloatArray, FloatArray], ColorTransform]] = {
    "lut3d": fit_lut3d,
    "gains": fit_gains,
    "field": fit_affine_field,
}
"""What explains a method's pixels, by `Method.fitted`."""


@dataclass
class Tally:
    """What was counted while analysing."""

    starts: list[int] = field(default_factory=list)
    """First frame of each shot."""

    first: int = 0
    """Index of the first frame."""

    num_frames: int = 0
    num_empty: int = 0
    num_full: int = 0
    num_analysed: int = 0
    colors: list[ColorDistribution] | None = None
    """Of each shot's foreground, in the frames that are analysed; None: not kept."""

    def count(self, seen: Seen) -> None:
        """Count the next frame."""
        if not self.num_frames:
            self.first = seen.index
        if seen.shot == len(self.starts):
            self.starts.append(seen.index)
            if self.colors is not None:
                self.colors.append(ColorDistribution())
        self.num_frames += 1
        self.num_empty += seen.is_empty
        self.num_full += seen.is_full
        self.num_analysed += seen.observation is not None
        if self.colors is not None and seen.observation is not None:
            self.colors[seen.shot].add(seen.observation.composite, seen.observation.mask)


def analyse(
    frames: Iterable[MaskedFrame],
    info: VideoInfo,
    method: Method,
    *,
    name: str,
    consistency: Consistency = "smooth",
    cuts: Sequence[int] | None = None,
    exportable: bool = False,
    keep_colors: bool = False,
    device: Device = "cpu",
) -> tuple[Grade, Tally]:
    """Decide the grade of a clip.

    Args:
        frames: all frames in order; only a few a second are looked at closely.
        info: of the composite.
        method: decides.
        name: the method's, for the grade.
        consistency: how the grade may change inside a shot; "frame" looks at every frame.
        cuts: first frames of all shots but the first; None: they are to be found.
        exportable: decide only what a LUT can hold, also for methods whose grade depends on the place.
        keep_colors: count the foreground's colours too.
        device: where the method runs.

    Returns:
        The grade, and what was counted.
    """
    tally = Tally(colors=[] if keep_colors else None)
    seen = look(frames, info, method, consistency=consistency, cuts=cuts)
    decided = decide_all(
        seen, method, tally, consistency=consistency, rate=info.rate, exportable=exportable, device=device
    )
    return assemble(decided, tally, name=name, consistency=consistency, rate=info.rate), tally


def assemble(
    decided: Iterable[tuple[int, Key]], tally: Tally, *, name: str, consistency: Consistency, rate: Fraction
) -> Grade:
    """Put a clip's keys together, once all of its frames have gone by.

    Args:
        decided: the keys of all shots, each with its shot's number, in order.
        tally: is complete when `decided` has ended.
        name: the method's.
        consistency: of the keys.
        rate: frames a second.
    """
    keys = {shot: tuple(key for _, key in members) for shot, members in groupby(decided, key=itemgetter(0))}
    end = tally.first + tally.num_frames
    bounds = enumerate(pairwise([*tally.starts, end]))
    shots = tuple(Shot(start, stop, keys.get(number, ())) for number, (start, stop) in bounds)
    return Grade(shots, name, consistency, rate, end)


def decide_all(
    seen: Iterable[Seen],
    method: Method,
    tally: Tally,
    *,
    consistency: Consistency,
    rate: Fraction,
    exportable: bool = False,
    device: Device = "cpu",
) -> Iterator[tuple[int, Key]]:
    """Iterate over the keys, each with its shot's number, reading no more frames than each needs.

    Args:
        seen: what `look` gives of all frames.
        method: decides.
        tally: is filled while the frames go by.
        consistency: how steady the keys shall be.
        rate: frames a second.
        exportable: decide only what a LUT can hold.
        device: the method is moved there.
    """
    method = method.on(device)
    for shot, members in groupby(_observations(seen, tally), key=lambda observation: observation.shot):
        for key in steady(decide(members, method, exportable=exportable), consistency, rate):
            yield shot, key


def _observations(seen: Iterable[Seen], tally: Tally) -> Iterator[Observation]:
    for each in seen:
        tally.count(each)
        if each.observation is not None:
            yield each.observation


def decide(observations: Iterable[Observation], method: Method, *, exportable: bool = False) -> Iterator[Key]:
    """Run a method over one shot.

    Args:
        observations: of one shot, in order.
        method: decides.
        exportable: give only global transforms.
    """
    state: State = None

    def decide_window(window: WindowOf[Observation]) -> list[Key]:
        nonlocal state
        keys, state = _decide_window(window, method, state, exportable=exportable)
        if len(window.items) > 1:
            return_freed_memory()
        return keys

    # Drop the window's pictures before yielding the key.
    return chain.from_iterable(map(decide_window, windows(observations, method.window)))


def _decide_window(
    window: WindowOf[Observation], method: Method, state: State, *, exportable: bool
) -> tuple[list[Key], State]:
    composite = np.stack([item.composite for item in window.items])
    mask = np.stack([item.mask for item in window.items])
    past, hop = method.window.past, method.window.hop
    with np.errstate(all="ignore"):  # values that are not finite are refused below
        prediction = method.decide(composite[None], mask[None], state)
        transform = prediction.transform
        if transform is None or (exportable and not transform.is_global):
            fit = FITS["lut3d" if exportable and method.fitted == "field" else method.fitted]
            center = slice(past, past + hop)
            transform = fit(composite[center], as_frames(prediction.harmonized), mask[center])
    keys = []
    for number, item in enumerate(window.hop):
        parameters = transform.parameters[number : number + 1]
        if not transform.is_global:
            parameters = turned_as_stored(parameters, item.orientation)
        one = transform.with_parameters(parameters.copy())
        confidence = None if prediction.confidence is None else float(prediction.confidence[number])
        try:
            keys.append(Key(item.index, item.weight * (1 if confidence is None else confidence), one, confidence))
        except NonFiniteError as error:
            raise NonFiniteError(
                f"frame {item.index}: {error}; the method's weights may be damaged or unfit: give it others, or choose "
                "another method"
            ) from error
    return keys, prediction.state
