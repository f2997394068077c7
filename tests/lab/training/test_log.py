"""The log: its lines, what it drops on resuming, and TensorBoard's files."""

import json
import time
from pathlib import Path

import pytest

from chromacord.lab.training.log import LOG, RunLog


def lines(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / LOG).read_text().splitlines()]


def scalars(folder: Path, name: str) -> dict[int, float]:
    """Return the values of TensorBoard's files by step, as TensorBoard itself reads them."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    return {event.step: event.value for event in events.Scalars(name)}


def write_five(folder: Path) -> None:
    with RunLog(folder, step=0) as log:
        for step in range(1, 6):
            log.write("train", step, {"loss": 1 / step})
        log.write("validate", 5, {"fmse": 30.5, "note": "words"})


def test_each_line_holds_kind_step_and_values(tmp_path: Path) -> None:
    write_five(tmp_path)
    assert lines(tmp_path)[1] == {"kind": "train", "step": 2, "loss": 0.5}
    assert lines(tmp_path)[-1] == {"kind": "validate", "step": 5, "fmse": 30.5, "note": "words"}


def test_lines_are_there_while_the_run_goes_on(tmp_path: Path) -> None:
    with RunLog(tmp_path, step=0) as log:
        log.write("train", 1, {"loss": 0.5})
        assert len(lines(tmp_path)) == 1


def test_a_run_that_goes_on_forgets_what_came_after_its_checkpoint(tmp_path: Path) -> None:
    write_five(tmp_path)
    with RunLog(tmp_path, step=3) as log:
        assert [entry["step"] for entry in log.entries("train")] == [1, 2, 3]
        assert log.entries("validate") == []
        log.write("train", 4, {"loss": 9.0})
    assert [(line["step"], line["loss"]) for line in lines(tmp_path)] == [(1, 1), (2, 0.5), (3, 1 / 3), (4, 9)]


@pytest.mark.parametrize("cut", [1, 20])
def test_a_line_that_a_kill_cut_off_is_dropped(tmp_path: Path, cut: int) -> None:
    write_five(tmp_path)
    text = (tmp_path / LOG).read_text()
    (tmp_path / LOG).write_text(text[: -1 - cut])
    with RunLog(tmp_path, step=9) as log:
        log.write("train", 10, {"loss": 0.0})
    assert [line["step"] for line in lines(tmp_path)] == [1, 2, 3, 4, 5, 10]


def test_tensorboard_shows_the_numbers_and_forgets_the_same_steps(tmp_path: Path) -> None:
    write_five(tmp_path)
    assert scalars(tmp_path, "train/loss") == pytest.approx({step: 1 / step for step in range(1, 6)})
    assert scalars(tmp_path, "validate/fmse") == {5: 30.5}
    time.sleep(1.1)  # TensorBoard orders files by the second in their names
    with RunLog(tmp_path, step=3) as log:
        log.write("train", 4, {"loss": 9.0})
    assert scalars(tmp_path, "train/loss") == pytest.approx({1: 1, 2: 0.5, 3: 1 / 3, 4: 9})


def test_lines_that_no_run_wrote_are_dropped(tmp_path: Path) -> None:
    write_five(tmp_path)
    with (tmp_path / LOG).open("ab") as file:
        file.write(
            b"\xff\n[1]\n3\n{}\n" + b'{"kind": "train", "step": "6"}\n{"kind": 3, "step": 6}\n' + b"[" * 100_000 + b"\n"
        )
    with RunLog(tmp_path, step=9) as log:
        assert len(log.entries("train")) == 5
    assert len(lines(tmp_path)) == 6
