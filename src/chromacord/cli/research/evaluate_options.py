"""The options of `chromacord evaluate`."""

from pathlib import Path
from typing import Annotated, Literal

from typer import Option

Data = Annotated[
    Path | None,
    Option(help="Data set: HYouTube or one in its layout, iHarmony4, or clips with images, masks and real."),
]
Output = Annotated[
    Path | None, Option("--output", "-o", help="Folder for records, tables and the report; created if missing.")
]
Methods = Annotated[
    str | None,
    Option(
        "--method",
        metavar="A,B,C",
        help="Methods, see `chromacord methods`; options may follow a name, such as mkl:max_gain=2. Default: all.",
    ),
]
Predicted = Annotated[
    list[Path] | None,
    Option("--predictions", help="Folder of frames by another method, named as in the data set; repeatable."),
]
Protocols = Annotated[str, Option("--protocol", metavar="A,B", help="Definitions of the figures.")]
Side = Annotated[int, Option("--size", min=16, help="Height and width to resize clips to.")]
Full = Annotated[bool, Option("--full", help="Use the whole pipeline at the clips' own size, instead of --size.")]
Split = Annotated[str, Option(help="Split of the data set.")]
Use = Annotated[str | None, Option(help="Only clips of this use in the folder's manifest.csv.")]
Stills = Annotated[bool, Option("--stills", help="Treat each picture of a folder of clips as a clip.")]
NumFrames = Annotated[
    int | None, Option("--frames", min=1, help="Number of frames of each clip, evenly spaced; default: all.")
]
Adjust = Annotated[
    str | None,
    Option(
        metavar="A,B",
        help="Make composites from real clips: one adjustment of each foreground at a time (brighter, warmer, ...); "
        "'all', or names such as darker-1 or unchanged.",
    ),
]
Flow = Annotated[str, Option(help="Source of optical flow for temporal figures.")]
NextFrames = Annotated[Path | None, Option(help="HYouTube's set for TL: the frames after those of the test set.")]
Given = Annotated[
    Literal["composite", "real"],
    Option(
        "--input", help="What methods are given; real: the real frames, to measure how much they change a good match."
    ),
]
Passes = Annotated[int, Option(min=1, help="Number of runs of each method, each on its previous result.")]
Strips = Annotated[int, Option(min=0, help="Number of clips with pictures in the report.")]
Jobs = Annotated[int, Option(min=0, help="Number of processes; 0: one per core.")]
PaperTables = Annotated[
    bool, Option("--paper-tables", help="Print the literature's figures, with those of -o beside them if comparable.")
]
