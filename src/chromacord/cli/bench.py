"""`chromacord bench`: measurements, as JSON with the command, the commit and the machine."""

import typer

app = typer.Typer(help="Measure, and print JSON.", no_args_is_help=True)


@app.command("video")
def video() -> None:
    """Measure."""


@app.callback()
def _bench() -> None:
    """Measure, and print JSON with the command, the commit and the machine."""
