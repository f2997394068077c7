"""`chromacord demo`: build a sample clip, harmonize it, and show before and after."""

import shlex
import shutil
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from typer import Option

from chromacord.cli.screen.choice import choose_display
from chromacord.cli.screen.exits import job
from chromacord.cli.screen.streams import report
from chromacord.cli.screen.summary_text import summary_line, summary_values

DEFAULT_FOLDER = Path("demo")

_STAGES: dict[str, Any] = {
    "decontaminate": True,
    "despill": "green",
    "edge": "0.5,1",
    "contact_shadow": "0.5,60,40,24",
    "wrap": "0.4,16",
    "match_sharpness": True,
    "match_grain": True,
}
"""Options of `--finish`."""


def demo(
    output: Annotated[
        Path, Option("--output", "-o", help="Folder for the clips; created if missing.")
    ] = DEFAULT_FOLDER,
    finish: Annotated[
        bool,
        Option(
            "--finish", help="Build a sample of layers with spill, blur and grain, and run all stages of finishing."
        ),
    ] = False,
) -> None:
    """Build a sample clip, harmonize it, and print the paths of before and after."""
    display = choose_display()
    with job(display):
        from chromacord.api import harmonize_video
        from chromacord.io.writing.staging import check_folder
        from chromacord.job.threads import single_threaded
        from chromacord.sample.sample_files import write_sample

        check_folder(output.absolute().parent, wanted=output)
        output.mkdir(exist_ok=True)
        # Only this command writes files of these names, so a second run may overwrite them.
        files = write_sample(output, filmed=finish, force=True, progress=display.progress)
        both = output / "before_after.mp4"
        clips: dict[str, Any] = {"composite": files.composite, "mask": files.mask}
        if finish:
            clips = {"foreground": files.foreground, "alpha": files.mask, "background": files.background}
        with single_threaded():
            summary = harmonize_video(
                **clips,
                output=output / "harmonized.mp4",
                grade_out=output / "grade.json",
                preview=None if finish else both,
                force=True,
                progress=display.progress,
                **(_STAGES if finish else {}),
            )
        display.summary(summary_line(summary), summary_values(summary))
        # A preview would show the layers already cleaned.
        shown = (files.composite, summary.outputs[0]) if finish else (both,)
        picture = write_picture(output / "before_after.png", *shown)
        page = shlex.join([program(), "ui", *_arguments(clips)])
        report(f"result: {summary.outputs[0]}\nbefore and after: {picture}\nview and adjust it in a browser: {page}")


def program() -> str:
    """Return the command to call this program: its name if it is on PATH, otherwise its path."""
    called = Path(sys.argv[0])
    found = shutil.which("chromacord")
    is_ours = called.name == "chromacord" and called.exists() and (found is None or not called.samefile(found))
    return str(called) if is_ours else "chromacord"


def _arguments(clips: Mapping[str, Path]) -> list[str]:
    """Return the files of a clip as arguments of a command."""
    named = [(f"--{name}", str(path)) for name, path in clips.items() if name != "composite"]
    first = [str(clips["composite"])] if "composite" in clips else []
    return [*first, *(text for pair in named for text in pair)]


def write_picture(picture: Path, *clips: Path) -> Path:
    """Write the middle frames of clips of one format, side by side, as a picture; return its path."""
    import numpy as np

    from chromacord.io import open_sink, open_source

    sources = [open_source(clip) for clip in clips]
    info = sources[0].info
    middle = (info.num_frames or 1) // 2
    wide = replace(info, size=info.size._replace(width=len(clips) * info.size.width))
    with open_sink(picture, wide, force=True, copy_streams=False, trimmed=True) as sink:
        for frames in zip(*(source.frames(middle, middle + 1) for source in sources), strict=True):
            planes = zip(*(frame.planes for frame in frames), strict=True)
            sink.write(replace(frames[0], planes=tuple(np.hstack(each) for each in planes)))
        sink.finish()
        sink.commit()
    return picture
