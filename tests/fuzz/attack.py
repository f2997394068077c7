"""Attack what reads files and what moves them, and count the outcomes: `python -m tests.fuzz.attack`, or `make fuzz`.

Parsers are called in this process. Files of every kind that users hand in go through the command, in child processes
with little memory and time. And runs are stopped before each of their file operations.
"""

import argparse
import gc
import json
import os
import resource
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path
from random import Random
from typing import NamedTuple

from chromacord.errors import ChromacordError
from chromacord.lab.bench.provenance import commit
from tests.fuzz.children import FINE, OUTCOMES, load_all, run_child
from tests.fuzz.doors import Door, check, make_doors, make_seeds, prepare
from tests.fuzz.kills import ENDS, count_kills
from tests.fuzz.mutation import mutated
from tests.fuzz.targets import Target, make_targets

LONGEST_MESSAGE = 20_000
_HANG = 20.0
"""Seconds of CPU time."""

_COLUMNS = ("read", "refused", "other errors", "hangs")
PARTS = ("files", "kills", "parsers")

Row = dict[str, object]

_ABOUT = {
    "files": """\
Damaged files of each kind, handed to the command (tests/fuzz/doors.py): pictures and clips as composite, as mask and
to `info`; clips as composite and mask of `grade`, which writes a file of each kind ("grade command"); LUTs and CDLs as
what is applied ("look"); the others as LUTs, grade, list of cuts, recipe, manifest or weights. Each run is a child
process with a minute of CPU time and 4 GB of address space beyond what it starts with. Refused in one line: exit code
2, one line of error, nothing is left behind. Accepted: exit code 0, and the output can be read; of composites in PNG,
TIFF, OpenEXR and FFV1, and where a grade or a look is applied, the background is the composite's to the bit. Native
crash: a library ended the process. Memory: more than a gigabyte beyond the start.""",
    "kills": """\
A run that replaces files of a sequence, makes a folder and writes a file beside them, stopped before each of its file
operations (renames, links, unlinks, opens), and what is then under final names (tests/io/test_commit_kills.py).""",
    "parsers": """\
Damaged files that each parser was given (tests/fuzz/targets.py). Refused: in one line, of a class of
chromacord.errors.""",
}


class Attempt(NamedTuple):
    """What came of one file."""

    outcome: str
    """"read", "refused", or the exception that should not have been raised."""

    seconds: float
    """CPU time."""


def attack(target: Target, content: bytes) -> Attempt:
    """Have a parser read a file."""
    started = time.process_time()
    try:
        target.read(content)
        outcome = "read"
    except ChromacordError as error:
        is_one_line = len(str(error).splitlines()) == 1 and len(str(error)) < LONGEST_MESSAGE
        outcome = "refused" if is_one_line else f"a message of {len(str(error).splitlines())} lines"
    except Exception as error:
        outcome = f"{type(error).__name__}: {error}"
    return Attempt(outcome, time.process_time() - started)


def count(name: str, target: Target, examples: int) -> Row:
    """Attack a parser with the same damaged files each time."""
    counts: Counter[str] = Counter(dict.fromkeys(_COLUMNS, 0))
    longest = 0.0
    for number in range(examples):
        attempt = attack(target, mutated(target.content, Random(f"{name} {number}")))
        longest = max(longest, attempt.seconds)
        counts[attempt.outcome if attempt.outcome in _COLUMNS else "other errors"] += 1
        counts["hangs"] += attempt.seconds > _HANG
        if attempt.outcome not in _COLUMNS:
            print(f"{name}, file {number}: {attempt.outcome}", file=sys.stderr)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return {"parser": name, "files": examples, **counts, "longest_seconds": round(longest, 2), "peak_mb_so_far": peak}


