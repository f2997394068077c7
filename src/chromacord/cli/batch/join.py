"""`chromacord join`: join chunks rendered with --chunk."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from chromacord.cli.arguments.output_options import Force, LogJson, Quiet
from chromacord.cli.arguments.values import parse_frames
from chromacord.cli.batch.clips import refuse_empty
from chromacord.cli.help import INPUT, OUTPUT
from chromacord.cli.options import Frames
from chromacord.cli.screen.choice import choose_display
from chromacord.cli.screen.exits import job
from chromacord.errors import counted, one_line

Parts = Annotated[
    list[str],
    Argument(metavar="PART", help="Files of all chunks, in order.", show_default=False, rich_help_panel=INPUT),
]
Source = Annotated[
    str,
    Option("--of", metavar="CLIP", help="Composite or background that the chunks were made of.", rich_help_panel=INPUT),
]
Output = Annotated[
    str, Option("--output", "-o", metavar="CLIP", help="Video to write: .mp4, .mov or .mkv.", rich_help_panel=OUTPUT)
]


def join(
    part: Parts,
    of: Source,
    output: Output,
    frames: Frames = None,
    force: Force = False,
    log_json: LogJson = False,
    quiet: Quiet = False,
) -> None:
    """Join chunks rendered with --chunk, without re-encoding, and add the sound and tags of CLIP."""
    with job(display := choose_display(log_json=log_json, quiet=quiet)):
        from chromacord.io import open_source
        from chromacord.io.writing.joining import join_parts
        from chromacord.io.writing.places import refuse_inputs

        refuse_empty([("--of", of), ("--output", output), *(("PART", each) for each in part)])
        chosen, parts = parse_frames(frames), [Path(each) for each in part]
        like = open_source(Path(of)).info
        refuse_inputs(output, like, inputs=(Path(of), *parts))
        first = None if chosen is None else chosen[0] or 0
        count = join_parts(parts, Path(output), like, force=force, first=first)
        line = f"{one_line(output)}: {counted(count, 'frame')} of {counted(len(parts), 'chunk')}"
        display.summary(line, {"outputs": [output], "frames": count, "chunks": len(parts)})
