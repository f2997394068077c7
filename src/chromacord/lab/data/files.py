"""Data sets of files: each clip is a list of pictures, or a few video files."""

import hashlib
import json
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice, pairwise
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor

from chromacord.errors import ChromacordWarning, InputError, MismatchError, MissingFileError, counted
from chromacord.io import FrameSource, open_source
from chromacord.io.compositing.mattes import MatteReader
from chromacord.io.stills.single import Codes, RgbReader, read_matte, read_rgb
from chromacord.lab.data.item import Clip
from chromacord.lab.data.tensors import mask_tensor, picture_tensor
from chromacord.parsing import read_file, shown
from chromacord.types import Frame, Size

Item = TypeVar("Item")

MAX_LIST_BYTES = 256 << 20
"""Size limit of a file list: a million lines with three paths."""

_LONGEST_LINE = 4096
_LONGEST_NAME = 255

LISTED = 10
"""Maximum missing files named in a message; the rest are counted."""

_DARKEST_FOREGROUND = 0.25


class ClipFiles(Protocol):
    """The files of one clip."""

    @property
    def name(self) -> str:
        """See `Clip.name`."""

    @property
    def num_frames(self) -> int | None:
        """Number of frames; None if unknown before decoding."""

    @property
    def spacing(self) -> int:
        """See `Clip.spacing`."""

    def sources(self) -> Iterator[tuple[Path, str]]:
        """Return each file with the list line that names it ("test_list.txt line 3"), or an empty string."""

    def pictures(self) -> Iterator["FramePictures"]:
        """Decode the frames one by one.

        Raises:
            InputError: a file is missing or cannot be read.
        """

    def read(self, size: Size | None) -> Clip:
        """Decode the whole clip.

        Raises:
            InputError: a file is missing or cannot be read.
        """


@dataclass(frozen=True, eq=False)
class FramePictures:
    """The pictures of one frame as codes."""

    name: str
    composite: Codes
    """RGB. Shape (H, W, 3)."""

    mask: Codes
    """Foreground coverage. Shape (H, W)."""

    real: Codes | None
    """RGB; None if unknown. Shape (H, W, 3)."""

    def check_sizes(self, where: str) -> None:
        """Check that all pictures of the frame have the same size.

        Raises:
            MismatchError: they differ; names the picture.
        """
        sizes = {"mask": self.mask.shape[:2], "real": self.real.shape[:2] if self.real is not None else None}
        for kind, size in sizes.items():
            if size is not None and size != self.composite.shape[:2]:
                expected = "x".join(map(str, self.composite.shape[1::-1]))
                raise MismatchError(
                    f"{where} frame {self.name}: the composite is {expected}, the {kind} {size[1]}x{size[0]}; "
                    "they must have one size"
                )


