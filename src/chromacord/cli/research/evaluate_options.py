"""The options of `chromacord evaluate`."""

from pathlib import Path
from typing import Annotated, Literal

from typer import Option

Data = Annotated[
    Path | None,
    Option(help="Data set: HYouTube or one in its layout, iHarmony4, or clips with images, masks and real."),
]
Output = Annotated[
    Path | None, Option("--output", "-o", help="Folder for records, tables and the report; made if missing.")
]
Methods = Annotated[
    str | None,
    Option(
        "--method",
        metavar="A,B,C",
        help="See `chromacord methods`; options may follow a name, as mkl:max_gain=2. All, if not given.",
    ),
]
Predicted = Annotated[
    list[Path] | None,
    Option("--predictions", help="Folder of frames that another method made, named as in the data set; repeatable."),
]
Protocols = Annotated[str, Option("--protocol", metavar="A,B", help="Definitions of the figures.")]
Side = Annotated[int, Option("--size", min=16, help="Height and width that clips are resized to.")]
Full = Annotated[
    bool, Option("--full", help="Send clips through the whole pipeline, at their own size; no --size then.")
]
Split = Annotated[str, Option(help="Of a data set that has several.")]
Use = Annotated[str | None, Option(help="Only clips of this use in the folder's manifest.csv.")]
Stills = Annotated[bool, Option("--stills", help="Take each picture of a folder of clips for a clip of its own.")]
NumFrames = Annotated[
    int | None, Option("--frames", min=1, help="Frames of each clip, evenly spaced; all, if not given.")
]
Adjust = Annotated[
    str | None,
    Option(
        metavar="A,B",
        help="Make composites of real clips: brighten, warm, ... each foreground by one adjustment at a time; 'all', "
        "or names as darker-1 or unchanged.",
    ),
]
Flow = Annotated[str, Option(help="Where temporal figures have their optical flow from.")]
NextFrames = Annotated[Path | None, Option(help="HYouTube's set for TL: the frames after those of the test set.")]
Given = Annotated[
    Literal["composite", "real"],
    Option("--input", help="What methods are given; real: the real frames, to see what they change of harmony."),
]
Passes = Annotated[int, Option(min=1, help="Run each method so often, each time on its own result.")]
Strips = Annotated[int, Option(min=0, help="Clips that the report shows pictures of.")]
Jobs = Annotated[int, Option(min=0, help="Processes; 0: one a core.")]
PaperTables = Annotated[
    bool, Option("--paper-tables", help="Print the literature's figures, and those of -o apart or beside.")
]
