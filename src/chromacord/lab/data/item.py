"""The interface of data sets: clips of named tensors in a fixed order."""

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor


@dataclass(frozen=True, eq=False)
class Clip:
    """One item of a data set: the frames of one foreground in one video.

    T is the number of frames, 1 for a still.
    """

    name: str
    """Unique name in the data set, with parts separated by "/", such as "003234408d/object_2"."""

    composite: Tensor
    """Display-referred RGB in [0, 1]. Shape (T, 3, H, W)."""

    mask: Tensor
    """Foreground weight in [0, 1], 1 is foreground. Shape (T, 1, H, W)."""

    real: Tensor | None
    """The ground truth in [0, 1]; None if unknown. Shape (T, 3, H, W)."""

    frames: tuple[str, ...]
    """Name of each frame in the data set's files, without the suffix, such as "00005"."""

    foreground: str | None = None
    """The foreground's name if its video has several, such as "object_2"."""

    spacing: int = 1
    """Step between the clip's frames in the video: 5 in HYouTube. Temporal metrics require 1."""

    @property
    def keys(self) -> tuple[str, ...]:
        """Path of each frame in a folder of predictions, without the suffix: name and frame; for a still, the name."""
        return frame_keys(self.name, self.frames)


def frame_keys(name: str, frames: tuple[str, ...]) -> tuple[str, ...]:
    """Return `Clip.keys` for a clip's name and frame names."""
    is_still = name.rpartition("/")[2] == frames[0] and len(frames) == 1
    return (name,) if is_still else tuple(f"{name}/{frame}" for frame in frames)


class ClipDataset(Protocol):
    """A sequence of clips, read on demand and not cached."""

    name: str
    """Name of the data set in tables, such as "hyoutube-test"."""

    @property
    def names(self) -> tuple[str, ...]:
        """The name of each clip; decodes nothing."""

    @property
    def fingerprint(self) -> str:
        """Hash that identifies the clips, their frames and files, as 64 hexadecimal digits.

        The size to which clips are resized does not change it.
        """

    def __len__(self) -> int:
        """Return the number of clips."""

    def __getitem__(self, index: int) -> Clip:
        """Read a clip.

        Raises:
            InputError: a file is missing or unreadable; names it, and the list line that names it.
            IndexError: the index is out of range.
        """
