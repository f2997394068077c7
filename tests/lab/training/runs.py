"""Short runs of a recipe, in this process or a separate one, and their outputs."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from chromacord.job.threads import single_threaded
from chromacord.lab.objectives import shot_grades
from chromacord.lab.training import draws
from chromacord.lab.training.loop import Trained, train
from chromacord.lab.training.recipe import read_recipe

COMMAND = [sys.executable, "-c", "from chromacord.cli import main; main()"]


def trained(recipe: Path, data: Path, output: Path) -> Trained:
    """Train as the command does: with one thread, which two runs need in order to be equal to the last bit."""
    with single_threaded():
        result = train(read_recipe(recipe), data, output)
    assert result is not None
    return result


def shorten_validation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Validate on 16 composites instead of 512: no weight depends on it, and it takes most of a tiny run's time."""
    for name, value in {"_VALIDATION_BATCHES": 2, "_VALIDATION_BATCH": 8}.items():
        monkeypatch.setattr(shot_grades, name, value)
    monkeypatch.setattr(draws, "_VALIDATION_LOOKS", 8)


def log_of(folder: Path, kind: str | None = None) -> list[dict[str, Any]]:
    """Return the log's lines of a kind, or all, without what the clock decides."""
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [_without_speed(line) for line in lines if kind in (None, line["kind"])]


def _without_speed(line: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in line.items() if name != "samples_per_second"}
