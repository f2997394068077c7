import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.lab.evaluation.scored_set import copy_frames, make_set

SMALL = ("--size", 32, "--jobs", 1, "--strips", 1)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_set(tmp_path_factory.mktemp("data") / "set", offsets={"bright": 16, "dim": 4})


def test_tables_are_printed_with_the_protocols_name_and_written_with_a_page(
    run: Run, dataset: Path, tmp_path: Path
) -> None:
    done = run("evaluate", "--data", dataset, "--method", "mkl, reinhard:max_gain=2", "-o", tmp_path / "run", *SMALL)
    assert (done.code, done.err) == (0, "")
    table = (tmp_path / "run" / "table.md").read_text()
    assert done.out.startswith(table)
    for part in ("protocol hyoutube", "protocol clean", "TL (DIS)", "| mkl |", r"| reinhard:max\_gain=2 |"):
        assert part in table
    assert done.out.splitlines()[-1] == f"{tmp_path}/run: 2 clips, 6 frames; see {tmp_path}/run/report.html"
    assert (tmp_path / "run" / "report.html").stat().st_size > 10_000


def test_all_methods_are_measured_where_none_is_named(run: Run, dataset: Path, tmp_path: Path) -> None:
    from chromacord.methods import METHODS

    takes_any_size = [name for name, method in METHODS.items() if method.working_size is None]
    done = run("evaluate", "--data", dataset, "-o", tmp_path / "run", *SMALL, "--log-json")
    events = [json.loads(line) for line in done.out.splitlines()]
    tables = {table["key"]: table for table in events[-1]["tables"]}
    assert [row["label"] for row in tables["hyoutube"]["rows"]] == ["composite", *takes_any_size]
    assert {event["event"] for event in events} == {"progress", "summary", "warning"}
    (warning,) = (event["message"] for event in events if event["event"] == "warning")
    assert warning == "skipped, because they work at another size than 32x32: shotgrade, chen2024"


def test_predictions_of_others_stand_in_a_row_called_like_their_folder(run: Run, dataset: Path, tmp_path: Path) -> None:
    theirs = copy_frames(dataset, "real", tmp_path / "theirs")
    done = run("evaluate", "--data", dataset, "--method", "", "--predictions", theirs, "-o", tmp_path / "run", *SMALL)
    assert done.code == 0
    assert "| theirs | 0.00 | 0.00 | 100.00 | 1.0000 |" in done.out


def test_one_protocol_may_be_chosen(run: Run, dataset: Path, tmp_path: Path) -> None:
    done = run("evaluate", "--data", dataset, "--method", "", "--protocol", "clean", "-o", tmp_path / "run", *SMALL)
    assert "protocol clean" in done.out
    assert "hyoutube" not in done.out


def test_real_clips_are_adjusted_by_one_thing_at_a_time(run: Run, tmp_path: Path) -> None:
    footage = make_set(tmp_path / "set", offsets={"cat": 0, "dog": 0}, with_real=False)
    chosen = ("--adjust", "warmer,unchanged", "--frames", 2, "--protocol", "foreground")
    done = run("evaluate", "--data", footage, "--method", "identity", *chosen, "-o", tmp_path / "run", *SMALL)
    assert (done.code, done.err) == (0, "")
    assert "4 clips, 8 frames" in done.out
    assert "| identity | " in done.out.partition("what is left of the error")[2]
    records = (tmp_path / "run" / "records.jsonl").read_text()
    assert all(f'"{name}"' in records for name in ("cat/warmer", "cat/unchanged", "dog/warmer", "dog/unchanged"))
    done = run("evaluate", "--data", footage, "--adjust", "bluer", "-o", tmp_path / "run2")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "there is no adjustment 'bluer'; choose one of darker-1, " in done.err


def test_each_picture_of_a_folder_may_be_an_item(run: Run, dataset: Path, tmp_path: Path) -> None:
    chosen = ("--stills", "--protocol", "foreground")
    done = run("evaluate", "--data", dataset, "--method", "identity", *chosen, "-o", tmp_path / "run", *SMALL)
    assert "6 clips, 6 frames" in done.out
    assert "| identity | " in done.out


def test_the_whole_pipeline_is_measured_with_full(run: Run, dataset: Path, tmp_path: Path) -> None:
    done = run("evaluate", "--data", dataset, "--method", "mkl", "--full", "--jobs", 1, "-o", tmp_path / "run")
    assert done.code == 0
    assert "whole pipeline at each clip's own size, protocol hyoutube" in done.out


