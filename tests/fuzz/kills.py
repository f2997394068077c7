"""Kill runs before each of their file operations, and tabulate what then exists under final names."""

import signal
from pathlib import Path

from tests.io.writing.test_commit_kills import NEW, STOPS, clean_up, found, prepared, run, stopped_at

ENDS = ("all of the run", "nothing of the run", "a part of it")


def count_kills(folder: Path) -> list[dict[str, object]]:
    """Stop a run at every file operation, by each signal, and the run that cleans up after a kill at every one too."""
    rows = [_stops(folder / "run", name, force=force) for name in STOPS for force in (True, False)]
    return [*rows, _second_kills(folder / "run")]


def _stops(folder: Path, name: str, *, force: bool) -> dict[str, object]:
    number, ends = getattr(signal, name), dict.fromkeys(ENDS, 0)
    for count in range(1000):
        before = prepared(folder, force=force)
        code = stopped_at(count, number, lambda: run(folder, force=force))
        if code is None:
            break
        if number == signal.SIGKILL:
            clean_up(folder)
        ends[_end(folder, before)] += 1
    what = f"{name}{', then the next run' if number == signal.SIGKILL else ''}"
    return {"stopped by": what, "replacing": "yes" if force else "no", "stops": count, **ends}


def _second_kills(folder: Path) -> dict[str, object]:
    ends, stops = dict.fromkeys(ENDS, 0), 0
    for count in range(1000):
        for second in range(1000):
            before = prepared(folder, force=True)
            if stopped_at(count, signal.SIGKILL, lambda: run(folder, force=True)) is None:
                what = "SIGKILL, then the next run by SIGKILL, then another"
                return {"stopped by": what, "replacing": "yes", "stops": stops, **ends}
            if stopped_at(second, signal.SIGKILL, lambda: clean_up(folder)) is None:
                break
            clean_up(folder)
            stops += 1
            ends[_end(folder, before)] += 1
    raise AssertionError("the run has no end")


def _end(folder: Path, before: dict[str, str]) -> str:
    after = found(folder)
    return ENDS[0] if after == {**before, **NEW} else ENDS[1] if after == before else ENDS[2]