def count_files(kind: str, doors: list[Door], folder: Path, examples: int, *, keep: Path | None = None) -> Row:
    """Hand damaged files of a kind to the command, to its doors in turn.

    Args:
        kind: of files.
        doors: that take them.
        folder: with what `make_seeds` has written, and room for more.
        examples: how many files.
        keep: folder for the files that caused faults; None: they are only reported.
    """
    counts: Counter[str] = Counter(dict.fromkeys(OUTCOMES, 0))
    longest, most = 0.0, 0
    # A door that its good file does not pass would count faults of its own. Some files are made by their damage alone.
    for door in (each for each in doors if each.content):
        prepare(door._replace(damage=lambda content, _: content), folder / "shared", folder / "run", Random(kind))
        child = run_child(door.arguments, folder / "run", output=door.output, check=check(door))
        if child.outcome != "accepted":
            raise RuntimeError(f"{kind}, good file, {' '.join(door.arguments)}: {child.outcome}: {child.told}")
    for number in range(examples):
        door = doors[number % len(doors)]
        content = prepare(door, folder / "shared", folder / "run", Random(f"{kind} {number}"))
        child = run_child(door.arguments, folder / "run", output=door.output, check=check(door))
        counts[child.outcome] += 1
        longest, most = max(longest, child.seconds), max(most, child.more_mb)
        if child.outcome not in FINE:
            print(f"{kind}, file {number}, {' '.join(door.arguments)}: {child.outcome}: {child.told}", file=sys.stderr)
            if keep is not None:
                keep.mkdir(parents=True, exist_ok=True)
                (keep / f"{kind}-{number}-{Path(door.name).name}").write_bytes(content)
    return {"kind": kind, "files": examples, **counts, "longest_seconds": longest, "most_mb": most}


def is_bad(part: str, row: Row) -> bool:
    """Tell whether a row counts what must not happen."""
    bad = {"files": OUTCOMES[len(FINE) :], "kills": ENDS[2:], "parsers": _COLUMNS[2:]}[part]
    return any(row[name] for name in bad)


def table(rows: list[Row]) -> list[str]:
    """Return rows as lines of Markdown."""
    names = list(rows[0])
    lines = [f"| {' | '.join(name.replace('_', ' ') for name in names)} |", "|" + "---|" * len(names)]
    return lines + [f"| {' | '.join(str(row[name]) for name in names)} |" for row in rows]


def markdown(parts: dict[str, list[Row]], command: str, measured: str) -> str:
    """Return the counts as tables."""
    lines = [
        "# Under attack",
        "",
        "Files are damaged by tests/fuzz/mutation.py: bytes flipped, cut off, repeated and taken out, fields of",
        "headers and numbers replaced by extremes, nesting, bytes that are no text.",
    ]
    for part, rows in parts.items():
        lines += ["", f"## {part.capitalize()}", "", _ABOUT[part], "", *table(rows)]
    return "\n".join([*lines, "", f"Measured at commit {measured}:", "", f"    {command}", ""])


def _attack_files(folder: Path, chosen: argparse.Namespace) -> list[Row]:
    # Seeds are made by another process: libraries leave threads behind, and a process with such must not be forked.
    child = os.fork()
    if not child:
        make_seeds(folder / "shared", folder / "seeds")
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        raise RuntimeError("the good files cannot be made")
    doors = make_doors(folder / "shared", folder / "seeds")
    load_all()
    rows = []
    for kind in chosen.kind or doors:
        rows.append(count_files(kind, doors[kind], folder, chosen.examples, keep=chosen.keep))
        print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    gc.unfreeze()
    return rows


def _attack_parsers(folder: Path, examples: int) -> list[Row]:
    rows = []
    for name, target in make_targets(folder).items():
        rows.append(count(name, target, examples))
        print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    return rows


def main() -> int:
    """Count, write the tables, and fail where something happened that must not."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=500)
    parser.add_argument("--part", choices=PARTS, action="append", help="default: all")
    parser.add_argument("--kind", action="append", help="of files; default: all")
    parser.add_argument("--keep", type=Path, help="folder for files of which something bad came")
    parser.add_argument("--output", type=Path, help="JSON, with a .md of tables beside it; default: none")
    chosen = parser.parse_args()
    warnings.simplefilter("ignore")
    parts: dict[str, list[Row]] = {}
    for part in chosen.part or PARTS:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            if part == "files":
                parts[part] = _attack_files(folder, chosen)
            elif part == "kills":
                parts[part] = count_kills(folder)
            else:
                parts[part] = _attack_parsers(folder, chosen.examples)
    command = f"python -m tests.fuzz.attack --examples {chosen.examples}"
    if chosen.output is not None:
        measured = commit() or "unknown"
        chosen.output.write_text(json.dumps({"command": command, "commit": measured, **parts}, indent=1) + "\n")
        chosen.output.with_suffix(".md").write_text(markdown(parts, command, measured))
    return int(any(is_bad(part, row) for part, rows in parts.items() for row in rows))


if __name__ == "__main__":
    raise SystemExit(main())
