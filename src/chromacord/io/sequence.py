"""Image sequences and stills as clips: `SequenceSource` reads them, `SequenceSink` writes them."""

import warnings
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Literal

from chromacord.errors import ChromacordWarning, InputError, MismatchError, TruncatedFileError
from chromacord.io.base import FrameSource
from chromacord.io.image_reader import ImageHeader, read_header, read_image
from chromacord.io.patterns import ImageFiles, find_images
from chromacord.types import Alpha, Frame, PixelFormat, VideoInfo

DEFAULT_RATE = Fraction(24)
"""Frames a second of a sequence that does not state it: the rate of film, as most compositing tools assume."""


class SequenceSource(FrameSource):
    """A numbered sequence of images, or one still, read one image at a time.

    `Frame.pts` counts frames (`time_base` is 1 / rate). `Frame.attributes` is the file's `ImageHeader`.
    """

    def __init__(
        self,
        path: Path,
        *,
        missing: Literal["error", "hold"] = "error",
        salvage: bool = False,
        rate: Fraction | None = None,
    ) -> None:
        """Find the files and read the headers.

        Args:
            path: a pattern, a folder that holds one sequence, or an image.
            missing: "hold" repeats the frame before a gap.
            salvage: end the clip at a file that is cut off instead of raising.
            rate: frames a second; None: as the first file states it (EXR, DPX), else 24.

        Raises:
            MissingFileError: there is no such file, or no image in the folder.
            SequenceGapError: numbers are missing and `missing` is "error".
            MismatchError: in a folder, files differ in size or format.
            InputError: the folder holds more than one sequence, or `rate` is not positive.
            UnreadableFileError: the first file cannot be read.
        """
        if rate is not None and rate <= 0:
            raise InputError(f"{path}: the frame rate must be above 0, not {rate}")
        self.files: ImageFiles = find_images(path, hold=missing == "hold")
        self._salvage = salvage
        self._first = read_header(self.files.paths[0])
        if path.is_dir():
            self._check_all()
        self.info = self._describe(rate)

    def frames(self, start: int = 0, stop: int | None = None) -> Iterator[Frame]:
        """Read the images start..stop-1. See `FrameSource.frames`.

        Raises:
            TruncatedFileError: an image is cut off or damaged, unless the source was opened to salvage.
            MismatchError: an image differs from the first in size or format.
            NonFiniteError: a float image holds NaN or infinity.
        """
        for index in range(start, len(self.files.paths) if stop is None else min(stop, len(self.files.paths))):
            path = self.files.paths[index]
            try:
                header, planes = read_image(path)
            except TruncatedFileError as error:
                if not self._salvage:
                    raise TruncatedFileError(
                        f"{error}, at frame {index}; render it again, or keep the frames "
                        "before it with --salvage (salvage=True)"
                    ) from error
                warnings.warn(f"{error}; the clip ends before frame {index}", ChromacordWarning, stacklevel=2)
                return
            self._check(header)
            yield Frame(planes, index, pts=index, duration=1, attributes=header)

    def _describe(self, rate: Fraction | None) -> VideoInfo:
        header, files = self._first, self.files
        rate = rate or header.rate or DEFAULT_RATE
        return VideoInfo(
            path=files.pattern.folder / files.pattern.label if files.pattern.digits else files.paths[0],
            size=header.size,
            pixel_format=header.pixel_format,
            colorimetry=header.colorimetry,
            rate=rate,
            time_base=1 / rate,
            num_frames=len(files.paths),
            codec=header.format_name,
            container="sequence" if files.pattern.digits else "still",
            rotation=header.rotation,
            pixel_aspect=header.pixel_aspect,
            timecode=header.timecode,
            first_number=files.first,
        )

    def _check_all(self) -> None:
        """Compare the headers of all files with the first; a file that cannot be opened is left to `frames`."""
        for path in self.files.paths[1:]:
            try:
                header = read_header(path)
            except InputError:
                continue
            self._check(header)

    def _check(self, header: ImageHeader) -> None:
        first = self._first
        same = (header.size, header.pixel_format, header.format_name) == (
            first.size,
            first.pixel_format,
            first.format_name,
        )
        if not same:
            raise MismatchError(
                f"{header.path}: is {_describe_header(header)}, but {first.path.name} is {_describe_header(first)}; "
                "all frames must be alike"
            )


def _describe_header(header: ImageHeader) -> str:
    return f"{header.size.width}x{header.size.height} {describe(header.pixel_format)} {header.format_name}"


def describe(pixel_format: PixelFormat) -> str:
    """Return a short name of a layout for messages, as "10-bit rgb" or "half rgb with premultiplied alpha"."""
    depth = f"{pixel_format.depth}-bit"
    if pixel_format.is_float:
        depth = "half" if pixel_format.depth == 16 else "float"
    alpha = "" if pixel_format.alpha is Alpha.NONE else f" with {pixel_format.alpha.value} alpha"
    return f"{depth} {pixel_format.model}{alpha}"
