"""Give every parser many damaged files, and count what comes of it: `python -m tests.fuzz.attack`, or `make fuzz`."""

import argparse
import json
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
from tests.fuzz.mutation import mutated
from tests.fuzz.targets import Target, make_targets

LONGEST_MESSAGE = 20_000
_HANG = 20.0
"""Seconds of CPU time."""

_COLUMNS = ("read", "refused", "other errors", "hangs")


class Attempt(NamedTuple):
    """What came of one file."""

    outcome: str
    """"read", "refused", or what was raised that should not have been."""

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


def count(name: str, target: Target, examples: int) -> dict[str, object]:
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


def markdown(rows: list[dict[str, object]], command: str) -> str:
    """Return the counts as a table."""
    names = list(rows[0])
    table = [f"| {' | '.join(names)} |", "|" + "---|" * len(names)]
    table += [f"| {' | '.join(str(row[name]) for name in names)} |" for row in rows]
    about = (
        "Damaged files that each parser was given (tests/fuzz/mutation.py): bytes flipped, cut off, repeated and taken "
        'out, numbers replaced by extremes, nesting, bytes that are no text. "Refused" is one line, of a class of '
        "chromacord.errors."
    )
    return "\n".join(["# Parsers under attack", "", about, "", *table, "", f"    {command}", ""])


def main() -> int:
    """Count, write the table, and fail where anything was raised that should not have been."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=500)
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/robustness.json"))
    chosen = parser.parse_args()
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        rows = []
        for name, target in make_targets(Path(folder)).items():
            rows.append(count(name, target, chosen.examples))
            print(json.dumps(rows[-1]), file=sys.stderr)
    command = f"python -m tests.fuzz.attack --examples {chosen.examples}"
    chosen.output.write_text(json.dumps({"command": command, "parsers": rows}, indent=1) + "\n")
    chosen.output.with_suffix(".md").write_text(markdown(rows, command))
    return 1 if any(row["other errors"] or row["hangs"] for row in rows) else 0


if __name__ == "__main__":
    raise SystemExit(main())