def test_methods_may_be_given_the_real_frames_and_their_own_results(run: Run, dataset: Path, tmp_path: Path) -> None:
    given = ("--input", "real", "--passes", 2)
    done = run("evaluate", "--data", dataset, "--method", "mkl", *given, "-o", tmp_path / "run", *SMALL)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith((tmp_path / "run" / "table.md").read_text())
    assert "| real | 0.00 | 0.00 | 100.00 | 1.0000 |" in done.out
    assert "change by pass, 2 passes, real frames in place of composites" in done.out
    again = run("evaluate", "--data", dataset, "--method", "mkl", "-o", tmp_path / "run", *SMALL)
    assert (again.code, again.err.count("\n")) == (2, 1)
    assert "was measured with input real, not composite" in again.err


def test_the_literatures_tables_are_printed_alone(run: Run) -> None:
    done = run("evaluate", "--paper-tables")
    assert (done.code, done.err) == (0, "")
    assert [f"Table {number}" in done.out for number in range(1, 6)] == [True] * 4 + [False]
    assert "| Composite | 1029.50 | 151.20 | 30.14 | 0.7197 | 2.5315 |" in done.out


def test_figures_on_other_data_stand_apart_from_the_literatures(run: Run, dataset: Path, tmp_path: Path) -> None:
    run("evaluate", "--data", dataset, "--method", "mkl", "-o", tmp_path / "run", *SMALL)
    done = run("evaluate", "--paper-tables", "-o", tmp_path / "run")
    paper, _, ours = done.out.partition("Table 4")
    assert "mkl" not in paper
    assert "chromacord" not in paper
    assert "| mkl |" in ours
    assert "Measured on other data" in ours


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--data is missing"),
        (["--data", "{data}"], "-o is missing"),
        (["--data", "{data}/nowhere", "-o", "{run}"], "no such folder"),
        (["--data", "{data}", "-o", "{run}", "--method", "magic"], "there is no method 'magic'"),
        (["--data", "{data}", "-o", "{run}", "--predictions", "{data}"], "no prediction for 6 frames: bright/00000, "),
        (["--data", "{data}", "-o", "{run}/a/b"], "does not exist; create it first"),
        (["--paper-tables", "-o", "{run}"], "holds no records"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_exit_code_2(
    run: Run, dataset: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    places = {"data": dataset, "run": tmp_path / "run"}
    done = run("evaluate", *(argument.format(**places) for argument in arguments))
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert message in done.err
    assert not (tmp_path / "run").exists()


def test_a_list_that_names_absent_files_is_refused_with_ten_of_them_and_their_number(
    run: Run, dataset: Path, tmp_path: Path
) -> None:
    for folder in ("real_videos", "foreground_mask", "synthetic_composite_videos"):
        (tmp_path / "hy" / folder).mkdir(parents=True)
    lines = [
        f"real_videos/v/{n:05d}.jpg foreground_mask/v/o/{n:05d}.png synthetic_composite_videos/v/o/{n:05d}.jpg"
        for n in range(5)
    ]
    (tmp_path / "hy" / "test_frames.txt").write_text("\n".join(lines))
    done = run("evaluate", "--data", tmp_path / "hy", "-o", tmp_path / "run")
    assert done.code == 2
    assert "15 files do not exist" in done.err
    assert done.err.count("test_frames.txt line") == 10
    assert "and 5 more" in done.err


def test_a_killed_run_goes_on_and_ends_with_the_same_table(run: Run, tmp_path: Path) -> None:
    """SIGKILL to the command itself: it cannot clean up, and its processes must still end."""
    dataset = make_set(tmp_path / "set", offsets={f"clip{number}": 2 + number for number in range(12)})
    arguments = ["evaluate", "--data", str(dataset), "--method", "poisson", "--size", "32", "--strips", "0"]
    whole = run(*arguments, "--jobs", 1, "-o", tmp_path / "whole")
    command = [sys.executable, "-c", "from chromacord.cli import main; main()", *arguments, "--jobs", "2"]
    process = subprocess.Popen([*command, "-o", str(tmp_path / "run")], stdout=subprocess.DEVNULL)
    records = tmp_path / "run" / "records.jsonl"
    wait_until(lambda: records.exists() and len(records.read_text().splitlines()) > 1)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert 1 < len(records.read_text().splitlines()) < 25
    assert children
    wait_until(lambda: not any(map(is_running, children)))

    resumed = run(*arguments, "--jobs", 1, "-o", tmp_path / "run")
    assert resumed.out.replace("/run", "/whole") == whole.out
    keys = [(record["clip"], record["method"]) for record in map(json.loads, records.read_text().splitlines()[1:])]
    assert len(keys) == len(set(keys)) == 24


def is_running(process: str) -> bool:
    """Whether a process is running; a zombie is not."""
    try:
        state = Path(f"/proc/{process}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state.rpartition(")")[2].split()[0] != "Z"


def wait_until(happened: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < until
        time.sleep(0.01)
