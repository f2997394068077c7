"""`chromacord demo`: build a sample clip, harmonize it, and show before and after."""

from pathlib import Path
from typing import Annotated

from typer import Option

from chromacord.cli.screen.choice import choose_display
from chromacord.cli.screen.exits import job
from chromacord.cli.screen.streams import report
from chromacord.cli.screen.summary_text import summary_line, summary_values

DEFAULT_FOLDER = Path("demo")


def demo(
    output: Annotated[
        Path, Option("--output", "-o", help="Folder for the clips; created if missing.")
    ] = DEFAULT_FOLDER,
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
        # The files belong to this command by name, so a second run may overwrite them.
        files = write_sample(output, force=True, progress=display.progress)
        both = output / "before_after.mp4"
        with single_threaded():
            summary = harmonize_video(
                files.composite,
                output=output / "harmonized.mp4",
                mask=files.mask,
                grade_out=output / "grade.json",
                preview=both,
                force=True,
                progress=display.progress,
            )
        display.summary(summary_line(summary), summary_values(summary))
        picture = write_picture(both, output / "before_after.png")
        report(f"result: {summary.outputs[0]}\nbefore and after: {picture}")


def write_picture(clip: Path, picture: Path) -> Path:
    """Write the middle frame of a clip as a picture; return its path."""
    from chromacord.io import open_sink, open_source

    source = open_source(clip)
    middle = (source.info.num_frames or 1) // 2
    with open_sink(picture, source.info, force=True, copy_streams=False, trimmed=True) as sink:
        for frame in source.frames(middle, middle + 1):
            sink.write(frame)
        sink.finish()
        sink.commit()
    return picture
