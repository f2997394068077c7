"""Weights are measured on held-out composites, and their confidence is fitted there."""

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.__main__ import PROGRAM, app
from benchmarks.held_out import KINDS, Setting, draw_composites
from chromacord.lab import weight_files
from tests.cli.conftest import Run, running
from tests.images import write


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    with running(capsys, app=app, name=PROGRAM) as command:
        yield command


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of one set that is held out and of one that is not, and LUTs that halve the light."""
    folder = tmp_path_factory.mktemp("data")
    generator = np.random.default_rng(0)
    rows = ["path,kind,mask,frames,size,use,licence,source"]
    for name in ("still/grabcut", "still/ccp"):
        for number in range(3):
            picture = generator.integers(60, 200, (64, 64, 3), np.uint8)
            mask = np.zeros((64, 64, 1), np.uint8)
            mask[16:48, 16:48] = 255
            for part, values in (("images", picture), ("masks", mask)):
                (folder / name / part).mkdir(parents=True, exist_ok=True)
                write(folder / name / part / f"{number}.png", values)
        rows.append(f"{name},still,binary,3,,train,CC0,made")
    (folder / "manifest.csv").write_text("\n".join(rows) + "\n")
    (folder / "luts" / "train").mkdir(parents=True)
    nodes = "\n".join(f"{red / 2} {green / 2} {blue / 2}" for blue in (0, 1) for green in (0, 1) for red in (0, 1))
    with zipfile.ZipFile(folder / "luts" / "train.zip", "w") as archive:
        for number in range(6):
            archive.writestr(f"{number}.cube", f"LUT_3D_SIZE 2\n{nodes}\n")
    return folder


def test_composites_are_of_held_out_pictures_and_of_their_kind(data: Path) -> None:
    drawn = draw_composites(Setting(data, count=4))
    assert set(drawn) == set(KINDS)
    for kind, batches in drawn.items():
        changed = torch.cat([(batch.changed - batch.real).abs().flatten(1).mean(dim=1) for batch in batches])
        assert len(changed) == 4
        assert bool((changed == 0).all()) == (kind == "unchanged"), kind


def test_weights_are_measured_and_their_confidence_is_fitted(run: Run, data: Path, tmp_path: Path) -> None:
    fitted, report = tmp_path / "fitted.safetensors", tmp_path / "report.json"
    done = run("held-out", data, "--weights", "shotgrade", "--count", "6", "--calibrate", fitted, "--output", report)
    assert done.code == 0, done.err
    rows = json.loads(report.read_text())["weights"]["shotgrade"]
    ratios = [rows[kind]["ratio"] for kind in KINDS if kind != "unchanged"]
    assert rows["sum"] == pytest.approx(sum(ratios), abs=0.003)
    assert rows["harm"] > 0
    before, after = weight_files.state_dict("shotgrade"), weight_files.state_dict(fitted)
    assert torch.equal(before["calibration"][0], after["calibration"][0])
    assert not torch.equal(before["calibration"][1], after["calibration"][1])
    assert all(torch.equal(value, after[key]) for key, value in before.items() if key != "calibration")


def test_data_without_held_out_pictures_are_refused(run: Run, data: Path, tmp_path: Path) -> None:
    (tmp_path / "still").mkdir()
    (tmp_path / "still" / "ccp").symlink_to(data / "still" / "ccp")
    lines = (data / "manifest.csv").read_text().splitlines()
    (tmp_path / "manifest.csv").write_text("\n".join([lines[0], lines[2]]) + "\n")
    done = run("held-out", tmp_path, "--weights", "shotgrade")
    assert done.code == 2
    assert "holds none of still/ecssd" in done.err
