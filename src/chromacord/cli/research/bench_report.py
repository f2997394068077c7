"""Run a measurement, and print and write its report."""

import json
import shlex
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

from typer import Option

from chromacord.cli.screen.choice import choose_display
from chromacord.cli.screen.exits import job
from chromacord.cli.screen.streams import report

Output = Annotated[Path | None, Option("--output", "-o", help="Also write the JSON to this file.")]
"""Path of the report, in addition to standard output."""


@contextmanager
def measurement(output: Path | None) -> Iterator[None]:
    """Run a measurement as a command's work, after checking that the report can be written."""
    with job(choose_display(quiet=True), stopped="a report is written at the end alone"):
        from chromacord.io.writing.staging import check_output

        if output is not None:
            check_output(output, force=True)
        yield


def tell(line: str) -> None:
    """Print a line beside the JSON."""
    # On stderr, because stdout is for the JSON.
    print(line, file=sys.stderr)


def give(measured: Mapping[str, object], output: Path | None, *, program: str = "chromacord") -> None:
    """Print a report as JSON, and write it to a file if one is given.

    Args:
        measured: the report.
        output: path of the file.
        program: start of the command line, for the report.
    """
    from chromacord.io.writing.staging import write_text

    command = shlex.join([*program.split(), *sys.argv[1:]])
    text = json.dumps({"command": command, **measured}, indent=2)
    if output is None:
        print(text)
    else:
        write_text(output, text + "\n", force=True)
        report(text)
