"""Convert grade files to other files without a clip: edited grades, LUTs, CDLs."""

import time
from contextlib import ExitStack
from pathlib import Path

from chromacord.errors import GradeFileError
from chromacord.grade.by_hand import Hand
from chromacord.grade.file import read_grade
from chromacord.grade.imports import is_import, read_import
from chromacord.grade.smoothing import NO_SCENES, Scenes, locked
from chromacord.io.writing.staging import commit_all
from chromacord.job.outputs import Outputs
from chromacord.job.summary import Summary
from chromacord.types import Colorimetry, ColorSpace, PixelFormat, Size, VideoInfo


def convert_grade(
    source: Path,
    outputs: Outputs,
    *,
    hand: Hand,
    scenes: Scenes = NO_SCENES,
    working: ColorSpace | None = None,
    files: tuple[Path, ...] = (),
) -> Summary:
    """Convert a grade file to other formats.

    Args:
        source: the grade file, or a LUT or a CDL; exports are named after it.
        outputs: a grade, LUTs or CDLs, but no clip.
        hand: manual changes to the grade.
        scenes: groups of shots that share one grade.
        working: colour space of LUTs and CDLs; None: display-referred, like the grade itself.
        files: further input files, which no output may overwrite.

    Raises:
        ChromacordError: the file cannot be read, or an output cannot represent it or be written; nothing was written.
    """
    wall, cpu = time.perf_counter(), time.process_time()
    grade = locked((read_import if is_import(source) else read_grade)(source), scenes).by_hand(hand)
    if not grade.keys:
        raise GradeFileError(f"{source}: holds no grade: no shot of it has a key")
    info = VideoInfo(
        path=source,
        size=Size(1, 1),
        pixel_format=PixelFormat("rgb"),
        colorimetry=Colorimetry(),
        rate=grade.rate,
        time_base=1 / grade.rate,
        num_frames=grade.num_frames,
        codec="grade",
        container="grade",
    )
    outputs.check(info, (source, *files))
    with ExitStack() as stack:
        texts = outputs.stage_texts(grade, info, stack, source=source, working=working)
        commit_all(texts.staged)
    return Summary(
        outputs=tuple(texts.paths),
        method=grade.method,
        num_frames=grade.num_frames,
        num_empty=0,
        num_full=0,
        num_shots=len(grade.shots),
        num_analysed=0,
        confidence=min((shot.confidence for shot in grade.shots if shot.confidence is not None), default=None),
        seconds=time.perf_counter() - wall,
        cpu_seconds=time.process_time() - cpu,
        cuts_are="grade",
        cdl_residual=texts.residual,
    )
