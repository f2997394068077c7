"""Input, mask and grade options shared by `harmonize`, `grade` and `apply`."""

from typing import Annotated, Literal

from typer import Argument, Option

from chromacord.cli.arguments.values import complete_method
from chromacord.cli.help import GRADE, INPUT, MASK

Composite = Annotated[
    list[str] | None,
    Argument(
        metavar="COMPOSITE",
        help="Clip with the pasted foreground: a video, a still image, a folder of images, a pattern such as "
        "shot.%04d.png or shot.####.exr, or - for standard input. Give several clips to harmonize each; all "
        "other paths then use {name} (the clip's name without extension), {folder} (its folder's name) and {parent} "
        "(its folder's path).",
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
        "composite's own alpha. Other forms: FILE@inverted, FILE@label=3, FILE@alpha, FILE@luma.",
        rich_help_panel=MASK,
    ),
]
Matte = Annotated[
    str | None,
    Option(
        "--alpha",
        metavar="CLIP|auto|...",
        help="Matte of the foreground layer, if it has no alpha; or how its own alpha is stored: straight, "
        "premultiplied, or auto to detect it; by default the convention of its format.",
        rich_help_panel=MASK,
    ),
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
        help="One grade per shot; a grade that changes smoothly within a shot (the default, unless LUTs are written); "
        "or one per frame.",
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
