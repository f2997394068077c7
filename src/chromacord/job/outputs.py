"""A job's outputs: the clip, its grade, LUTs and preview."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from chromacord.color.distribution import ColorDistribution
from chromacord.errors import ChromacordWarning, GradeFileError, InputError, OutputExistsError
from chromacord.grade.exports import ExportedShot, ExportNames, Residual, cdl_of, cdl_text, list_text, lut_text, where
from chromacord.grade.file import grade_text
from chromacord.grade.keys import Grade
from chromacord.grade.naming import clip_name, readable
from chromacord.io import Encoding
from chromacord.io.stills.image_formats import checked_compression, is_image_name
from chromacord.io.stills.patterns import is_image_output, output_pattern, still_pattern
from chromacord.io.writing.places import Place, Places, check_output_path, output_place, place_of
from chromacord.io.writing.staging import StagedFile, StagedFolder, check_output, output_errors
from chromacord.job.clip import MaskedClip
from chromacord.job.finishing.stages import composite_stages
from chromacord.job.options import Options
from chromacord.render.foreground import ForegroundOut
from chromacord.types import STDOUT, ColorSpace, VideoInfo

LARGEST_RESIDUAL = 2.0
"""Mean error of a CDL, in 8-bit codes, above which a warning is issued."""


class StagedTexts(NamedTuple):
    """Files written beside the clip."""

    staged: list[StagedFile | StagedFolder]
    """Files to commit."""

    paths: list[Path]
    residual: Residual | None
    """Accuracy of the worst CDL; None: no CDL is written."""


@dataclass(frozen=True)
class Outputs:
    """What to write, and where."""

    clip: str | None
    """A string rather than a `Path`, because a trailing "/" makes it a folder. None: nothing is rendered."""

    grade: Path | None = None
    luts: Path | None = None
    """A file with a suffix in `EXPORT_FORMATS`, or a folder for .cube files."""

    preview: Path | None = None
    encoding: Encoding = field(default_factory=Encoding)
    force: bool = False
    foreground: str | None = None
    """Path for the graded foreground alone; like `clip`."""

    def check(self, like: VideoInfo, inputs: tuple[Path, ...]) -> None:
        """Check outputs against inputs and each other, before any work starts.

        Args:
            like: properties of the composite.
            inputs: input paths of the run.

        Raises:
            OutputExistsError, OutputError: an output clashes, exists, or cannot be written; names it.
            CodecError: the EXR compression does not exist.
        """
        self._check_compression(like)
        written: Places[Path] = Places()
        for place in self._places(like):
            if written.find(place) is not None:
                raise OutputExistsError(f"{place.path}: is requested twice; give each output its own name")
            written.add(place, place.path)
        for path in inputs:
            clash = written.find(place_of(path))
            if clash is not None:
                raise OutputExistsError(f"{clash}: is also an input; choose another output")
        # The clip's sink is opened before the analysis and checks itself; the other outputs come later.
        for later in (self.grade, self.preview):
            if later is not None:
                check_output(later, force=self.force)
        if self.luts is not None:
            file = self._lut_names(like).file
            if file is None:
                # Creating and removing the temporary folder is the only sure test that it can be written.
                self._stage_luts(like).discard()
            else:
                check_output(file, force=self.force)

    def _check_compression(self, like: VideoInfo) -> None:
        compression = self.encoding.exr_compression
        if compression is None:
            return
        checked_compression(compression)
        pictures = [path for path in (self.clip, self.foreground) if path is not None and is_image_output(path)]
        if not any(output_pattern(path, like).suffix.lower().endswith(".exr") for path in pictures):
            _warn(f"exr compression {compression}: no EXR files are written; ignored")

    def _places(self, like: VideoInfo) -> Iterator[Place]:
        for pictures in (None if self.clip == STDOUT else self.clip, self.foreground):
            if pictures is not None:
                check_output_path(pictures)
                yield output_place(pictures, like)
        if self.preview is not None:
            yield place_of(self.preview, still_pattern(self.preview))
        if self.grade is not None:
            yield place_of(self.grade, still_pattern(self.grade))
        if self.luts is not None:
            for names in self._lut_names(like).patterns:
                yield place_of(self.luts, names)

    def open_foreground(
        self, clip: MaskedClip, options: Options, inputs: tuple[Path, ...], stack: ExitStack
    ) -> ForegroundOut | None:
        """Open the file for the graded foreground alone, if requested.

        Args:
            clip: clip with the foreground.
            options: how to store colours, and whether only a part of the clip is rendered.
            inputs: input paths of the run.
            stack: discards the file unless it is committed.

        Raises:
            CodecError, OutputError: the format has no alpha, or the file cannot be written.
        """
        if self.foreground is None:
            return None
        missing = composite_stages(options)
        if missing:
            _warn(
                f"{self.foreground}: holds the graded foreground without {' and '.join(missing)}, which only the "
                "composite has"
            )
        opened = ForegroundOut(
            self.foreground,
            clip.info,
            clip.foreground,
            alpha=options.foreground_alpha,
            encoding=self.encoding,
            force=self.force,
            trimmed=options.frames is not None,
            inputs=inputs,
        )
        stack.enter_context(opened.sink)
        return opened

    def _lut_names(self, info: VideoInfo) -> ExportNames:
        assert self.luts is not None
        return ExportNames.of(self.luts, info.path)

    def _stage_luts(self, info: VideoInfo) -> StagedFolder:
        assert self.luts is not None
        check_output_path(self.luts)
        return StagedFolder(self.luts, name=f"{clip_name(info.path)}.cube", force=self.force)

    @property
    def need_whole_grade(self) -> bool:
        """Whether an output depends on the analysis of the whole clip.

        These are LUTs, each with a shot's mean, and a preview picture, which shows the frame with the most evidence.
        """
        return self.luts is not None or (self.preview is not None and is_image_name(self.preview.name))

    def has_cdl(self, info: VideoInfo) -> bool:
        """Whether a CDL is written. CDLs are fitted to the foreground's colours, and cannot represent a local grade.

        Args:
            info: properties of the composite.
        """
        return self.luts is not None and self._lut_names(info).format.is_cdl

    def stage_texts(
        self,
        grade: Grade,
        info: VideoInfo,
        stack: ExitStack,
        *,
        source: Path | None,
        colors: Sequence[ColorDistribution] | None = None,
        working: ColorSpace | None = None,
    ) -> StagedTexts:
        """Write grade, LUTs and CDLs under temporary names.

        Args:
            grade: the complete grade.
            info: properties of the composite.
            stack: discards the files unless they are committed.
            source: file that the grade was read from.
            colors: colours of each shot's foreground; None: unknown.
            working: colour space of LUTs and CDLs; None: the picture's own, display-referred.

        Raises:
            InputError: a LUT or a CDL cannot represent the grade.
            OutputExistsError, OutputError: a file cannot be written.
        """
        staged: list[StagedFile | StagedFolder] = []
        paths = []
        residual = None
        if self.grade is not None:
            staged.append(self._staged(self.grade, grade_text(grade), stack))
            paths.append(self.grade)
        if self.luts is not None:
            names = self._lut_names(info)
            shots = _exported_shots(grade, info, names, colors, working)
            _check_global(shots, names, self.luts, source=source)
            if names.format.is_cdl:
                _check_still(grade, self.luts, source=source)
            _tell_limits(grade, info, names, self.luts, working)
            texts, residual = _export_texts(shots, names, self.luts, info)
            if names.file is not None:
                staged += [self._staged(path, text, stack) for path, text in texts.items()]
            else:
                folder = stack.enter_context(self._stage_luts(info))
                for path, text in texts.items():
                    with output_errors(path):
                        folder.add(path.name).write_text(text, encoding="utf-8")
                staged.append(folder)
            paths += texts
        return StagedTexts(staged, paths, residual)

    def _staged(self, path: Path, text: str, stack: ExitStack) -> StagedFile:
        file = stack.enter_context(StagedFile(path, force=self.force))
        with output_errors(path):
            file.temporary.write_text(text, encoding="utf-8")
        return file


def _export_texts(
    shots: Sequence[ExportedShot], names: ExportNames, asked: Path, info: VideoInfo
) -> tuple[dict[Path, str], Residual | None]:
    """Return the text of each LUT or CDL file, and the accuracy of CDLs."""
    # A single shot gets exactly the name that was asked for.
    if names.numbered is None or (names.file is not None and len(shots) == 1):
        paths = [names.file] if names.file is not None and shots else []
    else:
        paths = [names.numbered.path(shot.number, shot.where) for shot in shots]
    if not names.format.is_cdl:
        return {path: lut_text(shot, path) for path, shot in zip(paths, shots, strict=True)}, None
    fitted = [(shot, *cdl_of(shot)) for shot in shots]
    residuals = [residual for _, _, residual in fitted]
    _tell_residuals(asked, shots, residuals)
    cdls = [(shot, cdl) for shot, cdl, _ in fitted]
    if names.format.is_list:
        texts = {path: list_text(cdls, info, path) for path in paths}
        return texts, max(residuals, key=lambda residual: residual.left, default=None)
    # One file for each shot, or one file for all.
    parts = [[each] for each in cdls] if len(paths) == len(cdls) else [cdls]
    texts = {path: cdl_text(part, path) for path, part in zip(paths, parts, strict=True)}
    return texts, max(residuals, key=lambda residual: residual.left, default=None)


def _check_global(shots: Sequence[ExportedShot], names: ExportNames, asked: Path, *, source: Path | None) -> None:
    """Refuse a grade that neither LUTs nor CDLs can represent.

    Raises:
        InputError: the grade varies over the picture; a `GradeFileError` if it was read from a file.
    """
    if not all(shot.transform.is_global for shot in shots):
        remedy = "omit --lut-out" if not names.format.is_cdl else "write a LUT, as .cube or .clf"
        raise (InputError if source is None else GradeFileError)(
            f"{source or asked}: the grade varies over the picture, so no {names.format.kind} can hold it; "
            f"{remedy}, or choose another method"
        )


def _check_still(grade: Grade, asked: Path, *, source: Path | None) -> None:
    """Refuse a grade that changes over time: a CDL's ten numbers cannot.

    Raises:
        InputError: names the shot; of a grade file a `GradeFileError`.
    """
    for number, shot in enumerate(grade.shots, start=1):
        if shot.moves:
            remedy = "use --consistency shot" if source is None else f"use --match {number} for its mean"
            raise (InputError if source is None else GradeFileError)(
                f"{source or asked}: the grade changes over time in shot {number} (frames {shot.start} to "
                f"{shot.stop - 1}), so no CDL can hold it; {remedy}, or write a LUT"
            )


def _tell_limits(grade: Grade, info: VideoInfo, names: ExportNames, asked: Path, working: ColorSpace | None) -> None:
    what = names.format.kind
    if any(shot.moves for shot in grade.shots):
        _warn(
            f"{asked}: the grade changes over time in a shot and a {what} cannot, so each {what} is its shot's mean; "
            f"use --consistency shot for a clip that matches its {what}"
        )
    if working is not None and working != info.space:
        _warn(f"{asked}: each {what} is for {working.name}: convert the picture to it first, and back afterwards")
    elif info.colorimetry.scene_linear and working is None:
        _warn(f"{asked}: each {what} is for sRGB-encoded pictures; encode the scene-linear clip before applying it")


def _exported_shots(
    grade: Grade,
    info: VideoInfo,
    names: ExportNames,
    colors: Sequence[ColorDistribution] | None,
    working: ColorSpace | None,
) -> list[ExportedShot]:
    """Return the shots with a grade; numbers count all shots, as `--match` and warnings do."""
    title = readable(clip_name(info.path))
    stem = title if names.file is None else readable(names.file.stem)
    found: list[ExportedShot] = []
    for place, shot in enumerate(grade.shots):
        mean, number = shot.mean(), place + 1
        if mean is not None:
            label = f"{title} shot {number} frames {shot.start}-{shot.stop - 1} {grade.method}"
            label += "" if working is None else f" in {working.name}"
            known = colors[place] if colors and not colors[place].is_empty else None
            frames = shot.start, shot.stop
            name = f"{stem}_shot{number:03d}"
            found.append(ExportedShot(label, name, mean, known, frames, working, where(*frames, info), number))
    return found


def _tell_residuals(asked: Path, shots: Sequence[ExportedShot], residuals: Sequence[Residual]) -> None:
    if any(shot.colors is None for shot in shots):
        _warn(
            f"{asked}: fitted over all colours alike, because a grade file does not hold the "
            "foreground's; `chromacord grade` fits a CDL to those of the clip"
        )
    for shot, residual in zip(shots, residuals, strict=True):
        if residual.left > LARGEST_RESIDUAL:
            _warn(
                f"{asked}: shot {shot.number}: a CDL cannot represent this grade: its mean error is "
                f"{residual.left:.1f} of {residual.change:.1f} codes of change (8 bit); write a LUT "
                "(.cube or .clf)"
            )


def _warn(message: str) -> None:
    warnings.warn(ChromacordWarning(message), stacklevel=4)
