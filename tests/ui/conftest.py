"""A server in a process of its own, as users start it, and a browser that opens its page."""

import json
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import pytest

from tests.cli.conftest import Run, running
from tests.footage import make_composite, make_mask, recoloured
from tests.ui.browsers.processes import LIMIT, PATIENCE, Program, killing_after

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
"""WebGL on the CPU, and no sandbox, which containers and root do not allow."""

COMMAND = [sys.executable, "-c", "from chromacord.cli import main; main()"]
SESSION = {"format": "chromacord session", "version": 1}
NUM_FRAMES = 10

_MOST_IN_VAIN = 3
"""Tests that may wait in vain, before the others are not tried any more."""

PICTURES = "comp/%03d.png"
"""The composite of full colours."""


class Answer(NamedTuple):
    """What the server said."""

    status: int
    headers: dict[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)

    @property
    def error(self) -> str:
        return self.json["error"]


@dataclass
class Server:
    """A running server."""

    program: Program
    address: str
    folder: Path

    @property
    def process(self) -> "subprocess.Popen[str]":
        return self.program.process

    @property
    def port(self) -> int:
        return int(self.address.partition("#")[0].partition("?")[0].rstrip("/").rpartition(":")[2])

    def ask(self, path: str, body: Any = None, *, method: str | None = None, **headers: str) -> Answer:
        """Send a request as the page does; keywords are headers."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        content = body
        if isinstance(body, dict):
            content, sent = json.dumps(body).encode(), {"Content-Type": "application/json"} | sent
        try:
            connection.request(method or ("GET" if body is None else "POST"), path, content, sent)
            response = connection.getresponse()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        except OSError as lost:
            raise AssertionError(f"no answer to {path}: {lost!r}\n{self.program.last_words()}") from lost
        finally:
            connection.close()

    def open(self, composite: Path, mask: Path, **options: Any) -> str:
        """Open a clip, wait for its grade, and return its identifier."""
        clip = {"composite": str(composite), "mask": str(mask)} | {n: options.pop(n) for n in ("cuts",) if n in options}
        session = {**SESSION, "clip": clip, "options": options}
        answer = self.ask("/api/clips", session)
        assert answer.status == 200, answer.content
        opened: str = answer.json["id"]
        wait_for(lambda: self.is_ready(opened))
        return opened

    def is_ready(self, clip: str) -> bool:
        """Whether the grade and the proxy of a clip are there."""
        found = self.ask(f"/api/clips/{clip}").json
        return found["shots"] is not None and found["proxy"]["done"]

    def finished(self, number: int) -> Any:
        """Wait for the end of a task, and return it."""
        return wait_for(lambda: self.task(number)["state"] in ("done", "failed", "cancelled") and self.task(number))

    def task(self, number: int) -> Any:
        return next(task for task in self.ask("/api/tasks").json if task["number"] == number)

    def stop(self) -> int:
        assert self.process.stdout is not None
        self.process.stdout.close()
        return self.program.end(signal.SIGINT, PATIENCE)


def wait_for(condition: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    """Return the first value of a condition that is true."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
    return value


def start(folder: Path, *arguments: str) -> Server:
    """Start a server that may use a folder."""
    command = [*COMMAND, "ui", "--folder", str(folder), "--port", "0", *arguments]
    program = Program("chromacord ui", command, folder / "server.log", stdout=subprocess.PIPE, text=True)
    stdout = program.process.stdout
    assert stdout is not None
    ready, _, _ = select.select([stdout], [], [], PATIENCE)
    line = stdout.readline() if ready else ""
    if not line.startswith("open http://"):
        program.end()
        raise AssertionError(f"the server does not start\n{program.last_words()}")
    return Server(program, line.split()[1], folder)


def make_footage(folder: Path) -> None:
    """Write a composite of full colours, one as cameras write it, and their mask."""
    (folder / "comp").mkdir()
    for number in range(NUM_FRAMES):
        picture = np.stack(recoloured("gbrp", number), axis=-1)
        cv2.imwrite(str(folder / (PICTURES % number)), np.ascontiguousarray(picture[..., ::-1]))
    make_composite(folder / "comp.mp4", num_frames=NUM_FRAMES)
    make_mask(folder / "mask.mkv", num_frames=NUM_FRAMES)


_in_vain: list[str] = []
"""Tests that failed after a long wait. What they waited for is not there for the others either, which fail at once."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Watch a test, with its fixtures."""

    def told() -> None:
        _in_vain.extend([item.nodeid] * _MOST_IN_VAIN)

    with killing_after(LIMIT, told):
        return (yield)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if len(_in_vain) >= _MOST_IN_VAIN:
        pytest.fail(f"not tried, for these waited in vain: {', '.join(dict.fromkeys(_in_vain))}", pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    if report.failed and report.duration > PATIENCE / 2:
        _in_vain.append(item.nodeid)
    return report


@pytest.fixture(scope="session")
def running_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Start one server for all tests of a worker."""
    pytest.importorskip("starlette", reason="needs the extra: pip install '.[ui]'")
    pytest.importorskip("uvicorn", reason="needs the extra: pip install '.[ui]'")
    folder = tmp_path_factory.mktemp("ui")
    make_footage(folder)
    started = start(folder)
    yield started
    assert started.stop() in (0, 130)


@pytest.fixture
def server(running_server: Server) -> Iterator[Server]:
    """Return the server, and leave none of the test's tasks in it: a paused one would hold back those of all others."""
    yield running_server
    for task in running_server.ask("/api/tasks").json:
        if task["state"] in ("waiting", "running", "paused"):
            running_server.ask(f"/api/tasks/{task['number']}/cancel", {})


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Return a function that runs `chromacord` with arguments."""
    with running(capsys) as command:
        yield command


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Start Debian's chromium."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs the extra: pip install '.[dev-ui]'")
    if not CHROMIUM.exists():
        pytest.skip("needs chromium: apt-get install chromium")
    with killing_after(LIMIT):
        driver = playwright.sync_playwright().start()
        chromium = driver.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS, timeout=1000 * PATIENCE)
    yield chromium
    with killing_after(LIMIT):
        chromium.close()
        driver.stop()


@pytest.fixture
def tab(browser: Any) -> Iterator[Any]:
    """Open an empty tab, and fail the test if its page had an error or asked another host for something."""
    with_errors: list[str] = []
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.set_default_timeout(1000 * PATIENCE)
    page.on("pageerror", lambda error: with_errors.append(str(error)))
    page.on("console", lambda message: message.type == "error" and with_errors.append(message.text))
    page.on("request", lambda request: "127.0.0.1" in request.url or with_errors.append(request.url))
    page.complaints = with_errors
    yield page
    page.close()
    assert not with_errors
