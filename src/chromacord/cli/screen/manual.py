"""The man page, generated from the help: `python -m chromacord.cli.screen.manual > man/chromacord.1`."""

from collections.abc import Iterator
from typing import Any

from chromacord import __version__
from chromacord.cli.help import EXAMPLES, grouped


def man_page(command: Any, name: str) -> str:
    """Return the man page of a program with all its commands, as man(7) source.

    Args:
        command: the program's main command, a click group.
        name: name of the program.
    """
    context = command.make_context(name, ["--version"], resilient_parsing=True)
    summary, epilog = " ".join(command.help.split()), " ".join(command.epilog.split())
    lines = [
        f'.TH {name.upper()} 1 "" "{name} {__version__}" "User Commands"',
        f".SH NAME\n{name} \\- {_roff(summary[0].lower() + summary[1:].rstrip('.'))}",
        f".SH SYNOPSIS\n.B {name}\n.I COMMAND\n[options]",
        f".SH DESCRIPTION\n{_roff(summary)}",
        *_commands(command, context, name),
        f".SH EXIT STATUS\n{_roff(epilog)}",
    ]
    return "\n".join(lines) + "\n"


def _commands(group: Any, parent: Any, path: str) -> Iterator[str]:
    """Yield a section for each command of a group, in the order of its help, and for those below it."""
    for name in group.list_commands(parent):
        command, full = group.commands[name], f"{path} {name}"
        context = command.context_class(command, info_name=name, parent=parent)
        if hasattr(command, "commands"):
            yield from _commands(command, context, full)
            continue
        usage = " ".join(command.collect_usage_pieces(context))
        yield f".SH {full.upper()}\n.B {_roff(full)}\n{_roff(usage)}\n.PP\n{_roff(' '.join(command.help.split()))}"
        for heading, rows in grouped(command, context).items():
            yield f".SS {heading}"
            yield from (f".TP\n.B {_roff(syntax)}\n{_roff(description)}" for syntax, description in rows)
            if example := EXAMPLES.get(name, {}).get(heading):
                yield f".PP\n.EX\n{_roff(example)}\n.EE"


def _roff(text: str) -> str:
    """Escape text for roff: backslashes, hyphens that are copied to a shell, and control characters at line starts."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    return "\n".join("\\&" + line if line.startswith((".", "'")) else line for line in escaped.splitlines())


if __name__ == "__main__":
    import typer

    from chromacord.cli import app

    print(man_page(typer.main.get_command(app), "chromacord"), end="")
