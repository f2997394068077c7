"""Mattes of boxes and clicks are measured against known masks."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from benchmarks import mattes
from benchmarks.__main__ import PROGRAM, app
from tests.cli.conftest import Run, running
from tests.images import write
from tests.matte.test_tracked import frame


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    with running(capsys, app=app, name=PROGRAM) as command:
        yield command


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    folder = tmp_path / "disc"
    for index in range(3):
        picture, matte = frame(index)
        for name, plane in (("images", picture), ("masks", matte[..., None])):
            (folder / name).mkdir(parents=True, exist_ok=True)
            write(folder / name / f"{index:05d}.png", np.rint(plane * 255).astype(np.uint8))
    return folder


def test_every_way_is_measured(run: Run, clip: Path, tmp_path: Path) -> None:
    done = run("mattes", clip, "--frames", "2", "--output", tmp_path / "mattes.json")
    assert done.code == 0, done.err
    report = json.loads((tmp_path / "mattes.json").read_text())
    assert (report["clips"], report["frames"]) == (["disc"], 2)
    assert {"machine", "versions", "commit", "command"} <= set(report)
    assert len(report["overlap"]) == 5
    for way, found in report["overlap"].items():
        assert found["mean"] > 0.85, way
        assert found["of_each_clip"] == [found["mean"]]
        assert found["lost"] == 0


def test_clicks_are_where_the_foreground_is_widest() -> None:
    mask = np.zeros((60, 80), bool)
    mask[10:30, 10:30] = mask[40:50, 50:60] = True
    first, second, *_ = mattes.clicks(mask, 5)
    assert abs(first.row - 20) <= 1
    assert abs(first.column - 20) <= 1
    assert mask[second.row, second.column]
    assert all(not mask[click.row, click.column] for click in mattes.clicks_around(mask))
    assert mattes.around(mask) == (6, 6, 54, 64)
