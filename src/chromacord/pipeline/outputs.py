"""What a run writes, beside the clip a grade, LUTs and a preview; where to, and the texts among them."""

import warnings
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from chromacord.color.cube import cube_text
from chromacord.errors import ChromacordWarning, GradeFileError, OutputExistsError
from chromacord.io import Encoding
from chromacord.io.image_formats import is_image_name
from chromacord.io.patterns import Pattern, still_pattern
from chromacord.io.places import Place, Places, check_output_path, output_place, place_of
from chromacord.io.staging import StagedFile, StagedFolder, check_output, output_errors
from chromacord.pipeline.grade import Grade
from chromacord.pipeline.grade_file import grade_text
from chromacord.pipeline.grading import LUT_SIZE
from chromacord.pipeline.naming import clip_name, readable
from chromacord.types import VideoInfo


@dataclass(frozen=True)
class Outputs:
    """What to write, and how."""

    clip: str
    """A trailing "/" makes it a folder, so this is no `Path`."""

    grade: Path | None = None
    luts: Path | None = None
    """A folder."""

    preview: Path | None = None
    encoding: Encoding = field(default_factory=Encoding)
    force: bool = False

    def check(self, like: VideoInfo, inputs: tuple[Path, ...]) -> None:
        """Refuse outputs that are inputs or each other, before any work is done.

        Args:
            like: of the composite.
            inputs: what the run reads.

        Raises:
            OutputExistsError, OutputError: says which; also where one exists, or cannot be written.
        """
        written: Places[Path] = Places()
        for place in self._places(like):
            if written.find(place) is not None:
                raise OutputExistsError(f"{place.path}: is asked for twice; give each output a name of its own")
            written.add(place, place.path)
        for path in inputs:
            clash = written.find(place_of(path))
            if clash is not None:
                raise OutputExistsError(f"{clash}: is also an input; choose another output")
        # The clip's sink is opened before the analysis and checks for itself; these come after it.
        for later in (self.grade, self.preview):
            if later is not None:
                check_output(later, force=self.force)
        if self.luts is not None:
            self._stage_luts(like).discard()

    def _places(self, like: VideoInfo) -> Iterator[Place]:
        check_output_path(self.clip)
        yield output_place(self.clip, like)
        if self.preview is not None:
            yield place_of(self.preview, still_pattern(self.preview))
        if self.grade is not None:
            yield place_of(self.grade, still_pattern(self.grade))
        if self.luts is not None:
            yield lut_place(self.luts, like.path)

    def _stage_luts(self, info: VideoInfo) -> StagedFolder:
        assert self.luts is not None
        check_output_path(self.luts)
        return StagedFolder(self.luts, name=f"{clip_name(info.path)}.cube", force=self.force)

    @property
    def need_whole_grade(self) -> bool:
        """Whether something is written that is known only when all of the clip has been analysed.

        These are LUTs, each a shot's mean, and a preview in one picture, that of the frame that tells most.
        """
        return self.luts is not None or (self.preview is not None and is_image_name(self.preview.name))

    def stage_texts(
        self, grade: Grade, info: VideoInfo, stack: ExitStack, *, source: Path | None
    ) -> tuple[list[StagedFile | StagedFolder], list[Path]]:
        """Write grade and LUTs under temporary names.

        Args:
            grade: the whole of it.
            info: of the composite.
            stack: discards them at its end.
            source: the file that the grade was read from.

        Returns:
            What is to be committed, and the names.

        Raises:
            GradeFileError: a LUT cannot hold the grade.
            OutputExistsError, OutputError: a file cannot be written.
        """
        staged: list[StagedFile | StagedFolder] = []
        paths = []
        if self.grade is not None:
            file = stack.enter_context(StagedFile(self.grade, force=self.force))
            with output_errors(self.grade):
                file.temporary.write_text(grade_text(grade), encoding="utf-8")
            staged.append(file)
            paths.append(self.grade)
        if self.luts is not None:
            cubes = _cubes(grade, info, self.luts, source)
            folder = stack.enter_context(self._stage_luts(info))
            for name, text in cubes.items():
                with output_errors(self.luts / name):
                    folder.add(name).write_text(text, encoding="utf-8")
                paths.append(self.luts / name)
            staged.append(folder)
        return staged, paths


def _cubes(grade: Grade, info: VideoInfo, folder: Path, source: Path | None) -> dict[str, str]:
    """Return the text of each shot's LUT by its file name."""
    if any(len(shot.keys) > 1 for shot in grade.shots):
        _warn(
            f"{folder}: the grade moves inside a shot and a LUT cannot, so each LUT is its shot's mean; "
            "use --consistency shot for a clip that equals its LUT"
        )
    if info.colorimetry.scene_linear:
        _warn(f"{folder}: the LUTs are for sRGB-encoded pictures; encode the scene-linear clip before applying them")
    try:
        luts = list(grade.luts(LUT_SIZE))
    except ValueError as error:
        raise GradeFileError(f"{source}: {error}; leave out --lut-out") from error
    names, title = _lut_names(folder, info.path), readable(clip_name(info.path))
    return {
        names.name(number): cube_text(
            lut, title=f"{title} shot {number} frames {shot.start}-{shot.stop - 1} {grade.method}"
        )
        for number, (shot, lut) in enumerate(luts, start=1)
    }


def lut_place(folder: Path, clip: Path | str) -> Place:
    """Return the place of a clip's LUTs in a folder."""
    return place_of(folder, _lut_names(folder, clip))


def _lut_names(folder: Path, clip: Path | str) -> Pattern:
    return Pattern(folder, f"{clip_name(clip)}_shot", 3, ".cube")


def _warn(message: str) -> None:
    warnings.warn(ChromacordWarning(message), stacklevel=4)
