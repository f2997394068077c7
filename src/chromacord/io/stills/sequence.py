"""Image sequences and stills as clips, read by `SequenceSource` and written by `SequenceSink`."""

import os
import warnings
from collections.abc import Generator
from fractions import Fraction
from pathlib import Path
from typing import Literal

from chromacord.color.management.config import REC709
from chromacord.errors import (
    ChromacordWarning,
    InputError,
    MismatchError,
    OutputError,
    OutputExistsError,
    TruncatedFileError,
    UnreadableFileError,
    counted,
)
from chromacord.io.convert import PlaneConverter, changes_light, stored_colorimetry
from chromacord.io.interfaces import FrameSink, FrameSource
from chromacord.io.orientation import Orientation
from chromacord.io.stills.icc import is_profile_of, sound_profile, warn_of_lost_profile
from chromacord.io.stills.image_attributes import stated_spaces, text_attribute
from chromacord.io.stills.image_formats import (
    ImageFormat,
    checked_compression,
    choose_pixel_format,
    format_of,
    is_lossy,
)
from chromacord.io.stills.image_layers import UNNAMED
from chromacord.io.stills.image_reader import ImageHeader, holds_more_pictures, read_header, read_image
from chromacord.io.stills.image_writer import ImageStyle, write_image
from chromacord.io.stills.patterns import ImageFiles, find_images, is_folder, output_pattern
from chromacord.io.writing.places import check_output_path
from chromacord.io.writing.staging import StagedFolder
from chromacord.types import Alpha, Frame, PixelFormat, Size, VideoInfo

DEFAULT_RATE = Fraction(24)
"""Frames per second of sequences that state none: the rate of film, as in most compositing tools."""


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
        layer: str | None = None,
    ) -> None:
        """Find the files and read the headers.

        Args:
            path: a pattern, a folder with one sequence, or an image.
            missing: "hold" repeats the frame before a gap.
            salvage: end the clip at a truncated file instead of failing; the first file must be intact.
            rate: frames per second; None: as stated in the first file (EXR, DPX), otherwise 24.
            layer: layer of EXR files; None: the one most likely to be the picture.

        Raises:
            MissingFileError: the file does not exist, or the folder has no images.
            SequenceGapError: numbers are missing and `missing` is "error".
            MismatchError: in a folder, files differ in size or format.
            InputError: the folder contains several sequences, `rate` is not positive, or the layer does not exist.
            UnreadableFileError: the first file cannot be read.
        """
        if rate is not None and rate <= 0:
            raise InputError(f"{path}: the frame rate must be above 0, not {rate}")
        self.files: ImageFiles = find_images(path, hold=missing == "hold")
        self._salvage = salvage
        self._layer = layer
        self._first = read_header(self.files.paths[0], layer=layer)
        if holds_more_pictures(self.files.paths[0]):
            warnings.warn(
                f"{self.files.paths[0]}: holds more pages or frames, which are ignored; store each in a file of "
                "its own",
                ChromacordWarning,
                stacklevel=2,
            )
        # A folder may contain stray files that the user does not know of, so all headers are compared before work
        # starts, not when their frame is reached.
        if is_folder(path):
            self._check_all()
        self.info = self._describe(rate)

    def frames(self, start: int = 0, stop: int | None = None) -> Generator[Frame, None, None]:
        """Read the images start..stop-1. See `FrameSource.frames`.

        Raises:
            TruncatedFileError: an image is truncated or damaged, unless the source was opened to salvage.
            MismatchError: an image differs from the first in size or format.
            NonFiniteError: a float image holds NaN or infinity.
        """
        for index in range(start, len(self.files.paths) if stop is None else min(stop, len(self.files.paths))):
            path = self.files.paths[index]
            try:
                header, planes = read_image(path, layer=self._layer)
            except UnreadableFileError as error:
                if not self._salvage or index == 0:
                    remedy = ", or keep the frames before it with --salvage" if index else ""
                    raise TruncatedFileError(f"{error}: frame {index} of the clip; render it again{remedy}") from error
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
            rotation=header.orientation.rotation,
            mirrored=header.orientation.mirrored,
            pixel_aspect=header.pixel_aspect,
            timecode=header.timecode,
            icc_profile=sound_profile(header.icc_profile, header.path),
            stated_spaces=stated_spaces(header.spec, is_float=header.pixel_format.is_float),
            layer=header.layer,
            other_layers=header.other_layers,
            first_number=files.first,
        )

    def _check_all(self) -> None:
        """Compare all headers with the first; unreadable files are left to `frames`."""
        for path in self.files.paths[1:]:
            try:
                header = read_header(path, layer=self._layer)
            except InputError:
                continue
            self._check(header)

    def _check(self, header: ImageHeader) -> None:
        first = self._first
        if header.layer != first.layer:
            raise MismatchError(
                f"{header.path}: its picture is layer {header.layer or UNNAMED}, that of {first.path.name} is "
                f"{first.layer or UNNAMED}; all frames must be alike"
            )
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


