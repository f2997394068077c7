"""The input, mask, colour and grade options of `chromacord harmonize` and of the commands that share some of them."""

from typing import Annotated, Literal

from typer import Argument, Option

from chromacord.cli.help import COLOUR, GRADE, INPUT, MASK, OUTPUT
from chromacord.cli.values import complete_method, complete_space

Composite = Annotated[
    list[str] | None,
    Argument(
        metavar="COMPOSITE",
        help="Clip with the pasted foreground: a video, a still image, a folder of images, or a pattern such as "
        "shot.%04d.png or shot.####.exr. Give several clips to harmonize each; all other paths then use {name} (the "
        "clip's name without extension), {folder} (its folder's name) and {parent} (its folder's path).",
        show_default=False,
        rich_help_panel=INPUT,
    ),
]
Foreground = Annotated[
    list[str] | None,
    Option(metavar="CLIP", help="Foreground layer instead of COMPOSITE; repeatable.", rich_help_panel=INPUT),
]
Background = Annotated[
    str | None, Option(metavar="CLIP", help="Background layer under the foreground.", rich_help_panel=INPUT)
]
Layer = Annotated[
    str | None,
    Option(metavar="NAME", help="Layer of the composite's or the foreground's EXR files.", rich_help_panel=INPUT),
]
Frames = Annotated[
    str | None,
    Option(
        metavar="A:B", help="Only frames A to B-1, counted from 0; omit A or B for an open end.", rich_help_panel=INPUT
    ),
]
Missing = Annotated[
    Literal["error", "hold"],
    Option(help="At a gap in an image sequence: stop, or repeat the previous frame.", rich_help_panel=INPUT),
]
Salvage = Annotated[
    bool, Option("--salvage", help="Use what can be decoded of a truncated file.", rich_help_panel=INPUT)
]
Mask = Annotated[
    str | None,
    Option(
        metavar="CLIP",
        help="Foreground mask: the luma of a clip or image, or its alpha if it is a cut-out; 'alpha' for the "
        "composite's own alpha.",
        rich_help_panel=MASK,
    ),
]
Matte = Annotated[
    str | None,
    Option("--alpha", metavar="CLIP", help="Matte of the foreground layer, if it has no alpha.", rich_help_panel=MASK),
]
MaskFit = Annotated[
    bool, Option("--mask-fit", help="Scale a mask of another size to the composite's.", rich_help_panel=MASK)
]
Method = Annotated[
    str | None,
    Option(
        metavar="NAME",
        help="Method, see `chromacord methods`; options may follow, such as mkl:max_gain=2.",
        autocompletion=complete_method,
        rich_help_panel=GRADE,
    ),
]
Weights = Annotated[
    str | None,
    Option(
        metavar="FILE",
        help="Weights of a learned method: a name from `chromacord methods --cards`, or a file.",
        rich_help_panel=GRADE,
    ),
]
Consistency = Annotated[
    Literal["shot", "smooth", "frame"] | None,
    Option(
        help="One grade a shot; a grade that moves smoothly inside a shot (the default, unless LUTs are written); or "
        "a grade for each frame.",
        rich_help_panel=GRADE,
    ),
]
Cuts = Annotated[
    str | None,
    Option(
        metavar="24,48|FILE.edl|none",
        help="First frames of shots, counted from 0; an edit decision list (CMX 3600); or none for a single shot. "
        "By default cuts are detected.",
        rich_help_panel=GRADE,
    ),
]
GradeIn = Annotated[
    str | None,
    Option(
        metavar="FILE",
        help="Render a grade written by --grade-out, edited or not, or a LUT or CDL (.cube, .clf, .cdl), without "
        "analysis.",
        rich_help_panel=GRADE,
    ),
]
InputSpace = Annotated[
    str | None,
    Option(
        metavar="NAME",
        help="Colour space of the clip, as LogC3, S-Log3, ACEScg, PQ or a name of the configuration; by default what "
        "the file says, else Rec.709.",
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
        help="OpenColorIO configuration that names are looked up in; by default $OCIO, else the built-in one.",
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
    float, Option(metavar="MIRED", help="Warm it (above 0) or cool it, as a filter does.", rich_help_panel=GRADE)
]
Tint = Annotated[
    float, Option(metavar="CC", help="Shift it to magenta (above 0) or green, as a filter does.", rich_help_panel=GRADE)
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
        help="Keep hues closer to where they were: skin, or degrees as 20-60 (0 is red, 120 green).",
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
