"""What a run writes, beside the clip a grade, LUTs and a preview; where to, and the texts among them."""

import warnings
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from chromacord.color.cube import cube_text
from chromacord.errors import ChromacordWarning, GradeFileError, OutputExistsError
from chromacord.io import Encoding
from chromacord.io.image_formats import is_image_name
from chromacord.io.staging import StagedFile, StagedFolder, check_output, output_errors
from chromacord.pipeline.grade import Grade
from chromacord.pipeline.grade_file import grade_text
from chromacord.pipeline.grading import LUT_SIZE
from chromacord.pipeline.naming import clip_name
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

    def check(self, inputs: tuple[Path, ...]) -> None:
        """Refuse outputs that are inputs or each other, before any work is done.

        Raises:
            OutputExistsError, OutputError: says which; also where one exists, or cannot be written.
        """
        files = [path for path in (Path(self.clip), self.grade, self.preview) if path is not None]
        places = [path.absolute() for path in files]
        for number, (path, place) in enumerate(zip(files, places, strict=True)):
            if place in places[:number]:
                raise OutputExistsError(f"{path}: is asked for twice; give each output a name of its own")
        # The clip's sink is opened before the analysis and checks for itself; these two come after it.
        for later in (self.grade, self.preview):
            if later is not None:
                check_output(later, force=self.force, inputs=inputs)

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
            stem = clip_name(info.path)
            cubes = _cubes(grade, info, self.luts, source)
            folder = stack.enter_context(StagedFolder(self.luts, name=f"{stem}.cube", force=self.force))
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
    stem = clip_name(info.path)
    return {
        f"{stem}_shot{number:03d}.cube": cube_text(
            lut, title=f"{stem} shot {number} frames {shot.start}-{shot.stop - 1} {grade.method}"
        )
        for number, (shot, lut) in enumerate(luts, start=1)
    }


def _warn(message: str) -> None:
    warnings.warn(ChromacordWarning(message), stacklevel=4)
