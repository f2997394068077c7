"""`chromacord doctor`: what is installed, and what to install for what is missing."""

import json
from typing import Annotated

from typer import Exit, Option

from chromacord import __version__
from chromacord.cli.screen.choice import choose_display
from chromacord.cli.screen.exits import BAD_INPUT, job

_INDENT = 14


def doctor(*, as_json: Annotated[bool, Option("--json", help="Print one JSON object.")] = False) -> None:
    """Check the installation: versions, renderer, codecs, colour configuration, GPU, and what is missing.

    Exits with code 2 if something that every run needs is missing.
    """
    with job(choose_display(log_json=as_json, quiet=True)):
        from chromacord.job.installation import Part, examine

        parts = (Part("chromacord", __version__), *examine())
        is_ready = not any(part.is_needed and part.remedy for part in parts)
        if as_json:
            print(json.dumps({"ready": is_ready, "parts": [part._asdict() for part in parts]}))
        else:
            width = max(_INDENT, *(len(part.name) + 2 for part in parts))
            for part in parts:
                print(f"{part.name:<{width}}{part.found}")
                if part.remedy:
                    print(f"{'':<{width}}-> {part.remedy}")
            print("ready to harmonize" if is_ready else "not ready: install the missing parts listed above")
    if not is_ready:
        raise Exit(BAD_INPUT)
