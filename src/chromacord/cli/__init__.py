"""The command line, one command per file. Heavy modules (torch, av) are imported inside commands only."""

import os
import re
import signal
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from chromacord import __version__
from chromacord.cli import apply, demo, doctor, grade, harmonize, info, matte, methods, ui
from chromacord.cli.batch import join
from chromacord.cli.help import WIDTH, Group, GroupedCommand, help_of
from chromacord.cli.research import bench, compare, evaluate, synthesize, train, weights
from chromacord.cli.screen import streams
from chromacord.cli.screen.choice import choose_display
from chromacord.cli.screen.exits import BAD_INPUT, OK, terminate
from chromacord.errors import OutputError, one_of
from chromacord.render.compiled import renderer_name

_CODES = (
    "Exit codes: 0 done; 1 a bug, with a traceback; 2 an input, an option or the output cannot be used: one line says "
    "what, where and what to do; 130 stopped with Ctrl-C; 143 stopped with SIGTERM."
)
EPILOG = f"{_CODES} With any code other than 0, no output is kept."
RESUMABLE_EPILOG = f"{_CODES} What is complete is kept, and the same command continues from there."

app = typer.Typer(
    name="chromacord",
    help="Make a pasted foreground look as if it had been filmed with its background, over a whole video.",
    epilog=EPILOG,
    cls=Group,
    context_settings=WIDTH,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for name, command in (("harmonize", harmonize.harmonize), ("grade", grade.grade), ("apply", apply.apply)):
    app.command(name, cls=GroupedCommand, epilog=f"{EPILOG[:-1]}, except for complete clips of several.")(command)
app.command("join", cls=GroupedCommand, epilog=EPILOG)(join.join)
app.command("matte", cls=GroupedCommand, epilog=EPILOG)(matte.matte)
app.command("ui", cls=GroupedCommand)(ui.ui)
app.command("methods", cls=GroupedCommand)(methods.methods)
app.command("info", cls=GroupedCommand)(info.info)
app.command("demo", cls=GroupedCommand)(demo.demo)
app.command("doctor", cls=GroupedCommand)(doctor.doctor)
app.command("evaluate", cls=GroupedCommand, epilog=RESUMABLE_EPILOG)(evaluate.evaluate)
app.command("compare", cls=GroupedCommand)(compare.compare)
app.command("synthesize", cls=GroupedCommand, epilog=RESUMABLE_EPILOG)(synthesize.synthesize)
app.command("train", cls=GroupedCommand, epilog=RESUMABLE_EPILOG)(train.train)
app.add_typer(weights.app, name="weights")
app.add_typer(bench.app, name="bench")


@app.callback(invoke_without_command=True)
def start(
    context: typer.Context,
    show_version: Annotated[
        bool, typer.Option("--version", help="Show the version and the renderer, and exit.")
    ] = False,
) -> None:
    """Show the version, or the help if no command is given."""
    if show_version:
        print(f"chromacord {__version__} ({renderer_name()} renderer)")
    elif context.invoked_subcommand is None:
        print(context.get_help())


def main(arguments: Sequence[str] | None = None, *, app: typer.Typer = app, name: str = "chromacord") -> None:
    """Run the command line and exit with its code.

    Args:
        arguments: command-line arguments; None: those of the process.
        app: the commands to offer.
        name: name of the program.
    """
    # Set before numpy is imported: OpenBLAS would start a thread for each core, see job/threads.py.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    streams.prepare()
    signal.signal(signal.SIGTERM, terminate)
    given = sys.argv[1:] if arguments is None else arguments
    # Parse errors are displayed too, so the display must be chosen before the options are parsed.
    display = choose_display(log_json="--log-json" in given, quiet=True)
    try:
        if text := help_of(typer.main.get_command(app), given, name):
            print(text)
            code = OK
        else:
            code = app(args=arguments, prog_name=name, standalone_mode=False)
        streams.check_printed()
    except OutputError as error:
        display.error(error, str(error))
        sys.exit(BAD_INPUT)
    except typer.TyperException as error:
        context = getattr(error, "ctx", None)
        command = context.command_path if context else name
        message = f"{_plain(error.format_message())}; see {command} --help"
        display.error(error, message)
        sys.exit(BAD_INPUT)
    sys.exit(code if isinstance(code, int) else OK)


_QUOTED = re.compile(r"'([^']*)'")


def _plain(message: str) -> str:
    """Rephrase the parser's messages in the style of our own errors."""
    message = message.rstrip(".").replace("Value error, ", "").partition(", unable to parse")[0]
    message = re.sub(r"Input should be", "must be", message)
    message = re.sub(r" ?\(Possible options: (.+)\)$", r" (did you mean \1?)", message)
    message = re.sub(r"\. Did you mean (.+)\?$", r" (did you mean \1?)", message)
    if choice := re.fullmatch(r"(.+: )'(.*)' is not one of ((?:'[^']*'(?:, )?)+)", message):
        start, given, known = choice.groups()
        message = f"{start}{given!r}; {one_of(given, re.findall(_QUOTED, known))}"
    return f"{message[:1].lower()}{message[1:]}"
