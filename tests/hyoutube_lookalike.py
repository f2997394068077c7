"""A small data set in HYouTube's layout, with its lists: shapes that move over gradients, recoloured in the foreground.

Pictures are written with OpenCV and lists as text, so that a fault in chromacord's own writers cannot hide one in its
readers.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]

HEIGHT, WIDTH = 40, 56
NUM_FRAMES = 4
SPACING = 5
GAIN = 0.6
"""What the foreground's codes are multiplied with."""

PUBLISHED = ("real_videos", "foreground_mask", "synthetic_composite_videos")
"""The folders' names in the lists: real, mask and composite."""

DESCRIBED = ("Ground-truth", "Mask", "Composite")
"""Their names in the published description."""

PAIRS = {"train": (("aa01", 1),), "test": (("bb02", 1), ("bb02", 2), ("cc03", 0))}
"""Video and number of the object, for each split."""

FIRST = {"aa01": 0, "bb02": 0, "cc03": 35}
"""Number of the first frame of each video."""


@dataclass(frozen=True)
class LookAlike:
    """How the data set is written."""

    folder: Path
    folders: tuple[str, str, str] = PUBLISHED
    """Names on the disk."""

    listed: tuple[str, str, str] = PUBLISHED
    """Names in the lists."""

    newline: str = "\r\n"
    """Of the lists of pairs; lists of frames have LF."""

    slash: str = "/"
    has_frame_lists: bool = True
    shift: int = 0
    """Added to the frame numbers: 1 makes the temporal set."""

    def write(self) -> Path:
        """Write pictures and lists; return the folder."""
        for split, pairs in PAIRS.items():
            for video, number in pairs:
                self._write_clip(video, number)
            names = [self._paths(video, f"object_{number}") for video, number in pairs]
            self._write_list(f"{split}_list.txt", names, newline=self.newline)
        if self.has_frame_lists:
            frames = [line for video, number in PAIRS["test"] for line in self._frame_lines(video, number)]
            name = "future_list.txt" if self.shift else "test_frames.txt"
            self._write_list(name, frames, newline="\n", ends=False)
            self._write_list("tl_task.txt", frames[::5], newline="\n")
        return self.folder

    def _write_clip(self, video: str, number: int) -> None:
        real, mask, composite = (self.folder / name / video for name in self.folders)
        for place in (real, mask / f"object_{number}", composite / f"object_{number}"):
            place.mkdir(parents=True, exist_ok=True)
        for index, name in enumerate(self.names(video)):
            truth, shape = make_real(video, index), make_mask(number, index)
            recolored = np.where(shape[..., None] > 0, np.uint8(GAIN * truth), truth).astype(np.uint8)
            cv2.imwrite(str(real / f"{name}.jpg"), truth[..., ::-1])
            cv2.imwrite(str(mask / f"object_{number}" / f"{name}.png"), shape)
            quality = [cv2.IMWRITE_JPEG_QUALITY, 75]
            cv2.imwrite(str(composite / f"object_{number}" / f"{name}.jpg"), recolored[..., ::-1], quality)

    def names(self, video: str) -> list[str]:
        """Return the names of a video's frames, without ending."""
        return [f"{FIRST[video] + self.shift + SPACING * index:05d}" for index in range(NUM_FRAMES)]

    def _paths(self, video: str, foreground: str) -> tuple[str, str, str]:
        real, mask, composite = self.listed
        return f"{real}/{video}", f"{mask}/{video}/{foreground}", f"{composite}/{video}/{foreground}"

    def _frame_lines(self, video: str, number: int) -> list[tuple[str, str, str]]:
        real, mask, composite = self._paths(video, f"object_{number}")
        return [(f"{real}/{name}.jpg", f"{mask}/{name}.png", f"{composite}/{name}.jpg") for name in self.names(video)]

    def _write_list(self, name: str, lines: Iterable[tuple[str, str, str]], *, newline: str, ends: bool = True) -> None:
        text = newline.join(" ".join(line) for line in lines).replace("/", self.slash) + (newline if ends else "")
        (self.folder / name).write_bytes(text.encode())


def make_lookalike(folder: Path, **options: Any) -> Path:
    """Write the data set into a folder, which is made; see `LookAlike` for the options."""
    folder.mkdir(parents=True, exist_ok=True)
    return LookAlike(folder, **options).write()


def make_real(video: str, index: int) -> Picture:
    """Draw a frame: a gradient of the video's own colours that drifts. Shape (40, 56, 3)."""
    phase = sum(map(ord, video)) / 100 + 0.05 * index
    rows, columns = np.mgrid[0 : 1 : HEIGHT * 1j, 0 : 1 : WIDTH * 1j]
    waves = [np.sin(3 * rows + phase), np.cos(2 * columns + 2 * phase), np.sin(2 * (rows + columns) - phase)]
    return np.rint(128 + 90 * np.stack(waves, axis=-1)).astype(np.uint8)


def make_mask(number: int, index: int) -> Picture:
    """Draw a disc that moves to the right, 0 or 255. Shape (40, 56)."""
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    distance = np.hypot(rows - 12 - 5 * number, columns - 18 - 4 * index)
    return np.where(distance < 9, 255, 0).astype(np.uint8)
