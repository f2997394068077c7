"""Command help: options in groups, each with an example.

The output is plain text: Rich would only add frames, and take three times as long to start.
"""

import re
from collections.abc import Sequence
from typing import Any

from typer import Context
from typer.core import TyperCommand, TyperGroup

INPUT, MASK, COLOUR, GRADE = "Input", "Mask", "Colour", "Grade"
FINISH, OUTPUT, RUN = "Finish", "Output", "Run"
OPTIONS = "Options"
"""Name of the group of options without a group."""

GROUPS = (INPUT, MASK, COLOUR, GRADE, FINISH, OUTPUT, OPTIONS, RUN)
"""Order of the groups."""

_PLAIN_TYPE = re.compile(r" <(?:bool|str|list\[str\])>$")
"""Types that the help omits because they say nothing: of flags and of text."""

WIDTH = {"max_content_width": 100}
"""Context settings: maximum width of the help in columns."""

EXAMPLES: dict[str, dict[str, str]] = {
    "harmonize": {
        INPUT: "chromacord harmonize --foreground fg.mov --background plate.mov -o over.mov",
        MASK: "chromacord harmonize cutout.png --mask alpha -o fitted.png",
        GRADE: "chromacord harmonize comp.mp4 --mask mask.mp4 -o soft.mp4 --strength 0.6 --cuts 24,48",
        FINISH: "chromacord harmonize comp.mp4 --mask mask.mp4 -o finished.mp4 --wrap 0.5,20",
        OUTPUT: "chromacord harmonize comp.mp4 --mask mask.mp4 -o master.mov --codec 'ProRes 4444' --lut-out look.cube",
        RUN: "chromacord harmonize shots/*.mp4 --mask 'masks/{name}.mp4' -o 'out/{name}.mp4' --jobs 8 --skip-existing",
    },
    "grade": {
        INPUT: "chromacord grade comp.mp4 --mask mask.mp4 -o part.json --frames 0:48",
        MASK: "chromacord grade cutout.png --mask alpha -o cutout.cube",
        GRADE: "chromacord grade comp.mp4 --mask mask.mp4 -o safe.cdl --method poisson",
        OUTPUT: "chromacord grade comp.mp4 --mask mask.mp4 -o look.cdl",
        RUN: "chromacord grade shots/*.mp4 --mask 'masks/{name}.mp4' -o 'out/{name}.json' --jobs 8",
    },
    "apply": {
        INPUT: "chromacord apply grade.json comp.mp4 --mask mask.mp4 -o part.mp4 --frames 24:",
        MASK: "chromacord apply cutout.json cutout.png --mask alpha -o graded.png",
        GRADE: "chromacord apply grade.json comp.mp4 --mask mask.mp4 -o weaker.mp4 --strength 0.5",
        FINISH: "chromacord apply grade.json comp.mp4 --mask mask.mp4 -o wrapped.mp4 --wrap 0.5",
        OUTPUT: "chromacord apply grade.json comp.mp4 --mask mask.mp4 -o small.mp4 --crf 24 --preset fast",
        RUN: "chromacord apply 'out/{name}.json' shots/*.mp4 --mask 'masks/{name}.mp4' -o 'graded/{name}.mp4' --force",
    },
    "ui": {
        INPUT: "chromacord ui comp.mp4 --mask mask.mp4 --folder ~/shots",
        OPTIONS: "chromacord ui --folder ~/shots --host workstation.example --port 9000",
    },
}
"""An example for each group of a command's options."""


class GroupedCommand(TyperCommand):
    """A command with grouped help."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write each group of arguments and options, followed by its example."""
        examples = EXAMPLES.get(self.name or "", {})
        for group, rows in grouped(self, ctx).items():
            with formatter.section(group):
                formatter.write_dl(rows)
                if group in examples:
                    # Not wrapped: a command broken into lines cannot be copied.
                    formatter.write(f"\n{'':{formatter.current_indent}}{examples[group]}\n")


class Group(TyperGroup):
    """The main command, or a command with subcommands."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the commands first, then the options."""
        with formatter.section("Commands"):
            formatter.write_dl((name, _summary(self.commands[name])) for name in self.list_commands(ctx))
        with formatter.section(OPTIONS):
            formatter.write_dl(record for each in self.get_params(ctx) if (record := each.get_help_record(ctx)))


def help_of(command: Any, words: Sequence[str], program: str) -> str | None:
    """Return the help for `PROGRAM COMMAND... --help`; None for any other command line.

    The parser would return the same text, but it imports a validator, which takes longer than everything else.
    """
    *names, last = words or ("",)
    if last != "--help":
        return None
    context = Context(command, info_name=program, **command.context_settings)
    for name in names:
        command = getattr(command, "commands", {}).get(name)
        if command is None:
            return None
        context = Context(command, info_name=name, parent=context)
    text: str = command.get_help(context)
    return text


def _summary(command: Any) -> str:
    """Return the first sentence of a command's description."""
    return " ".join((command.help or "").split()).partition(". ")[0].rstrip(".")


def grouped(command: TyperCommand, context: Any) -> dict[str, list[tuple[str, str]]]:
    """Return a command's arguments and options by group, as pairs of syntax and description."""
    found: dict[str, list[tuple[str, str]]] = {}
    for each in command.get_params(context):
        record = each.get_help_record(context)
        if record is not None:
            default = RUN if each.name == "help" and RUN in found else OPTIONS
            name = getattr(each, "rich_help_panel", None) or default
            found.setdefault(name, []).append((re.sub(_PLAIN_TYPE, "", record[0]), record[1]))
    known = {name: place for place, name in enumerate(GROUPS)}
    return dict(sorted(found.items(), key=lambda item: known.get(item[0], len(known))))
