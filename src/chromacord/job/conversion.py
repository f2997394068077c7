"""Convert grade files to other files without a clip: edited grades, LUTs, CDLs."""

import time
from contextlib import ExitStack
from pathlib import Path

from chromacord.errors import GradeFileError
from chromacord.grade.by_hand import Hand, Hands
from chromacord.grade.keys import Grade
from chromacord.grade.smoothing import NO_SCENES, Scenes, locked
from chromacord.io.writing.staging import commit_all
from chromacord.job.outputs import Outputs
from chromacord.job.summary import Summary
from chromacord.types import Colorimetry, ColorSpace, PixelFormat, Size, VideoInfo


def convert_grade(
    decided: Grade,
    source: Path | None,
    outputs: Outputs,
    *,
    hand: Hand | Hands,
    scenes: Scenes = NO_SCENES,
    working: ColorSpace | None = None,
    files: tuple[Path, ...] = (),
) -> Summary:
    """Convert a grade to other formats.

    Args:
        decided: the grade.
        source: the file it was read from; exports are named after it. None: it was not read from a file.
        outputs: a grade, LUTs or CDLs, but no clip.
        hand: manual changes to the grade.
        scenes: groups of shots that share one grade.
        working: colour space of LUTs and CDLs; None: display-referred, like the grade itself.
        files: further input files, which no output may overwrite.

    Raises:
        ChromacordError: the grade is empty, or an output cannot represent it or be written; nothing was written.
    """
    wall, cpu = time.perf_counter(), time.process_time()
    grade = locked(decided, scenes).by_hand(hand)
    if not grade.keys:
        raise GradeFileError(f"{source or 'the grade'}: holds no grade: none of its shots has a key")
    info = VideoInfo(
        path=source or Path("grade"),
        # Size and format describe no picture; exports read only path, rate, length and colours.
        size=Size(1, 1),
        pixel_format=PixelFormat("rgb"),
        colorimetry=Colorimetry(),
        rate=grade.rate,
        time_base=1 / grade.rate,
        num_frames=grade.num_frames,
        codec="grade",
        container="grade",
    )
    outputs.check(info, files if source is None else (source, *files))
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