class SequenceSink(FrameSink):
    """Writes numbered images, or one still.

    File numbers are `Frame.index` plus the number of the source's first file (0 for a video), so that frames of a part
    keep their numbers. Everything that the source has and the output's format supports is kept: see
    `chromacord.io.stills.image_formats.choose_pixel_format` and `chromacord.io.convert.PlaneConverter`; for a source of
    the same format also attributes, additional channels and windows. Pictures with an orientation that the format
    cannot store are written upright.
    """

    def __init__(
        self,
        path: Path | str,
        like: VideoInfo,
        *,
        force: bool = False,
        size: Size | None = None,
        trimmed: bool = False,
        compression: str | None = None,
    ) -> None:
        """Choose names and format; nothing is written yet.

        Args:
            path: a pattern, a folder (see `chromacord.io.stills.patterns.output_pattern`), or a still.
            like: properties of the source of the frames.
            force: overwrite existing files.
            size: size of the pictures, if different from the source's.
            trimmed: only a part of the clip is written.
            compression: EXR compression; None: the source's if that is lossless, otherwise zip.

        Raises:
            OutputExistsError: such files exist and `force` is not set.
            OutputError: the folder cannot be written to, or a still would have to hold several frames.
            CodecError: the format does not support the source's alpha or depth, or the compression does not exist.

        Warns:
            ChromacordWarning: the compression changes the whole picture.
        """
        self._pattern = output_pattern(path, like)
        self.path = self._pattern.folder / self._pattern.label
        self._like = like
        image_format = format_of(self.path)
        is_same = like.container in ("sequence", "still") and like.codec == image_format.name
        self._keeps_header = is_same and size in (None, like.size)
        # The same format keeps its own alpha convention and depth; converting them would only round.
        target = like.pixel_format if is_same else choose_pixel_format(image_format, like.pixel_format, out=self.path)
        scene_linear = target.is_float
        profile = like.icc_profile if is_same else _kept_profile(like, target, image_format, out=self.path)
        self._style = ImageStyle(
            image_format,
            target,
            like.colorimetry if is_same else stored_colorimetry(like.colorimetry, scene_linear=scene_linear),
            like.rate,
            # A quarter turn inverts the pixel aspect. If the header is kept, the picture is stored unrotated.
            1 / like.pixel_aspect if like.rotation % 180 and not self._keeps_header else like.pixel_aspect,
            profile,
            _told_compression(compression, self.path) if compression and image_format.name == "openexr" else None,
        )
        self._convert = PlaneConverter(like, target, scene_linear=scene_linear)
        if not is_same:
            _tell_lost_space(like, target, image_format, out=self.path)
        if not self._pattern.digits and (like.num_frames or 1) > 1 and not trimmed:
            raise self._still_error()
        check_output_path(self._pattern.path(like.first_number))
        self._written: set[int] = set()
        self._staged = StagedFolder(self._pattern.folder, name=self._pattern.label, force=force)
        try:
            # Only after leftovers of killed runs were removed, which would count as existing files.
            self._existing = self._check_existing(force=force, trimmed=trimmed)
        except OutputError:
            self._staged.discard()
            raise

    def write(self, frame: Frame) -> None:
        """Write one image under its temporary name. See `FrameSink.write`."""
        if self._written and not self._pattern.digits:
            raise self._still_error()
        number = self._like.first_number + frame.index
        target = self._staged.add(self._pattern.name(number))
        header = frame.attributes if self._keeps_header and isinstance(frame.attributes, ImageHeader) else None
        if header is not None and not self._written and self._style.compression is None:
            _tell_kept(header, self.path)
        planes = self._convert(frame.planes)
        if header is None:
            # Without the source's header there is no place for the orientation.
            planes = tuple(Orientation.of(self._like).apply(plane) for plane in planes)
        write_image(target, planes, style=self._style, header=header, shown=self._pattern.path(number))
        self._written.add(number)

    def finish(self) -> None:
        """Warn about remaining files of an earlier sequence; images are complete when written."""
        stale = len(self._existing - self._written)
        if stale:
            warnings.warn(
                f"{self.path}: {counted(stale, 'file')} of an earlier sequence of this name will remain; remove those "
                "that you do not want",
                ChromacordWarning,
                stacklevel=2,
            )

    @property
    def staged(self) -> StagedFolder:
        """See `FrameSink.staged`."""
        return self._staged

    def discard(self) -> None:
        """Remove what was not committed. See `FrameSink.discard`."""
        self._staged.discard()

    def _check_existing(self, *, force: bool, trimmed: bool) -> set[int]:
        pattern = self._pattern
        # Several runs may write parts of one sequence, so only existing files are refused, in `write`.
        existing = set() if trimmed else set(pattern.numbers())
        if not pattern.digits and os.path.lexists(pattern.path(0)):
            existing = {0}
        if existing and not force:
            exist = "exists already" if len(existing) == 1 else f"{len(existing)} such files exist already"
            raise OutputExistsError(f"{self.path}: {exist}; use --force to replace what is there, or another name")
        return existing if pattern.digits else set()

    def _still_error(self) -> OutputError:
        name = f"{self._pattern.prefix}.%04d{self._pattern.suffix}"
        return OutputError(f"{self.path}: one image cannot hold a clip; use {self._pattern.folder / name}")


