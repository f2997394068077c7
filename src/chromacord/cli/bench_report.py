"""What `chromacord bench` prints and writes."""

import json
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path


def tell(line: str) -> None:
    """Print a line beside the JSON."""
    # On stderr, since stdout is for the JSON.
    print(line, file=sys.stderr)


def give(report: Mapping[str, object], output: Path | None) -> None:
    """Print a report as JSON, and write it to a file if one is named."""
    from chromacord.io.staging import write_text

    command = shlex.join(["chromacord", *sys.argv[1:]])
    text = json.dumps({"command": command, **report}, indent=2)
    print(text)
    if output is not None:
        write_text(output, text + "\n", force=True)
