"""Run a method over a whole clip of a data set, at working size or at the clip's own size."""

import time
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from chromacord.analysis.windows import windows
from chromacord.api import harmonize_frames
from chromacord.errors import ChromacordError, InputError
from chromacord.lab.data.item import Clip
from chromacord.lab.metrics.protocols import foreground_error, lay_over
from chromacord.methods.base import Method

VIDEO_RATE = 30
"""Frame rate assumed for videos, close to most of HYouTube's; clips with skipped frames have less. It determines how
often the pipeline analyses a clip, and how fast its grade may change."""


class Passes(NamedTuple):
    """Result of harmonizing a clip."""

    harmonized: Tensor
    """Result of the last pass. RGB in [0, 1]. Shape (T, 3, H, W)."""

    change_by_pass: tuple[Tensor, ...] = ()
    """With several passes, `foreground_error` between each pass's input and output."""

    seconds: float = 0.0
    """CPU time of all passes."""


def run_passes(clip: Clip, harmonize: Callable[[Clip], Tensor], passes: int) -> Passes:
    """Harmonize a clip, then the result, and so on.

    Args:
        clip: input of the first pass.
        harmonize: one pass; returns RGB in [0, 1]. Shape (T, 3, H, W).
        passes: number of passes, 1 or more.

    Raises:
        InputError: a pass returned NaN or infinity; names the clip.
    """
    change: list[Tensor] = []
    seconds = 0.0
    for number in range(1, passes + 1):
        started = time.process_time()
        harmonized = harmonize(clip)
        seconds += time.process_time() - started
        if passes > 1:
            try:
                change.append(foreground_error(harmonized, clip.composite, clip.mask))
            except ChromacordError as error:
                raise InputError(f"{clip.name}, pass {number}: {error}") from error
        # The next pass sees what this one made, while ground truth and mask stay.
        clip = replace(clip, composite=harmonized)
    return Passes(clip.composite, tuple(change), seconds)


def harmonize_at_working_size(clip: Clip, method: Method) -> Tensor:
    """Run a method over all windows of a clip, and use its pixels directly.

    Args:
        clip: at the method's working size.
        method: in evaluation mode.

    Returns:
        RGB in [0, 1], composited over the background by the soft mask. Shape (T, 3, H, W).

    Raises:
        InputError: the clip has another size.
    """
    size = tuple(clip.composite.shape[-2:])
    if method.working_size is not None and size != tuple(method.working_size):
        height, width = method.working_size
        raise InputError(
            f"{type(method).__name__} works at {height}x{width}, not at {size[0]}x{size[1]}; measure it at that size, "
            "or at the clips' own size through the whole pipeline (--full)"
        )
    state = None
    parts = []
    with torch.inference_mode():
        for window in windows(range(len(clip.frames)), method.window):
            composite, mask = (each[window.items][None].numpy() for each in (clip.composite, clip.mask))
            prediction = method.harmonize(composite, mask, state)
            state = prediction.state
            # The last window repeats frames to be full; results for the repetitions are dropped.
            parts.append(torch.from_numpy(prediction.harmonized[0, : len(window.hop)]))
        return lay_over(torch.cat(parts), clip.composite, clip.mask)


def harmonize_at_own_size(clip: Clip, method: Method) -> Tensor:
    """Run a clip through the whole pipeline: analysed small, smoothed over time, rendered at the clip's size.

    Args:
        clip: at its own size.
        method: in evaluation mode.

    Returns:
        RGB in [0, 1]. Shape (T, 3, H, W).
    """
    composites = clip.composite.permute(0, 2, 3, 1).contiguous().numpy()
    masks = clip.mask[:, 0].contiguous().numpy()
    rate = Fraction(VIDEO_RATE, clip.spacing)
    frames = harmonize_frames(zip(composites, masks, strict=True), method, rate=rate)
    return torch.from_numpy(np.stack(list(frames))).permute(0, 3, 1, 2)
