"""What `chromacord bench` prints and writes, and what every measurement does around it."""

import json
import shlex
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from chromacord.cli.display import choose_display
from chromacord.cli.job import job
from chromacord.cli.streams import report


@contextmanager
def measurement(output: Path | None) -> Iterator[None]:
    """Measure as every command does its work; where the report cannot be written, say so before hours of measuring."""
    with job(choose_display(quiet=True), stopped="a report is written at the end alone"):
        from chromacord.io.staging import check_output

        if output is not None:
            check_output(output, force=True)
        yield


def tell(line: str) -> None:
    """Print a line beside the JSON."""
    # On stderr, since stdout is for the JSON.
    print(line, file=sys.stderr)


def give(figures: Mapping[str, object], output: Path | None) -> None:
    """Print figures as JSON, and write them to a file if one is named."""
    from chromacord.io.staging import write_text

    command = shlex.join(["chromacord", *sys.argv[1:]])
    text = json.dumps({"command": command, **figures}, indent=2)
    if output is None:
        print(text)
    else:
        write_text(output, text + "\n", force=True)
        report(text)
