"""Options for colour spaces, manual grade adjustments, and the foreground output."""

from typing import Annotated, Literal

from typer import Option

from chromacord.cli.arguments.values import complete_space
from chromacord.cli.help import COLOUR, GRADE, OUTPUT

InputSpace = Annotated[
    str | None,
    Option(
        metavar="NAME",
        help="Colour space of the clip, such as LogC3, S-Log3, ACEScg, PQ or a name in the configuration; by default "
        "as stated in the file, otherwise Rec.709.",
        autocompletion=complete_space,
        rich_help_panel=COLOUR,
    ),
]
ForegroundSpace = Annotated[
    str | None,
    Option(
        metavar="NAME",
        help="Colour space of the foreground layer.",
        autocompletion=complete_space,
        rich_help_panel=COLOUR,
    ),
]
BackgroundSpace = Annotated[
    str | None,
    Option(
        metavar="NAME",
        help="Colour space of the background layer.",
        autocompletion=complete_space,
        rich_help_panel=COLOUR,
    ),
]
WorkingSpace = Annotated[
    str | None,
    Option(
        metavar="NAME",
        help="Colour space that LUTs and CDLs are written for; by default the clip's own, or ACEScct for linear clips.",
        autocompletion=complete_space,
        rich_help_panel=COLOUR,
    ),
]
Config = Annotated[
    str | None,
    Option(
        metavar="FILE|ocio://NAME",
        help="OpenColorIO configuration that defines the names; by default $OCIO, otherwise the built-in one.",
        rich_help_panel=COLOUR,
    ),
]
Strength = Annotated[
    str,
    Option(
        metavar="N|tone=N,colour=N",
        help="0 keeps the source, 1 applies the full grade; tone is brightness, colour the rest.",
        rich_help_panel=GRADE,
    ),
]
Exposure = Annotated[
    float, Option(metavar="STOPS", help="Brighten or darken the graded foreground.", rich_help_panel=GRADE)
]
Temperature = Annotated[
    str,
    Option(
        metavar="MIRED|KELVIN",
        help="Warm (above 0) or cool the graded foreground, in mired as a filter does; or give what white becomes in "
        "kelvin, as 5600K (6504K changes nothing).",
        rich_help_panel=GRADE,
    ),
]
Tint = Annotated[
    float,
    Option(metavar="CC", help="Shift to magenta (above 0) or green, in CC as a filter does.", rich_help_panel=GRADE),
]
Contrast = Annotated[
    float, Option(metavar="RATIO", help="Contrast around mid-grey; 1 keeps it.", rich_help_panel=GRADE)
]
Saturation = Annotated[float, Option(metavar="RATIO", help="Saturation; 1 keeps it.", rich_help_panel=GRADE)]
Black = Annotated[
    float, Option(metavar="LEVEL", help="Lift black to this level (0 to 1); white stays.", rich_help_panel=GRADE)
]
Protect = Annotated[
    str | None,
    Option(
        metavar="skin|A-B",
        help="Keep hues closer to where they were: skin, or degrees such as 20-60 (0 is red, 120 green).",
        rich_help_panel=GRADE,
    ),
]
Reference = Annotated[
    str | None,
    Option(
        metavar="FILE",
        help="Match the foreground to this picture, or a clip's first frame, instead of its background.",
        rich_help_panel=GRADE,
    ),
]
ByShot = Annotated[
    list[str] | None,
    Option(
        metavar="2:tint=-4",
        help="Values for these shots, counted from 1, in place of those for the clip, such as "
        "2-4:exposure=0.3,tone=0.5; repeatable.",
        rich_help_panel=GRADE,
    ),
]
Lock = Annotated[bool, Option("--lock", help="Give all shots one grade, the mean of theirs.", rich_help_panel=GRADE)]
Match = Annotated[
    list[str] | None,
    Option(
        metavar="1,3-5",
        help="Give these shots, counted from 1, one grade, the mean of theirs; repeatable.",
        rich_help_panel=GRADE,
    ),
]
ForegroundOut = Annotated[
    str | None,
    Option(
        metavar="CLIP",
        help="Also write the graded foreground alone, with alpha: a ProRes 4444 .mov, .png or .exr.",
        rich_help_panel=OUTPUT,
    ),
]
ForegroundAlpha = Annotated[
    Literal["straight", "premultiplied"] | None,
    Option(
        help="How --foreground-out stores colours; by default straight, in .exr premultiplied.", rich_help_panel=OUTPUT
    ),
]
