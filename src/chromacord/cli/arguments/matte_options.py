"""Options of `matte`."""

from typing import Annotated

from typer import Argument, Option

from chromacord.cli.help import INPUT, MASK, OUTPUT

Clip = Annotated[
    str,
    Argument(
        metavar="CLIP",
        help="A video, a still image, a folder of images or a pattern.",
        show_default=False,
        rich_help_panel=INPUT,
    ),
]
Output = Annotated[
    str,
    Option(
        "--output",
        "-o",
        metavar="FILE",
        help="Mask to write: a video (.mkv holds lossless FFV1), or PNG or TIFF images.",
        rich_help_panel=OUTPUT,
    ),
]
Key = Annotated[
    str | None,
    Option(
        metavar="COLOUR",
        help="Key the colour of a screen: green, blue, or R,G,B in codes from 0 to 255.",
        rich_help_panel=MASK,
    ),
]
Plate = Annotated[
    str | None,
    Option(
        metavar="FILE",
        help="Mask what differs from this clean plate: a still, or a clip with the same camera move.",
        rich_help_panel=MASK,
    ),
]
Box = Annotated[
    str | None,
    Option(
        metavar="X,Y,W,H",
        help="Cut out the subject in this box of the first frame and track it: left, top, width, height in pixels.",
        rich_help_panel=MASK,
    ),
]
Clicks = Annotated[
    list[str] | None,
    Option(
        "--click",
        metavar="X,Y[,FRAME]",
        help="Cut out the subject at this pixel of the first or a later frame and track it; repeatable.",
        rich_help_panel=MASK,
    ),
]
ClicksOut = Annotated[
    list[str] | None,
    Option(
        "--click-out",
        metavar="X,Y[,FRAME]",
        help="With --click or --box: mark this pixel as background; repeatable.",
        rich_help_panel=MASK,
    ),
]
Model = Annotated[
    str | None,
    Option(metavar="FILE", help="Run your own matting model, an .onnx file.", rich_help_panel=MASK),
]
ModelConfig = Annotated[
    str | None,
    Option(
        "--model-config",
        metavar="FILE",
        help="The model's inputs and outputs in TOML; if not given, the .toml file beside the model.",
        rich_help_panel=MASK,
    ),
]
FromAlpha = Annotated[bool, Option("--from-alpha", help="Take the clip's own alpha.", rich_help_panel=MASK)]
Levels = Annotated[
    str | None,
    Option(
        "--clip",
        metavar="BLACK,WHITE",
        help="With --key or --plate: coverage that maps to 0, and coverage that maps to 1; by default estimated.",
        rich_help_panel=MASK,
    ),
]
Within = Annotated[
    str | None, Option(metavar="MASK", help="Garbage matte: nothing outside this mask.", rich_help_panel=MASK)
]
Without = Annotated[str | None, Option(metavar="MASK", help="Holdout: nothing inside this mask.", rich_help_panel=MASK)]
