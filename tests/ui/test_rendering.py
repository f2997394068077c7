"""What the page renders: the same as the command line, one after the other, and nothing half-written.

Files are compared as lossless pictures: x264 with several threads does not always write the same bytes.
"""

import os
import signal
from pathlib import Path

import cv2

from chromacord.types import Size
from tests.cli.conftest import Run
from tests.footage import make_composite, make_mask
from tests.ui.conftest import SESSION, Server, wait_for

HAND = {"exposure": 0.3, "temperature": 8.0, "contrast": 1.1, "strength": "tone=0.6,colour=0.9"}


def hand_on_command_line() -> list[str]:
    return [text for name, value in HAND.items() for text in (f"--{name}", str(value))]


def content_of(folder: Path) -> list[bytes]:
    """Return the files of a sequence, in their order."""
    found = [path.read_bytes() for path in sorted(folder.iterdir())]
    assert found
    return found


def test_a_render_is_that_of_the_command_bit_by_bit(server: Server, run: Run, tmp_path: Path) -> None:
    clip = server.open(server.folder / "comp.mp4", server.folder / "mask.mkv", **HAND)
    task = server.ask(f"/api/clips/{clip}/renders", {"outputs": {"output": "page/%02d.png"}}).json
    done = server.finished(task["number"])
    assert done["state"] == "done", done
    files = (server.folder / "comp.mp4", "--mask", server.folder / "mask.mkv", "-o", tmp_path / "command/%02d.png")
    assert run("harmonize", *files, *hand_on_command_line()).code == 0
    assert content_of(server.folder / "page") == content_of(tmp_path / "command")


def test_a_result_is_downloaded(server: Server) -> None:
    clip = server.open(server.folder / "comp.mp4", server.folder / "mask.mkv", method="mkl")
    rendered = {"outputs": {"output": "down.mp4"}, "encoding": {"crf": 20}}
    task = server.finished(server.ask(f"/api/clips/{clip}/renders", rendered).json["number"])
    download = server.ask(f"/api/tasks/{task['number']}/outputs/0")
    assert download.content == (server.folder / "down.mp4").read_bytes()
    assert "attachment" in download.headers["content-disposition"]
    assert server.ask(f"/api/tasks/{task['number']}/outputs/1").status == 422


def test_a_saved_session_is_rendered_by_the_command_with_its_range(server: Server, run: Run, tmp_path: Path) -> None:
    clip = server.open(server.folder / "comp.mp4", server.folder / "mask.mkv", frames=[2, 8], method="mkl", **HAND)
    outputs = {"output": str(server.folder / "of_session/%02d.png")}
    saved = server.ask(f"/api/clips/{clip}/session", {"path": "shot.json", "outputs": outputs, "force": True})
    assert saved.status == 200, saved.content
    task = server.ask(f"/api/clips/{clip}/renders", {"outputs": {"output": "of_page/%02d.png"}}).json
    assert server.finished(task["number"])["state"] == "done"
    done = run("apply", server.folder / "shot.json")
    assert done.code == 0, done.err
    assert len(content_of(server.folder / "of_session")) == 6
    assert content_of(server.folder / "of_session") == content_of(server.folder / "of_page")
    again = server.ask("/api/sessions", {"path": "shot.json"}).json
    assert again["session"] == server.ask(f"/api/clips/{clip}").json["session"] | {"outputs": outputs}
    assert run("apply", server.folder / "shot.json", "-o", tmp_path / "o/%02d.png", "--exposure", "1").code == 0
    assert content_of(tmp_path / "o") != content_of(server.folder / "of_page")


def test_changes_of_a_shot_are_rendered_by_the_page_and_by_the_command(server: Server, run: Run) -> None:
    options = {"exposure": 0.3, "by_shot": ["2:exposure=-0.4,saturation=0.5"], "method": "mkl"}
    clip = server.open(server.folder / "comp.mp4", server.folder / "mask.mkv", cuts="4", **options)
    outputs = {"output": str(server.folder / "shots_of_session/%02d.png")}
    saved = server.ask(f"/api/clips/{clip}/session", {"path": "shots.json", "outputs": outputs, "force": True})
    assert saved.status == 200, saved.content
    task = server.ask(f"/api/clips/{clip}/renders", {"outputs": {"output": "shots_of_page/%02d.png"}}).json
    assert server.finished(task["number"])["state"] == "done"
    assert run("apply", server.folder / "shots.json").code == 0
    assert content_of(server.folder / "shots_of_session") == content_of(server.folder / "shots_of_page")
    files = (server.folder / "comp.mp4", "--mask", server.folder / "mask.mkv", "--cuts=4", "--method=mkl")
    assert run("harmonize", *files, "-o", server.folder / "alike/%02d.png", "--exposure=0.3").code == 0
    alike = [
        a == b
        for a, b in zip(*map(content_of, (server.folder / "alike", server.folder / "shots_of_page")), strict=True)
    ]
    assert alike == [True] * 4 + [False] * 6


