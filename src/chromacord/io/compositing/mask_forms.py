"""Masks that are not white on black: inverted, label values, 0 and 1, or alpha. `FILE@FORM` names the form."""

import re
import warnings
from collections.abc import Generator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from chromacord.errors import ChromacordWarning, InputError
from chromacord.io import open_source
from chromacord.io.compositing.mattes import MatteReader, is_lossy, matte_plane
from chromacord.io.interfaces import FrameSource
from chromacord.types import Frame, Plane, VideoInfo

_FORM = re.compile(r"(.+)@(inverted|alpha|luma|label=[0-9]{1,5}(?:\+[0-9]{1,5})*)", re.DOTALL)

_NUM_FRAMES, _MOST_FRAMES = 12, 48
"""Frames with foreground to examine for 0 and 1, and frames to search for them."""

_MOST_VALUES = 8
"""Values listed in a message."""


def split_form(path: Path | str) -> tuple[Path, str | None]:
    """Return a mask's file and its form (None if not stated). An existing file of exactly this name has no form."""
    found = _FORM.fullmatch(str(path))
    try:
        # A file that really ends in "@alpha" must stay reachable.
        is_file = found is not None and Path(path).exists()
    except (OSError, ValueError):
        is_file = False
    return (Path(path), None) if found is None or is_file else (Path(found[1]), found[2])


def open_mask(path: Path | str, **how: Any) -> FrameSource:
    """Open a mask of any form as a source of grey frames in which white is the foreground.

    Args:
        path: a file, a folder or a pattern; for masks that are not white on black followed by "@" and a form:
            "inverted", "label=N" or "label=N+M", "alpha", "luma".
        how: arguments of `open_source`.

    Warns:
        ChromacordWarning: it holds only 0 and 1, or lacks a label.

    Raises:
        ChromacordError: it cannot be opened, or read in that form.
    """
    file, form = split_form(path)
    source = open_source(file, **how)
    if form == "inverted":
        return FormedMask(source, from_alpha=False, is_inverted=True)
    if form in ("alpha", "luma"):
        if form == "alpha" and not source.has_alpha:
            raise InputError(f"{file}: has no alpha; leave @alpha out")
        return FormedMask(source, from_alpha=form == "alpha")
    if form is not None:
        labels = [int(label) for label in form.removeprefix("label=").split("+")]
        _check_labels(source, labels)
        return FormedMask(source, labels=labels)
    if _is_zero_and_one(source):
        warnings.warn(f"{file}: holds only 0 and 1; 1 is read as white", ChromacordWarning, stacklevel=2)
        return FormedMask(source, labels=[1], is_all=True)
    return source


class FormedMask(FrameSource):
    """A source of grey masks, made from a source of another form."""

    def __init__(
        self,
        source: FrameSource,
        *,
        labels: list[int] | None = None,
        is_all: bool = False,
        from_alpha: bool = False,
        is_inverted: bool = False,
    ) -> None:
        """Set how codes are mapped to coverage.

        Args:
            source: the mask as it is stored.
            labels: codes that are foreground. None: coverage.
            is_all: whether `labels` are all labels of the mask; higher codes are then an error.
            from_alpha: read alpha; otherwise luma.
            is_inverted: black is foreground.
        """
        self._source, self._labels, self._is_all, self._is_inverted = source, labels, is_all, is_inverted
        self._reader = MatteReader(source.info, from_alpha=from_alpha)
        self._white = self._reader.info.pixel_format.max_code
        self.info = self._reader.info

    def frames(self, start: int = 0, stop: int | None = None) -> Generator[Frame, None, None]:
        """See the interface."""
        with closing(self._source.frames(start, stop)) as frames:
            for frame in frames:
                yield Frame((self._plane(frame),), frame.index, frame.pts, frame.duration)

    def _plane(self, frame: Frame) -> Plane:
        if self._labels is None:
            codes = self._reader.read(frame.planes)
            return (self._white - codes).astype(codes.dtype) if self._is_inverted else codes
        values = _values(frame, self._source.info)
        if self._is_all and values.max() > max(self._labels):
            raise InputError(
                f"{self.info.path}: frame {frame.index} has the value {values.max()}, frames before only 0 and 1; give "
                "@label=1 if these are labels, or @luma if they are coverage"
            )
        return np.where(np.isin(values, self._labels), self._white, 0).astype(self.info.pixel_format.dtype)


def _values(frame: Frame, info: VideoInfo) -> Plane:
    """Return a frame's codes.

    Raises:
        InputError: it has colours, which are no values.
    """
    pixel_format = info.pixel_format
    if pixel_format.model == "rgb":
        red, *others = frame.planes[: pixel_format.num_colors]
        if any(not np.array_equal(red, other) for other in others):
            raise InputError(f"{info.path}: its labels are colours; give a grey picture of label numbers")
        return red
    return frame.planes[0]


def _check_labels(source: FrameSource, labels: list[int]) -> None:
    """Refuse a source without exact codes; name labels that its first frame lacks."""
    info = source.info
    if info.pixel_format.is_float or is_lossy(info, from_alpha=False):
        raise InputError(f"{info.path}: is not lossless; labels need a lossless file of whole numbers, such as PNG")
    with closing(source.frames(0, 1)) as frames:
        found = np.unique(_values(next(frames), info))
    if absent := [str(label) for label in labels if label not in found]:
        values = ", ".join(map(str, found[:_MOST_VALUES])) + (" ..." if len(found) > _MOST_VALUES else "")
        message = f"{info.path}: the first frame has no label {' or '.join(absent)}; it has {values}"
        warnings.warn(message, ChromacordWarning, stacklevel=3)


def _is_zero_and_one(source: FrameSource) -> bool:
    """Whether all of a source's first frames with foreground hold only 0 and 1. Decodes one frame of other masks."""
    info = source.info
    # Floats of 0 and 1 are ordinary coverage, and a cut-out's coverage is in its alpha.
    if source.has_alpha or info.pixel_format.is_float or info.pixel_format.max_code <= 1:
        return False
    if is_lossy(info, from_alpha=False):
        return False
    num_found = 0
    with closing(source.frames(0, _MOST_FRAMES)) as frames:
        for frame in islice(frames, _MOST_FRAMES):
            peak = int(matte_plane(frame.planes, info, from_alpha=False).max())
            if peak > 1:
                return False
            # The peak is 0 or 1 here, so this counts frames with foreground: an empty first second says
            # nothing.
            num_found += peak
            if num_found == _NUM_FRAMES:
                break
    return num_found > 0
