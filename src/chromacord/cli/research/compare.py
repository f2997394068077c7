"""`chromacord compare`: methods side by side on pasted composites, and blind sheets of two of them."""

import shlex
import sys
from pathlib import Path
from typing import Annotated

from typer import Option

from chromacord.cli.arguments.output_options import Force, LogJson, Quiet
from chromacord.cli.arguments.values import parse_names
from chromacord.cli.screen.choice import choose_display
from chromacord.cli.screen.exits import job
from chromacord.errors import counted, one_line


def compare(
    *,
    composites: Annotated[
        Path, Option("--list", help="CSV file of composites: foreground, background, place and size.")
    ],
    data: Annotated[Path, Option(help="Folder that the list's paths are relative to.")],
    output: Annotated[Path, Option("--output", "-o", help="Folder for strips, blind sheets and pages.")],
    method: Annotated[
        str | None, Option(metavar="A,B,C", help="Methods, see `chromacord methods`; default: those of the benchmark.")
    ] = None,
    blind: Annotated[
        str, Option(metavar="A,B", help="Two methods for blind sheets, in random order; '' for none.")
    ] = "identity,shotgrade",
    seed: Annotated[int | None, Option(help="Seed for the order in blind sheets; default: random.")] = None,
    force: Force = False,
    log_json: LogJson = False,
    quiet: Quiet = False,
) -> None:
    """Show methods on pasted composites: strips, and blind sheets with a separate key."""
    display = choose_display(log_json=log_json, quiet=quiet)
    with job(display):
        from chromacord.job.threads import single_threaded
        from chromacord.lab.evaluation.comparison import BLIND_PAGE, KEY, PAGE, Comparison
        from chromacord.lab.evaluation.comparison import compare as run
        from chromacord.lab.evaluation.quality import METHODS

        comparison = Comparison(
            composites,
            data,
            parse_names(method) if method is not None else METHODS[1:],
            parse_names(blind),
            seed,
            command=shlex.join(["chromacord", *sys.argv[1:]]),
        )
        with single_threaded():
            count = run(comparison, output, force=force, progress=display.progress)
        also = f"; judge {output}/{BLIND_PAGE}, then open {output}/{KEY}" if comparison.blind else ""
        display.summary(
            one_line(f"{output}/{PAGE}: {counted(count, 'composite')}{also}"),
            {"output": output, "composites": count, "page": output / PAGE},
        )
