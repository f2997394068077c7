"""Options for finishing: changes to the foreground besides its grade."""

from typing import Annotated, Literal

from typer import Option

from chromacord.cli.help import FINISH

Edge = Annotated[
    str | None,
    Option(metavar="SHRINK,SOFTEN", help="Shrink and soften the mask's edge, in pixels.", rich_help_panel=FINISH),
]
FitEdge = Annotated[
    int | None,
    Option(
        metavar="PIXELS",
        help="Fit the mask's edge to a composite where it is off by up to PIXELS, from 1 to 16.",
        rich_help_panel=FINISH,
    ),
]
Decontaminate = Annotated[
    bool,
    Option(
        "--decontaminate",
        help="Take the old background out of the soft edges of a foreground layer.",
        rich_help_panel=FINISH,
    ),
]
Despill = Annotated[
    Literal["green", "blue", "auto"] | None,
    Option(help="Limit the light of a green or blue screen on a foreground layer.", rich_help_panel=FINISH),
]
ContactShadow = Annotated[
    str | None,
    Option(
        metavar="AMOUNT,ANGLE,LENGTH,BLUR",
        help="Darken the background beside a foreground layer: 0 to 1, degrees (90 is down), and pixels.",
        rich_help_panel=FINISH,
    ),
]
Wrap = Annotated[
    str | None,
    Option(
        metavar="AMOUNT[,RADIUS]",
        help="Let the background's light spill over the foreground's edge: 0 to 1, and pixels.",
        rich_help_panel=FINISH,
    ),
]
MatchSharpness = Annotated[
    bool,
    Option(
        "--match-sharpness",
        help="Soften a foreground whose edges are sharper than those of its background.",
        rich_help_panel=FINISH,
    ),
]
Sharpen = Annotated[
    bool,
    Option(
        "--sharpen",
        help="With --match-sharpness, also sharpen a foreground whose edges are softer than its background's.",
        rich_help_panel=FINISH,
    ),
]
MatchGrain = Annotated[
    bool,
    Option(
        "--match-grain",
        help="Give the foreground as much noise as its background: add grain, or average over time.",
        rich_help_panel=FINISH,
    ),
]
