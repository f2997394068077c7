"""Options for finishing: changes to the foreground besides its grade."""

from typing import Annotated

from typer import Option

from chromacord.cli.help import FINISH

Wrap = Annotated[
    str | None,
    Option(
        metavar="AMOUNT[,RADIUS]",
        help="Let the background's light spill over the foreground's edge: 0 to 1, and pixels.",
        rich_help_panel=FINISH,
    ),
]
MatchGrain = Annotated[
    bool,
    Option(
        "--match-grain",
        help="Measure the noise of foreground and background, and add what the foreground lacks.",
        rich_help_panel=FINISH,
    ),
]
