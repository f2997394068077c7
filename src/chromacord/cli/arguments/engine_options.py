"""Options for chunks and for the engine that runs them."""

from typing import Annotated, Literal

from typer import Option

from chromacord.cli.help import INPUT, RUN

Chunk = Annotated[
    str | None,
    Option(
        metavar="K/N",
        help="Render only the Kth of N chunks with a given grade, without sound; `chromacord join` joins them.",
        rich_help_panel=INPUT,
    ),
]
Manifest = Annotated[
    str | None,
    Option(
        metavar="FILE",
        help="Clips from a .csv or .jsonl file, one per row; columns are named like options and override them.",
        rich_help_panel=INPUT,
    ),
]
Engine = Annotated[
    Literal["local", "ray"],
    Option(help="Run on this machine, or on a Ray cluster that also splits long clips.", rich_help_panel=RUN),
]
TaskEngine = Annotated[
    Literal["local", "ray"], Option(help="Run in processes on this machine, or on a Ray cluster.", rich_help_panel=RUN)
]
TableEngine = Annotated[
    Literal["local", "ray"],
    Option(help="With --table: run in processes on this machine, or on a Ray cluster.", rich_help_panel=RUN),
]
Address = Annotated[
    str | None,
    Option(
        metavar="HOST:PORT",
        help="Head of the Ray cluster, or auto for the one on this machine; by default one is started here.",
        rich_help_panel=RUN,
    ),
]
ChunkFrames = Annotated[
    int, Option(min=1, metavar="N", help="With --engine ray: number of frames in a chunk.", rich_help_panel=RUN)
]
Retries = Annotated[
    int,
    Option(
        min=0,
        metavar="N",
        help="With --engine ray: how many times a task is retried after its machine died.",
        rich_help_panel=RUN,
    ),
]
