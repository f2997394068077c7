"""The interface of data sets: clips of named tensors, in a fixed order."""

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor


@dataclass(frozen=True, eq=False)
class Clip:
    """One item of a data set: the frames of one foreground in one video.

    T is the number of frames, 1 for a still.
    """

    name: str
    """Unique in the data set, parts divided by "/", as "003234408d/object_2"."""

    composite: Tensor
    """Display-referred RGB in [0, 1]. Shape (T, 3, H, W)."""

    mask: Tensor
    """Foreground weight in [0, 1], 1 is foreground. Shape (T, 1, H, W)."""

    real: Tensor | None
    """The frames as they were filmed, in [0, 1]; None if unknown. Shape (T, 3, H, W)."""

    frames: tuple[str, ...]
    """Name of each frame as the data set's files have it, without the ending, as "00005"."""

    foreground: str | None = None
    """Which foreground of the video this is, where it has several, as "object_2"."""

    spacing: int = 1
    """Frames of the video from one frame of the clip to the next: 5 in HYouTube. Temporal figures need 1."""

    @property
    def keys(self) -> tuple[str, ...]:
        """Path of each frame in a folder of predictions, without the ending: name and frame; of a still the name."""
        return frame_keys(self.name, self.frames)


def frame_keys(name: str, frames: tuple[str, ...]) -> tuple[str, ...]:
    """Return `Clip.keys` of a clip by its name and its frames' names."""
    is_still = name.rpartition("/")[2] == frames[0] and len(frames) == 1
    return (name,) if is_still else tuple(f"{name}/{frame}" for frame in frames)


class ClipDataset(Protocol):
    """A sequence of clips; each is read when it is asked for, and not kept."""

    name: str
    """What tables call the data set, as "hyoutube-test"."""

    @property
    def names(self) -> tuple[str, ...]:
        """The name of each clip; nothing is decoded for it."""

    @property
    def fingerprint(self) -> str:
        """64 hexadecimal digits that stand for the clips, their frames and files: another data set has others.

        The size at which clips are read does not change it.
        """

    def __len__(self) -> int:
        """Return the number of clips."""

    def __getitem__(self, index: int) -> Clip:
        """Read a clip.

        Raises:
            InputError: a file is missing or cannot be read; says which, and which line of a list names it.
            IndexError: there is no such clip.
        """