@dataclass(frozen=True)
class PictureFiles:
    """A clip with one picture file per frame."""

    name: str
    frames: tuple[str, ...]
    composites: tuple[Path, ...]
    masks: tuple[Path, ...]
    reals: tuple[Path, ...] | None = None
    foreground: str | None = None
    spacing: int = 1
    origins: tuple[str, ...] = ()
    """List line that names each frame; empty if no list does."""

    labels: frozenset[int] | None = None
    """Labels that form the foreground, if masks hold labels; an empty set means all above 0."""

    is_strict: bool = True
    """Refuse frames whose pictures differ in size even if they are resized anyway."""

    @property
    def num_frames(self) -> int:
        """Number of frames."""
        return len(self.frames)

    def sources(self) -> Iterator[tuple[Path, str]]:
        """Return each file and the list line that names it. See `ClipFiles.sources`."""
        for paths in (self.composites, self.masks, self.reals or ()):
            for index, path in enumerate(paths):
                yield path, self._origin(index)

    def pictures(self) -> Iterator[FramePictures]:
        """Decode the frames. See `ClipFiles.pictures`."""
        for index, frame in enumerate(self.frames):
            with _naming(self._origin(index)):
                composite, mask = read_rgb(self.composites[index]), read_matte(self.masks[index])
                real = read_rgb(self.reals[index]) if self.reals is not None else None
            yield FramePictures(frame, composite, self._union(mask), real)

    def read(self, size: Size | None) -> Clip:
        """Decode the clip. See `ClipFiles.read`."""
        return stack_pictures(self, size, is_strict=self.is_strict, foreground=self.foreground, spacing=self.spacing)

    def part(self, indices: Sequence[int]) -> "PictureFiles":
        """Return a clip with some of the frames, in any order, without reading any."""
        return replace(
            self,
            frames=_picked(self.frames, indices),
            composites=_picked(self.composites, indices),
            masks=_picked(self.masks, indices),
            reals=_picked(self.reals, indices) if self.reals is not None else None,
            origins=_picked(self.origins, indices) if self.origins else (),
        )

    def spread(self, count: int) -> "PictureFiles":
        """Return a clip with `count` frames, evenly spaced; the clip itself if it is not longer."""
        if count >= self.num_frames:
            return self
        indices = [(2 * number + 1) * self.num_frames // (2 * count) for number in range(count)]
        step = min((b - a for a, b in pairwise(indices)), default=self.num_frames)
        return replace(self.part(indices), spacing=self.spacing * step)

    def _origin(self, index: int) -> str:
        return self.origins[index] if self.origins else ""

    def _union(self, mask: Codes) -> Codes:
        if self.labels is None:
            return mask
        chosen = np.isin(mask, list(self.labels)) if self.labels else mask > 0
        return np.where(chosen, np.uint8(255), np.uint8(0))


@dataclass(frozen=True)
class VideoFiles:
    """A clip of video files. A still mask applies to all frames."""

    name: str
    composite: Path
    mask: Path
    real: Path | None = None
    max_frames: int | None = None
    foreground: str | None = None
    spacing: int = 1

    @property
    def num_frames(self) -> int | None:
        """Number of frames according to the container, limited by `max_frames`."""
        stated = open_source(self.composite).info.num_frames
        return min(stated, self.max_frames) if stated and self.max_frames else stated or self.max_frames

    def sources(self) -> Iterator[tuple[Path, str]]:
        """Return each file. See `ClipFiles.sources`."""
        yield from ((path, "") for path in (self.composite, self.mask, self.real) if path is not None)

    def pictures(self) -> Iterator[FramePictures]:
        """Decode the files in parallel, frame by frame. See `ClipFiles.pictures`."""
        composite, matte = open_source(self.composite), open_source(self.mask)
        to_rgb, to_matte = RgbReader(composite.info), MatteReader(matte.info, from_alpha=False)
        real = open_source(self.real) if self.real is not None else None
        to_real = RgbReader(real.info) if real is not None else None
        mattes, reals = self._frames(matte), self._frames(real) if real is not None else None
        for frame in composite.frames(0, self.max_frames):
            name = f"{frame.index * self.spacing:05d}"
            mask: Codes = to_matte.read(self._next(mattes, frame, self.mask).planes)  # type: ignore[assignment]
            truth = None
            if reals is not None and to_real is not None and self.real is not None:
                truth = to_real.read(self._next(reals, frame, self.real))
            yield FramePictures(name, to_rgb.read(frame), mask, truth)

    def read(self, size: Size | None) -> Clip:
        """Decode the clip. See `ClipFiles.read`."""
        return stack_pictures(self, size, is_strict=True, foreground=self.foreground, spacing=self.spacing)

    def _frames(self, source: FrameSource) -> Iterator[Frame]:
        while True:
            yield from source.frames()
            if source.info.container != "still":
                return

    def _next(self, frames: Iterator[Frame], frame: Frame, path: Path) -> Frame:
        for found in islice(frames, 1):
            return found
        raise MismatchError(
            f"{path}: ends before frame {frame.index} of {self.composite}; they must have the same length"
        )


class FileDataset:
    """Clips in files, read on demand and not cached."""

    def __init__(self, name: str, clips: Iterable[ClipFiles], *, size: Size | None) -> None:
        """Store the list of clips without reading pictures.

        Args:
            name: name of the data set in tables.
            clips: the clips in order, with unique names.
            size: size to resize to; None: keep the original size.

        Raises:
            InputError: there are no clips, or two have the same name.
        """
        self.name = name
        self.clips = tuple(clips)
        self._size = size
        if not self.clips:
            raise InputError(f"{name}: holds no clips")
        called, times = Counter(self.names).most_common(1)[0]
        if times > 1:
            raise InputError(f"{name}: {times} clips are called {called}; each needs a unique name")

    @property
    def names(self) -> tuple[str, ...]:
        """The name of each clip."""
        return tuple(clip.name for clip in self.clips)

    @property
    def fingerprint(self) -> str:
        """Hash of the names of clips and files, and of file sizes. See `ClipDataset.fingerprint`."""
        digest = hashlib.sha256()
        for clip in self.clips:
            files = [(path.name, path.stat().st_size if path.exists() else None) for path, _ in clip.sources()]
            digest.update(json.dumps([clip.name, files]).encode())
        return digest.hexdigest()

    def __len__(self) -> int:
        """Return the number of clips."""
        return len(self.clips)

    def spread(self, count: int) -> "FileDataset":
        """Return the same clips, each with `count` frames, evenly spaced.

        Args:
            count: number of frames, 1 or more.

        Raises:
            InputError: a clip is a video file, from which single frames cannot be picked.
        """
        if count < 1:
            raise InputError(f"the number of frames of each clip must be 1 or more, got {count}")
        for clip in self.clips:
            if not isinstance(clip, PictureFiles):
                raise InputError(f"{clip.name}: is a video file; --frames needs folders of pictures")
        clips = [clip.spread(count) for clip in self.clips if isinstance(clip, PictureFiles)]
        return FileDataset(self.name, clips, size=self._size)

    def __getitem__(self, index: int) -> Clip:
        """Read a clip. See `ClipDataset.__getitem__`."""
        return self.clips[index].read(self._size)


def _picked(values: Sequence[Item], indices: Sequence[int]) -> tuple[Item, ...]:
    return tuple(values[index] for index in indices)


def read_lines(path: Path) -> Iterator[str]:
    """Iterate over the lines of a file list. Bytes that are not UTF-8 become replacement characters.

    Raises:
        InputError: the list cannot be read, or a line cannot be a file name.
    """
    text = read_file(path, limit=MAX_LIST_BYTES).decode("utf-8-sig", errors="replace")
    for number, line in enumerate(text.splitlines(), start=1):
        parts = line.replace("\\", "/").replace("/", " ").split()
        if len(line) > _LONGEST_LINE or "\0" in line or any(len(part.encode()) > _LONGEST_NAME for part in parts):
            raise InputError(f"{path} line {number}: this cannot be a file name: {shown(line)}")
        yield line


def check_files(clips: Sequence[ClipFiles], *, where: str) -> None:
    """Check that all files exist, listing each folder once.

    Args:
        clips: clips of a data set.
        where: what names the files, such as "test_list.txt".

    Raises:
        MissingFileError: files are missing; names the first ten and counts the rest.
    """
    known: dict[str, set[str]] = {}
    missing: list[str] = []
    for clip in clips:
        for path, origin in clip.sources():
            folder = str(path.parent)
            if folder not in known:
                known[folder] = {entry.name for entry in path.parent.iterdir()} if path.parent.is_dir() else set()
            if path.name not in known[folder]:
                missing.append(f"{path} ({origin})" if origin else str(path))
    if missing:
        more = f", and {len(missing) - LISTED} more" if len(missing) > LISTED else ""
        raise MissingFileError(
            f"{where}: {counted(len(missing), 'file', ('does', 'do'))} not exist: {', '.join(missing[:LISTED])}{more}"
        )


def stack_pictures(
    files: ClipFiles, size: Size | None, *, is_strict: bool, foreground: str | None, spacing: int
) -> Clip:
    """Decode a clip's frames into tensors.

    Args:
        files: the clip's files.
        size: size to resize to; None: keep the original size.
        is_strict: refuse frames whose pictures differ in size even if they are resized anyway.
        foreground: see `Clip.foreground`.
        spacing: see `Clip.spacing`.

    Raises:
        InputError: there are no frames, or one cannot be read.
        MismatchError: sizes differ.
    """
    names: list[str] = []
    composites: list[Tensor] = []
    masks: list[Tensor] = []
    reals: list[Tensor] = []
    for pictures in files.pictures():
        if is_strict or size is None:
            pictures.check_sizes(files.name)
        names.append(pictures.name)
        composites.append(picture_tensor(pictures.composite, size))
        masks.append(mask_tensor(pictures.mask, size))
        if pictures.real is not None:
            reals.append(picture_tensor(pictures.real, size))
        if composites[-1].shape != composites[0].shape:
            raise MismatchError(f"{files.name} frame {pictures.name}: differs in size from the clip's first frame")
    if not names:
        raise InputError(f"{files.name}: has no frames")
    mask = torch.stack(masks)
    if 0 < mask.max() < _DARKEST_FOREGROUND:
        message = f"{files.name}: the mask's largest value is {255 * float(mask.max()):.0f} of 255; are these labels?"
        warnings.warn(ChromacordWarning(message), stacklevel=3)
    real = torch.stack(reals) if reals else None
    return Clip(files.name, torch.stack(composites), mask, real, tuple(names), foreground, spacing)


@contextmanager
def _naming(origin: str) -> Iterator[None]:
    """Add the list line that names the file to any error raised in the block."""
    try:
        yield
    except InputError as error:
        if not origin:
            raise
        raise type(error)(f"{error} ({origin})") from error
