"""Output and run options shared by `harmonize`, `grade` and `apply`."""

from typing import Annotated, Literal

from typer import Option

from chromacord.cli.arguments.values import complete_codec
from chromacord.cli.help import OUTPUT, RUN

Output = Annotated[
    str,
    Option(
        "--output",
        "-o",
        metavar="CLIP",
        help="Video, still image or pattern to write; the extension sets the format. - for standard output: y4m, or "
        "Matroska with --codec.",
        rich_help_panel=OUTPUT,
    ),
]
Codec = Annotated[
    str | None,
    Option(
        metavar="NAME",
        help="Video codec; by default that of the source.",
        autocompletion=complete_codec,
        rich_help_panel=OUTPUT,
    ),
]
Crf = Annotated[
    float | None,
    Option(metavar="N", help="Constant quality on the codec's own scale; lower is better.", rich_help_panel=OUTPUT),
]
Preset = Annotated[
    str | None,
    Option(
        metavar="NAME",
        help="Speed of x264 and x265 (ultrafast to veryslow) or SVT-AV1 (0 to 13).",
        rich_help_panel=OUTPUT,
    ),
]
ExrCompression = Annotated[
    str | None,
    Option(
        metavar="NAME",
        help="Compression of EXR files (zip, piz, dwaa:45, ...); by default the source's if it is lossless, else zip.",
        rich_help_panel=OUTPUT,
    ),
]
GradeOut = Annotated[str | None, Option(metavar="FILE", help="Also write the grade as JSON.", rich_help_panel=OUTPUT)]
LutOut = Annotated[
    str | None,
    Option(
        metavar="FILE",
        help="Also write a LUT or CDL for each shot: a .cube, .clf, .ctf, .3dl, .csp, .cc, .ccc or .cdl file, or a "
        "folder for .cube files.",
        rich_help_panel=OUTPUT,
    ),
]
Preview = Annotated[
    str | None,
    Option(
        metavar="FILE",
        help="Also write before and after side by side, as a video or a picture.",
        rich_help_panel=OUTPUT,
    ),
]
Force = Annotated[bool, Option("--force", help="Replace existing outputs.", rich_help_panel=RUN)]
SkipExisting = Annotated[
    bool, Option("--skip-existing", help="Skip clips whose outputs all exist.", rich_help_panel=RUN)
]
Resume = Annotated[
    bool,
    Option(
        "--resume",
        help="Keep a record beside the outputs; skip clips made from the same files with the same options, and replace "
        "those that are out of date.",
        rich_help_panel=RUN,
    ),
]
Jobs = Annotated[
    int, Option(min=0, metavar="N", help="Number of processes for several clips; 0: one per core.", rich_help_panel=RUN)
]
Device = Annotated[Literal["cpu", "cuda"], Option(help="Where the method's network runs.", rich_help_panel=RUN)]
LogJson = Annotated[
    bool,
    Option("--log-json", help="JSON lines on stdout: progress, warnings, the summary, errors.", rich_help_panel=RUN),
]
Quiet = Annotated[bool, Option("--quiet", "-q", help="Show only warnings and errors.", rich_help_panel=RUN)]
