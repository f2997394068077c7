"""The options that several parts of `chromacord bench` have in common."""

from pathlib import Path
from typing import Annotated, Literal

from typer import Option

Size = Annotated[Literal["1080p", "4k"], Option(help="Of the clips that are made.")]
Preset = Annotated[str, Option(help="Of x264.")]
Foreground = Annotated[float, Option(help="Share of the frame that the mask covers, up to 0.5.")]
Repeats = Annotated[int, Option(help="How often everything is run.")]
Method = Annotated[str | None, Option(help="See `chromacord methods`.")]
Output = Annotated[Path | None, Option("--output", "-o", help="Also write the JSON to this file.")]