def test_finishing_is_rendered_by_the_page_as_by_the_command(server: Server, run: Run) -> None:
    stages = {"edge": "1,2", "wrap": "0.5,4", "match_sharpness": True, "match_grain": True, "fit_edge": 2}
    clip = server.open(server.folder / "comp.mp4", server.folder / "mask.mkv", method="mkl")
    before = server.ask(f"/api/clips/{clip}").json
    changed = before["session"] | {"options": {"method": "mkl", **stages}}
    assert server.ask(f"/api/clips/{clip}", changed, method="PUT").status == 200
    wait_for(lambda: server.ask(f"/api/clips/{clip}").json["version"] >= before["version"] + 2)
    outputs = {"output": "fin/%02d.png", "foreground_out": "alone/%02d.png"}
    done = server.finished(server.ask(f"/api/clips/{clip}/renders", {"outputs": outputs}).json["number"])
    assert done["state"] == "done", done
    files = (server.folder / "comp.mp4", "--mask", server.folder / "mask.mkv", "--method=mkl", "--fit-edge=2")
    options = ("--edge=1,2", "--wrap=0.5,4", "--match-sharpness", "--match-grain")
    written = ("-o", server.folder / "fin2/%02d.png", "--foreground-out", server.folder / "alone2/%02d.png")
    assert run("harmonize", *files, *options, *written).code == 0
    assert content_of(server.folder / "fin") == content_of(server.folder / "fin2")
    assert content_of(server.folder / "alone") == content_of(server.folder / "alone2")


def test_changes_of_the_mask_reach_the_proxy_with_the_grade(server: Server) -> None:
    clip = server.open(server.folder / "comp.mp4", server.folder / "mask.mkv", method="mkl")
    at = f"/api/clips/{clip}"
    before, small = server.ask(at).json, server.ask(f"{at}/frames/5").content
    for edge in ("6,0", "3,0"):
        changed = before["session"] | {"options": {"method": "mkl", "edge": edge}}
        now = server.ask(at, changed, method="PUT").json
        assert now["pictures"] > before["pictures"]
        # Options never come with the grade of those before them.
        assert now["session"]["options"]["edge"] == edge
        assert now["shots"] is None
        wait_for(lambda: server.is_ready(clip))
        other = server.ask(f"{at}/frames/5").content
        assert other != small
        before, small = now, other
    look = server.ask(f"{at}/looks/5")
    assert look.headers["x-version"] == str(server.ask(at).json["version"])


def test_exports_are_written(server: Server) -> None:
    clip = server.open(server.folder / "comp.mp4", server.folder / "mask.mkv", method="mkl", consistency="shot")
    exports = {
        "g.json": "grade_out",
        "g.cube": "lut_out",
        "g.cdl": "lut_out",
        "both.png": "preview",
        "both.mp4": "preview",
    }
    for path, name in exports.items():
        task = server.ask(f"/api/clips/{clip}/renders", {"outputs": {name: path}}).json
        done = server.finished(task["number"])
        assert done["state"] == "done", done
        assert done["result"]["outputs"] == [str(server.folder / path)]
        assert (server.folder / path).stat().st_size > 0
    assert cv2.imread(str(server.folder / "both.png")).shape == (72, 2 * 96, 3)


def test_a_file_that_exists_is_kept_with_the_message_of_the_command(server: Server, run: Run) -> None:
    clip = server.open(server.folder / "comp.mp4", server.folder / "mask.mkv", method="mkl")
    (server.folder / "there.mp4").write_text("mine")
    task = server.ask(f"/api/clips/{clip}/renders", {"outputs": {"output": str(server.folder / "there.mp4")}}).json
    failed = server.finished(task["number"])
    files = (server.folder / "comp.mp4", "--mask", server.folder / "mask.mkv", "-o", server.folder / "there.mp4")
    assert run("harmonize", *files, "--method", "mkl").err == f"error: {failed['error']}\n"
    assert (server.folder / "there.mp4").read_text() == "mine"


