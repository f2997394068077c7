"""Options of `ui`."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from chromacord.cli.help import INPUT, OPTIONS

Clip = Annotated[
    str | None,
    Argument(
        metavar="[CLIP]",
        help="Composite, or a session that the page saved, to open first.",
        show_default=False,
        rich_help_panel=INPUT,
    ),
]
Mask = Annotated[str | None, Option(metavar="FILE", help="Mask of the composite.", rich_help_panel=INPUT)]
Foreground = Annotated[
    str | None, Option(metavar="FILE", help="Foreground layer, instead of a composite.", rich_help_panel=INPUT)
]
Matte = Annotated[str | None, Option(metavar="FILE", help="The foreground's matte.", rich_help_panel=INPUT)]
Background = Annotated[str | None, Option(metavar="FILE", help="Clip under the foreground.", rich_help_panel=INPUT)]
Folder = Annotated[
    list[Path] | None,
    Option(
        metavar="FOLDER",
        help="Folder that the page may read and write, with all inside it; repeatable. Without it: this folder, "
        "and those of the files given.",
        show_default=False,
        rich_help_panel=INPUT,
    ),
]
Port = Annotated[int, Option(min=0, max=65535, help="Port to listen on; 0 picks a free port.", rich_help_panel=OPTIONS)]
Host = Annotated[
    str,
    Option(
        metavar="ADDRESS",
        help="Address to listen on. Any other than this machine's own requires the token in the printed address.",
        rich_help_panel=OPTIONS,
    ),
]
Token = Annotated[
    str | None,
    Option(envvar="CHROMACORD_UI_TOKEN", help="Access token; generated if not given.", rich_help_panel=OPTIONS),
]
