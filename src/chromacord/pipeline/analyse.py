"""Pass 1: look at a few frames a second, small, and decide the grade."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import groupby, pairwise
from operator import itemgetter

import torch
from torch import Tensor

from chromacord.color.fitting import fit_affine_field, fit_gains, fit_lut3d
from chromacord.color.transforms import ColorTransform
from chromacord.methods.base import Method, State
from chromacord.pipeline.device import CPU, full_precision
from chromacord.pipeline.device_proxy import device_proxy, device_weights
from chromacord.pipeline.grade import Consistency, Grade, Key, Shot, steady
from chromacord.pipeline.masks import Mask, MaskedFrame
from chromacord.pipeline.proxy import proxy, thumbnail
from chromacord.pipeline.shots import split_shots
from chromacord.pipeline.windows import windows
from chromacord.types import Frame, Size, VideoInfo

ANALYSIS_RATE = 6
"""Frames a second that are looked at: the spacing of HYouTube, which methods are trained on."""

ANY_SIZE = 160
"""Longer side of the proxy for methods that take any size: statistics of colour and light need no more."""

FITS: dict[str, Callable[[Tensor, Tensor, Tensor], ColorTransform]] = {
    "lut3d": fit_lut3d,
    "gains": fit_gains,
    "field": fit_affine_field,
}
"""What explains a method's pixels, by `Method.fitted`."""


@dataclass(frozen=True)
class Observation:
    """What a method sees of one frame."""

    index: int
    shot: int
    composite: Tensor
    """RGB in [0, 1]. Shape (3, H, W)."""

    mask: Tensor
    """Shape (1, H, W)."""

    weight: float
    """Share of the picture that is foreground."""


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


def analyse(
    frames: Iterable[MaskedFrame],
    info: VideoInfo,
    method: Method,
    *,
    name: str,
    consistency: Consistency = "smooth",
    exportable: bool = False,
    device: torch.device = CPU,
) -> tuple[Grade, Tally]:
    """Decide the grade of a clip.

    Args:
        frames: all frames in order; only a few a second are looked at closely.
        info: of the composite.
        method: decides.
        name: the method's, for the grade.
        consistency: how the grade may change inside a shot; "frame" looks at every frame.
        exportable: decide only what a LUT can hold, also for methods whose grade depends on the place.
        device: where proxies are made and the method runs; the grade is on the CPU.

    Returns:
        The grade, and what was counted.
    """
    tally = Tally()
    decided = decide_all(frames, info, method, tally, consistency=consistency, exportable=exportable, device=device)
    keys = {
        shot: steady(tuple(key for _, key in members), consistency, info.rate)
        for shot, members in groupby(decided, key=itemgetter(0))
    }
    end = tally.first + tally.num_frames
    bounds = enumerate(pairwise([*tally.starts, end]))
    shots = tuple(Shot(start, stop, keys.get(number, ())) for number, (start, stop) in bounds)
    return Grade(shots, name, consistency, info.rate, end), tally


def decide_all(
    frames: Iterable[MaskedFrame],
    info: VideoInfo,
    method: Method,
    tally: Tally,
    *,
    consistency: Consistency,
    exportable: bool = False,
    device: torch.device = CPU,
) -> Iterator[tuple[int, Key]]:
    """Iterate over the shots' numbers and their keys, not yet smoothed, reading no more frames than needed.

    Args:
        frames: all frames in order.
        info: of the composite.
        method: decides.
        tally: is filled while the frames go by.
        consistency: "frame" looks at every frame.
        exportable: decide only what a LUT can hold.
        device: the method is moved there.
    """
    method = method.to(device)
    step = 1 if consistency == "frame" else step_between_keys(info.rate)
    seen = observe(frames, info, working_size(method, info), step, tally, device)
    for shot, members in groupby(seen, key=lambda observation: observation.shot):
        for key in decide(members, method, exportable=exportable):
            yield shot, key


def observe(
    frames: Iterable[MaskedFrame], info: VideoInfo, size: Size, step: int, tally: Tally, device: torch.device = CPU
) -> Iterator[Observation]:
    """Iterate over what the method shall see: every `step`-th frame of a shot, or the next one with a usable mask.

    Args:
        frames: all frames in order.
        info: of the composite.
        size: of the proxies.
        step: in frames, 1 or more.
        tally: is filled while the frames go by.
        device: where the proxies are made.
    """
    due, last_shot = 0, -1
    for (frame, mask, _), shot in split_shots(frames, lambda item: thumbnail(item.frame, info)):
        if not tally.num_frames:
            tally.first = frame.index
        if shot != last_shot:
            due, last_shot = frame.index, shot
            tally.starts.append(frame.index)
        tally.num_frames += 1
        tally.num_empty += mask.box is None
        tally.num_full += mask.is_full
        if mask.is_usable and frame.index >= due:
            due = frame.index + step
            tally.num_analysed += 1
            rgb, weights = _proxies(frame, mask, info, size, device)
            yield Observation(frame.index, shot, rgb, weights, float(weights.mean()))


def _proxies(frame: Frame, mask: Mask, info: VideoInfo, size: Size, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return a frame and its mask, small. Shape (3, H, W), (1, H, W)."""
    if device.type != "cpu":
        return device_proxy(frame, info, size, device), device_weights(mask, size, device)
    rgb = torch.from_numpy(proxy(frame, info, size)).permute(2, 0, 1).contiguous()
    return rgb, torch.from_numpy(mask.scaled(size))[None]


@torch.inference_mode()
def decide(observations: Iterable[Observation], method: Method, *, exportable: bool = False) -> Iterator[Key]:
    """Run a method over one shot.

    Args:
        observations: of one shot, in order.
        method: decides.
        exportable: give only global transforms.
    """
    fit = FITS["lut3d" if exportable and method.fitted == "field" else method.fitted]
    state: State = None
    for items, hop in windows(observations, method.window):
        composite = torch.stack([item.composite for item in items])
        mask = torch.stack([item.mask for item in items])
        with full_precision():
            prediction = method.decide(composite[None], mask[None], state)
            state = prediction.state
            past = method.window.past
            center = slice(past, past + method.window.hop)
            transform = prediction.transform
            if transform is None or (exportable and not transform.is_global):
                transform = fit(composite[center], prediction.harmonized.flatten(0, 1), mask[center])
        for number, item in enumerate(hop):
            one = transform.with_parameters(transform.parameters[number : number + 1].to(CPU, copy=True))
            if prediction.confidence is None:
                yield Key(item.index, item.weight, one)
            else:
                confidence = float(prediction.confidence[number])
                yield Key(item.index, item.weight * confidence, one, confidence)


def step_between_keys(rate: Fraction) -> int:
    """Return how many frames lie between two that are looked at.

    Args:
        rate: frames a second.
    """
    return max(1, round(rate / ANALYSIS_RATE))


def working_size(method: Method, info: VideoInfo) -> Size:
    """Return the size of proxies for a method: its own, or one that keeps the picture's shape."""
    if method.working_size is not None:
        return method.working_size
    scale = min(1.0, ANY_SIZE / max(info.size))
    return Size(max(1, round(info.size.height * scale)), max(1, round(info.size.width * scale)))