def _told_compression(asked: str, out: Path) -> str:
    compression = checked_compression(asked)
    if is_lossy(compression):
        warnings.warn(
            f"{out}: {compression} is lossy, so the background changes too; zip and piz are lossless",
            ChromacordWarning,
            stacklevel=3,
        )
    return compression


def _tell_kept(header: ImageHeader, out: Path) -> None:
    """Explain why files are larger than the source's: lossless compression keeps the background unchanged."""
    compression = text_attribute(header.spec, "compression")
    if header.format_name == "openexr" and is_lossy(compression):
        warnings.warn(
            f"{out}: written with zip, not with the source's {compression}, which would change the background again; "
            f"use --exr-compression {compression} for smaller files",
            ChromacordWarning,
            stacklevel=3,
        )


def _kept_profile(like: VideoInfo, target: PixelFormat, image_format: ImageFormat, *, out: Path) -> bytes | None:
    """Return the source's profile if it applies to the output; warn if it is lost."""
    profile = like.icc_profile
    if changes_light(like, scene_linear=target.is_float):
        return None  # the colours were converted to another space, so the profile no longer applies
    if profile is None or (image_format.has_icc and _is_as_coded(like, target) and is_profile_of(profile, target)):
        return profile
    holds = "its colours are converted" if image_format.has_icc else f"{image_format.name} holds no ICC profile"
    warn_of_lost_profile(profile, out=out, why=holds)
    return None


def _tell_lost_space(like: VideoInfo, target: PixelFormat, image_format: ImageFormat, *, out: Path) -> None:
    """Warn if a format cannot name the colour space of its numbers. PNG has tags, and EXR gets light."""
    is_told = like.icc_profile is not None or image_format.name in ("png", "openexr")
    if like.space is None or like.space.name == REC709 or is_told or changes_light(like, scene_linear=target.is_float):
        return
    warnings.warn(
        f"{out}: {image_format.name} cannot store its colour space, {like.space.name}; name it where the file is read",
        ChromacordWarning,
        stacklevel=3,
    )


def _is_as_coded(like: VideoInfo, target: PixelFormat) -> bool:
    return target.is_float == like.colorimetry.scene_linear


def _describe_header(header: ImageHeader) -> str:
    return f"{header.size.width}x{header.size.height} {describe(header.pixel_format)} {header.format_name}"


def describe(pixel_format: PixelFormat) -> str:
    """Return a short name of a format for messages, such as "10-bit rgb" or "half rgb with premultiplied alpha"."""
    depth = f"{pixel_format.depth}-bit"
    if pixel_format.is_float:
        depth = "half" if pixel_format.depth == 16 else "float"
    alpha = "" if pixel_format.alpha is Alpha.NONE else f" with {pixel_format.alpha.value} alpha"
    return f"{depth} {pixel_format.model}{alpha}"
