import json
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import PIPE, Popen

import pytest

from benchmarks import ui_speed
from benchmarks.__main__ import PROGRAM, app
from benchmarks.speed_clips import SIZES
from benchmarks.ui_speed import CHROMIUM, UiSetting, children_of, measure_ui, proportional_mb, ui_line
from chromacord.types import Size
from tests.cli.conftest import Run, running


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Return a function that runs `python -m benchmarks` with arguments."""
    with running(capsys, app=app, name=PROGRAM) as command:
        yield command


@pytest.mark.slow
def test_the_page_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("playwright", reason="needs the extra: pip install '.[dev-ui]'")
    if not CHROMIUM.exists():
        pytest.skip("needs chromium: apt-get install chromium")
    for name in ("1080p", "4k"):
        monkeypatch.setitem(SIZES, name, Size(72, 128))
    # The tests of the page may hold playwright's loop in this thread.
    with ThreadPoolExecutor(1) as in_thread:
        measured = in_thread.submit(measure_ui, UiSetting(8, 8, 3)).result()
    assert json.loads(json.dumps(measured)) == measured
    assert ui_line(measured).startswith("{")
    assert 0 < measured["1080p"]["scrub_ms"]["median"] <= measured["1080p"]["scrub_ms"]["max"]
    assert measured["1080p"]["slider_refreshes"] >= 1
    memory = measured["4k"]["peak_memory_mb"]
    assert 30 < memory["server"] <= memory["server_and_tasks"]
    assert {"machine", "commit", "load", "limits"} <= set(measured)


def test_without_a_browser_one_line_says_what_to_do(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("playwright", reason="needs the extra: pip install '.[dev-ui]'")
    monkeypatch.setattr(ui_speed, "CHROMIUM", Path("/no/such/chromium"))
    done = run("ui")
    assert (done.code, done.err) == (2, "error: /no/such/chromium: no such file; run: apt-get install chromium\n")


def test_memory_is_that_of_the_system() -> None:
    # A separate process, because this one shares pages with others that come and go during the tests.
    code = "import sys; held = bytearray(b'x') * int(sys.argv[1]); print(flush=True); sys.stdin.read()"
    used = []
    for size in (1, 50_000_000):
        with Popen([sys.executable, "-S", "-c", code, str(size)], stdin=PIPE, stdout=PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            used.append(proportional_mb(process.pid))
            process.communicate()
    assert used[1] - used[0] == pytest.approx(50, abs=3)
    assert proportional_mb(2**22 + 1) == 0
    assert children_of(2**22 + 1) == []
