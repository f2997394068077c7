"""Clips whose foreground gets one adjustment each when they are read.

Each clip yields one clip per adjustment, `<clip>/<adjustment>`, with the original frames as ground truth.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from chromacord.color.alpha import over
from chromacord.errors import InputError
from chromacord.io.stills.single import Codes
from chromacord.lab.color.adjustments import ADJUSTMENTS
from chromacord.lab.composites.synthesis import Bytes, to_bytes
from chromacord.lab.data.files import ClipFiles, FileDataset, FramePictures, stack_pictures
from chromacord.lab.data.item import Clip
from chromacord.types import Size


@dataclass(frozen=True)
class AdjustedFiles:
    """A clip with one adjustment, applied to its real frames or, if there are none, to its composites."""

    source: ClipFiles
    adjustment: str
    """A key of `chromacord.lab.color.adjustments.ADJUSTMENTS`."""

    @property
    def name(self) -> str:
        """The clip's name followed by the adjustment's."""
        return f"{self.source.name}/{self.adjustment}"

    @property
    def num_frames(self) -> int | None:
        """The clip's number of frames. See `ClipFiles.num_frames`."""
        return self.source.num_frames

    @property
    def spacing(self) -> int:
        """The clip's spacing. See `Clip.spacing`."""
        return self.source.spacing

    def sources(self) -> Iterator[tuple[Path, str]]:
        """Return the clip's files. See `ClipFiles.sources`."""
        return self.source.sources()

    def pictures(self) -> Iterator[FramePictures]:
        """Decode and adjust the frames. See `ClipFiles.pictures`."""
        for frame in self.source.pictures():
            frame.check_sizes(self.source.name)
            real = to_bytes(frame.composite if frame.real is None else frame.real)
            yield FramePictures(frame.name, adjust_codes(real, frame.mask, self.adjustment), frame.mask, real)

    def read(self, size: Size | None) -> Clip:
        """Decode the clip. See `ClipFiles.read`."""
        return stack_pictures(self, size, is_strict=True, foreground=self.adjustment, spacing=self.spacing)


def adjust_clips(dataset: FileDataset, adjustments: Sequence[str], *, name: str, size: Size | None) -> FileDataset:
    """Return a data set with each clip under each adjustment.

    Args:
        dataset: the clips to adjust.
        adjustments: keys of `chromacord.lab.color.adjustments.ADJUSTMENTS`.
        name: name of the new data set in tables.
        size: size to resize to after adjusting; None: keep the original size.

    Raises:
        InputError: an adjustment does not exist.
    """
    for adjustment in adjustments:
        if adjustment not in ADJUSTMENTS:
            raise InputError(f"there is no adjustment {adjustment!r}; choose one of {', '.join(ADJUSTMENTS)}")
    clips = [AdjustedFiles(clip, adjustment) for clip in dataset.clips for adjustment in adjustments]
    return FileDataset(name, clips, size=size)


def adjust_codes(real: Bytes, mask: Codes, adjustment: str) -> Bytes:
    """Adjust a frame's foreground, clip and round it to 8 bits, and blend it over the frame by the mask.

    Args:
        real: RGB. Shape (H, W, 3).
        mask: coverage as codes. Shape (H, W).
        adjustment: a key of `chromacord.lab.color.adjustments.ADJUSTMENTS`.

    Returns:
        The composite. Shape (H, W, 3).
    """
    composite = real.copy()
    foreground = mask != 0
    colors = torch.from_numpy(real[foreground].astype(np.float64)).T[:, None]
    if colors.numel():
        # In double precision: the benchmark's codes must not depend on the machine's rounding.
        changed = (255 * ADJUSTMENTS[adjustment](colors / 255)).clamp(0, 255).round()
        weight = torch.from_numpy(mask[foreground] / np.iinfo(mask.dtype).max)
        composite[foreground] = over(changed, colors, weight).round()[:, 0].T.numpy().astype(np.uint8)
    return composite
