import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from benchmarks import speed_table
from benchmarks.speed import Setting
from benchmarks.speed_table import TooSlowError, check_speed, install
from chromacord.errors import InputError
from chromacord.lab.bench.fresh_process import MeasurementError, run_fresh

ROOT = Path(__file__).parents[2]


def report(commit: str = "abc1234", **setting: object) -> dict[str, object]:
    return {"setting": Setting()._replace(**setting)._asdict(), "commit": commit}


class Machine:
    """A plain transcode takes it 10 ms a frame at least, a job with the commit's code 30, and with this code `now`."""

    def __init__(self) -> None:
        self.now = 30.0
        self.settings: list[Setting] = []
        self.commits: list[str] = []

    def install(self, commit: str, folder: Path) -> bool:
        self.commits.append(commit)
        (folder / "installed").touch()
        return True

    def measure(
        self, setting: Setting, jobs: Mapping[str, tuple[str, Path | None]], tell: object
    ) -> dict[str, list[dict[str, float]]]:
        self.settings.append(setting)
        runs = {}
        for title, (job, code) in jobs.items():
            assert code is None or (code / "installed").exists()
            least = 10.0 if job == "plain" else 30.0 if code else self.now
            runs[title] = [{"cpu_seconds": ms / 100, "frames": 10} for ms in (least + 2, least)]
        return runs


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine()
    monkeypatch.setattr(speed_table, "install", made.install)
    monkeypatch.setattr(speed_table, "measure_jobs", made.measure)
    return made


@pytest.mark.parametrize("rows", [True, False])
def test_the_first_row_is_measured_with_its_code_and_with_this(tmp_path: Path, machine: Machine, *, rows: bool) -> None:
    first = report(preset="fast")
    path = tmp_path / "speed.json"
    path.write_text(json.dumps({"rows": {"a": first, "b": report("def5678")}} if rows else first))
    machine.now = 32.0
    assert check_speed(path, repeats=2) == (
        "CPU ms a frame: 32.0, with commit abc1234 30.0; over a plain transcode's 10.0, 1.10 times as much, limit 1.25"
    )
    assert (machine.settings, machine.commits) == ([Setting(preset="fast", repeats=2)], ["abc1234"])


@pytest.mark.parametrize(("now", "slow"), [(20.0, False), (34.9, False), (35.1, True)])
def test_an_overhead_above_the_limit_is_too_slow(tmp_path: Path, machine: Machine, now: float, *, slow: bool) -> None:
    path = tmp_path / "speed.json"
    path.write_text(json.dumps(report()))
    machine.now = now
    if slow:
        with pytest.raises(TooSlowError, match=r"35\.1, with commit abc1234 30\.0; .* 1\.2[56] times .*; find"):
            check_speed(path, repeats=2)
    else:
        check_speed(path, repeats=2)


@pytest.mark.parametrize("lacking", ["commit", "git"])
def test_without_the_commit_nothing_is_measured_and_a_line_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lacking: str
) -> None:
    monkeypatch.setattr(speed_table, "measure_jobs", lambda *_, **__: pytest.fail("measured"))
    if lacking == "git":
        monkeypatch.setenv("PATH", str(tmp_path))
    path = tmp_path / "speed.json"
    path.write_text(json.dumps(report("0000000")))
    assert check_speed(path, repeats=1) == (
        "speed is not checked: commit 0000000 cannot be had here; a whole clone and git have it"
    )


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"rows": {}}', '{"rows": {"a": {"setting": {"speed": 1}}}}', json.dumps({"setting": {}})],
)
def test_a_file_that_is_no_report_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "speed.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"speed\.json: is not a report of"):
        check_speed(path, repeats=1)


def test_the_committed_report_names_a_commit_as_it_was() -> None:
    rows = json.loads((ROOT / "benchmarks/results/speed.json").read_text())["rows"]
    assert not any(row["commit"].endswith("-dirty") for row in rows.values())


@pytest.mark.parametrize("compiled", [True, False])
def test_a_commit_is_installed_as_it_was_with_its_benchmarks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, compiled: bool
) -> None:
    root, folder = tmp_path / "project", tmp_path / "installed"
    worker = root / "benchmarks/speed_worker.py"
    worker.parent.mkdir(parents=True)
    folder.mkdir()
    worker.with_name("__init__.py").touch()
    worker.write_text("import sys; print(len(sys.argv))")
    git = ["git", "-C", str(root), "-c", "user.name=A", "-c", "user.email=a@b"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "A"]):
        subprocess.run([*git, *command], check=True)
    worker.write_text("raise SystemExit('changed since')")

    def pip(command: Sequence[str], what: str) -> str:
        assert what == "installing commit HEAD"
        *_, option, target, source = command
        assert (option, Path(source, "benchmarks").is_dir()) == ("--target", True)
        render = Path(target, "chromacord/render")
        render.mkdir(parents=True)
        if compiled:
            (render / "_native.abi3.so").touch()
        return ""

    monkeypatch.setattr(speed_table, "ROOT", root)
    monkeypatch.setattr(speed_table, "run_command", pip)
    monkeypatch.setattr(speed_table, "renderer_name", lambda: "compiled")
    if compiled:
        assert install("HEAD", folder)
        # Its worker runs, not this project's, which Python finds elsewhere.
        assert run_fresh("benchmarks.speed_worker", "job", {}, folder=folder) == 3
    else:
        with pytest.raises(MeasurementError, match="one of this code and commit HEAD has no compiled renderer"):
            install("HEAD", folder)
