"""Clips with one foreground adjustment each, made when they are read.

Each clip of a data set gives one clip for each adjustment, `<clip>/<adjustment>`, whose real frames are the clip's own.
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
    """A clip by one adjustment. Where it has real frames those are adjusted, else its composites are taken for real."""

    source: ClipFiles
    adjustment: str
    """A key of `chromacord.lab.color.adjustments.ADJUSTMENTS`."""

    @property
    def name(self) -> str:
        """The clip's name and the adjustment's."""
        return f"{self.source.name}/{self.adjustment}"

    @property
    def num_frames(self) -> int | None:
        """How many frames the clip has. See `ClipFiles.num_frames`."""
        return self.source.num_frames

    @property
    def spacing(self) -> int:
        """The clip's. See `Clip.spacing`."""
        return self.source.spacing

    def sources(self) -> Iterator[tuple[Path, str]]:
        """Give the clip's files. See `ClipFiles.sources`."""
        return self.source.sources()

    def pictures(self) -> Iterator[FramePictures]:
        """Decode the frames and adjust them. See `ClipFiles.pictures`."""
        for frame in self.source.pictures():
            frame.check_sizes(self.source.name)
            real = to_bytes(frame.composite if frame.real is None else frame.real)
            yield FramePictures(frame.name, adjust_codes(real, frame.mask, self.adjustment), frame.mask, real)

    def read(self, size: Size | None) -> Clip:
        """Decode the clip. See `ClipFiles.read`."""
        return stack_pictures(self, size, is_strict=True, foreground=self.adjustment, spacing=self.spacing)


def adjust_clips(dataset: FileDataset, adjustments: Sequence[str], *, name: str, size: Size | None) -> FileDataset:
    """Return a data set of a data set's clips, each by each adjustment.

    Args:
        dataset: whose clips are adjusted.
        adjustments: keys of `chromacord.lab.color.adjustments.ADJUSTMENTS`.
        name: what tables call the data set.
        size: what pictures are resized to, after they were adjusted; None: as they are.

    Raises:
        InputError: there is no such adjustment.
    """
    for adjustment in adjustments:
        if adjustment not in ADJUSTMENTS:
            raise InputError(f"there is no adjustment {adjustment!r}; choose one of {', '.join(ADJUSTMENTS)}")
    clips = [AdjustedFiles(clip, adjustment) for clip in dataset.clips for adjustment in adjustments]
    return FileDataset(name, clips, size=size)


def adjust_codes(real: Bytes, mask: Codes, adjustment: str) -> Bytes:
    """Adjust the foreground of a frame: clipped, rounded to 8 bits, laid over the frame with the mask as weight.

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
        changed = (255 * ADJUSTMENTS[adjustment](colors / 255)).clamp(0, 255).round()
        weight = torch.from_numpy(mask[foreground] / np.iinfo(mask.dtype).max)
        composite[foreground] = over(changed, colors, weight).round()[:, 0].T.numpy().astype(np.uint8)
    return composite
