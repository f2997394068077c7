"""`chromacord demo`: build a sample clip and harmonize it."""

from pathlib import Path
from typing import Annotated

from typer import Option

from chromacord.cli.display import choose_display
from chromacord.cli.harmonize import summary_line
from chromacord.cli.job import job


def demo(
    output: Annotated[Path, Option("--output", "-o", help="Folder for the clips; made if it does not exist.")] = Path(
        "demo"
    ),
) -> None:
    """Build a sample clip from free photographs, harmonize it, and show where before and after lie."""
    display = choose_display()
    with job(display):
        from chromacord.sample import harmonize_sample, make_sample