def test_a_broken_file_gives_the_error_of_the_command(server: Server, run: Run) -> None:
    whole = (server.folder / "comp.mp4").read_bytes()
    broken, empty = server.folder / "broken.mp4", server.folder / "empty.mp4"
    broken.write_bytes(whole[: len(whole) // 2])
    empty.touch()
    mask = server.folder / "mask.mkv"
    for path in (broken, empty, server.folder / "no_such.mp4"):
        answer = server.ask("/api/clips", {**SESSION, "clip": {"composite": str(path), "mask": str(mask)}})
        assert answer.status == 422
        told = run("harmonize", path, "--mask", mask, "-o", server.folder / "never.mp4").err
        assert told == f"error: {answer.error}\n"
    assert not (server.folder / "never.mp4").exists()


def test_clips_of_different_lengths_fail_in_the_analysis_with_one_line(server: Server, run: Run) -> None:
    short = make_mask(server.folder / "short.mkv", num_frames=4)
    session = {**SESSION, "clip": {"composite": str(server.folder / "comp.mp4"), "mask": str(short)}}
    clip = server.ask("/api/clips", session).json["id"]
    failed = wait_for(lambda: (found := server.ask(f"/api/clips/{clip}").json["analysis"])["error"] and found)
    told = run("harmonize", server.folder / "comp.mp4", "--mask", short, "-o", server.folder / "never.mp4").err
    assert told == f"error: {failed['error']}\n"
    answer = server.ask(f"/api/clips/{clip}/renders", {"outputs": {"output": "never.mp4"}})
    assert "not decided yet" in answer.error


def long_clip(server: Server) -> str:
    """Open a clip that takes some seconds to render."""
    size = Size(540, 960)
    if not (server.folder / "long.mp4").exists():
        make_composite(server.folder / "long.mp4", size=size, num_frames=48)
        make_mask(server.folder / "long.mkv", size=size, num_frames=48)
    return server.open(server.folder / "long.mp4", server.folder / "long.mkv", method="reinhard")


def leftovers(server: Server) -> list[Path]:
    return [path for path in server.folder.iterdir() if path.name.startswith(".")]


def test_a_render_is_paused_resumed_cancelled_and_started_again(server: Server) -> None:
    clip = long_clip(server)
    outputs = {"outputs": {"output": "slow.mp4"}, "encoding": {"preset": "slow"}}
    first = server.ask(f"/api/clips/{clip}/renders", outputs).json["number"]
    second = server.ask(f"/api/clips/{clip}/renders", {"outputs": {"output": "later.mp4"}}).json["number"]
    wait_for(lambda: (server.task(first)["progress"] or {}).get("done", 0) > 2)
    assert server.ask(f"/api/tasks/{first}/pause", {}).json["state"] == "paused"
    assert server.task(second)["state"] == "waiting"
    assert server.ask(f"/api/tasks/{first}/resume", {}).json["state"] == "running"
    assert server.ask(f"/api/tasks/{first}/cancel", {}).json["state"] == "cancelled"
    assert not (server.folder / "slow.mp4").exists()
    assert server.finished(second)["state"] == "done"
    assert not leftovers(server)
    server.ask(f"/api/tasks/{first}/resume", {})
    assert server.finished(first)["state"] == "done"
    assert (server.folder / "slow.mp4").stat().st_size > 0


def test_a_render_that_is_killed_stops_no_server(server: Server) -> None:
    clip = long_clip(server)
    outputs = {"outputs": {"output": "killed.mp4"}, "encoding": {"preset": "slow"}}
    number = server.ask(f"/api/clips/{clip}/renders", outputs).json["number"]
    wait_for(lambda: (server.task(number)["progress"] or {}).get("done", 0) > 2)
    (child,) = processes_of_tasks(server)
    os.kill(child, signal.SIGKILL)
    failed = server.finished(number)
    assert failed["state"] == "failed"
    assert "killed by signal 9; nothing was kept" in failed["error"]
    assert not (server.folder / "killed.mp4").exists()
    assert server.ask("/api/state").status == 200


def processes_of_tasks(server: Server) -> list[int]:
    return [pid for pid in children(server.process.pid) if "task_process" in command_of(pid)]


def children(parent: int) -> list[int]:
    tasks = Path(f"/proc/{parent}/task").iterdir()
    return [int(pid) for task in tasks for pid in (task / "children").read_text().split()]


def command_of(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text()


def test_a_mask_is_made_where_there_is_none(server: Server) -> None:
    given = {"clip": str(server.folder / "comp.mp4"), "output": "keyed.mkv", "options": {"box": "20,10,40,50"}}
    done = server.finished(server.ask("/api/mattes", given).json["number"])
    assert done["state"] == "done", done
    assert (server.folder / "keyed.mkv").exists()
    assert "options of a mask" in server.ask("/api/mattes", {**given, "options": {"colour": "x"}}).error
