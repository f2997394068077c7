"""`chromacord weights`: manage weights of learned methods."""

from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from chromacord.cli.arguments.output_options import Force, LogJson, Quiet
from chromacord.cli.help import Group, GroupedCommand
from chromacord.cli.screen.choice import choose_display
from chromacord.cli.screen.exits import job
from chromacord.errors import InputError, one_line

app = typer.Typer(help="Weights of learned methods.", cls=Group, rich_markup_mode=None)


@app.callback(invoke_without_command=True)
def start(context: typer.Context) -> None:
    """Show the help if no subcommand is given."""
    if context.invoked_subcommand is None:
        print(context.get_help())


@app.command("import", cls=GroupedCommand)
def import_checkpoint(
    file: Annotated[Path, Argument(help="Published checkpoint, a torch.save file (.pth, .pt).")],
    *,
    method: Annotated[str, Option(metavar="NAME", help="Learned method of the checkpoint, or spynet.")],
    output: Annotated[
        Path | None,
        Option(
            "--output",
            "-o",
            help="Output .safetensors file; its card, a .toml file, is written beside it.",
            metavar="OUT",
        ),
    ] = None,
    force: Force = False,
    log_json: LogJson = False,
    quiet: Quiet = False,
) -> None:
    """Convert a published checkpoint to .safetensors in full precision, without executing any code in it."""
    display = choose_display(log_json=log_json, quiet=quiet)
    with job(display):
        from chromacord.lab.training.importing import import_published

        made = import_published(method, file, output, force=force)
        display.summary(
            one_line(f"{made.weights}: {made.num_values:,} numbers, card {made.card.name}; use: {made.use}"),
            {"weights": made.weights, "card": made.card, "use": made.use, "numbers": made.num_values},
        )


@app.command(cls=GroupedCommand)
def average(
    files: Annotated[list[str], Argument(help="Weights of one network: names or .safetensors files.")],
    *,
    output: Annotated[
        Path, Option("--output", "-o", help="Output .safetensors file, in half precision.", metavar="OUT")
    ],
    shares: Annotated[
        str, Option(metavar="A,B,C", help="Share of each in the average, such as 2,1,1; default: equal shares.")
    ] = "",
    keep: Annotated[
        str, Option(metavar="KEYS", help="Tensors to take from the first file as they are, such as calibration.")
    ] = "",
    force: Force = False,
    log_json: LogJson = False,
    quiet: Quiet = False,
) -> None:
    """Average weights of several runs from a common start, which is often better than each of them."""
    display = choose_display(log_json=log_json, quiet=quiet)
    with job(display):
        from chromacord.cli.arguments.values import parse_names
        from chromacord.io.writing.staging import check_output
        from chromacord.lab import weight_files
        from chromacord.parsing import parse_numbers

        check_output(output, force=force, inputs=map(Path, files))
        if len(set(files)) < max(2, len(files)):
            raise InputError(f"{', '.join(files)}: give two or more different weights")
        parts = parse_numbers(shares) if shares else (1.0,) * len(files)
        states = {file: weight_files.state_dict(file) for file in files}
        digest = weight_files.save(weight_files.mean(states, parts, kept=parse_names(keep)), output)
        display.summary(
            one_line(f"{output}: the average of {len(files)} weights, SHA-256 {digest}"),
            {"weights": output, "sha256": digest},
        )
