"""Debian's Firefox, driven by Marionette, the protocol it has built in: playwright drives a Firefox of its own only."""

import json
import os
import select
import shutil
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.ui.browsers.processes import PATIENCE, Program

PROGRAMS = ("firefox-esr", "Xvfb")

_SETTINGS = {
    # Firefox chooses a free port and writes it down: one chosen here could be taken by the time it starts.
    "marionette.port": 0,
    # Firefox has no WebGL without a screen (--headless), and on a virtual one only when told to draw on the CPU.
    "webgl.force-enabled": True,
    "webgl.forbid-software": False,
    # Nothing is asked of other hosts.
    "app.update.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
}
_KEYS = {"Tab": "\ue004", "Enter": "\ue007", "ArrowRight": "\ue014", "Shift": "\ue008", "Control": "\ue009"}

Point = tuple[float, float]


class Firefox:
    """One tab, with the methods of playwright's pages that tests of both browsers use."""

    def __init__(self, program: Program, port: int) -> None:
        """Connect to a Firefox that listens.

        Args:
            program: the running Firefox.
            port: where it listens.
        """
        self._program = program
        # Longer than scripts of the page may take: Firefox says itself that one of them did.
        self._socket = socket.create_connection(("127.0.0.1", port), PATIENCE + 20)
        self._stream, self._number = self._socket.makefile("rb"), 0
        self._answer("its greeting")
        self._ask("NewSession", capabilities={"pageLoadStrategy": "normal"})
        self._ask("SetTimeouts", script=round(1000 * PATIENCE), pageLoad=round(1000 * PATIENCE))
        self.resize(1280, 900)

    def resize(self, width: int, height: int) -> None:
        """Set the window's size, in which the page has less height."""
        self._ask("SetWindowRect", x=0, y=0, width=width, height=height)

    def goto(self, address: str) -> None:
        """Open an address; one that differs only behind "#" is loaded anew, too."""
        self._ask("Navigate", url="about:blank")
        self._ask("Navigate", url=address)

    def evaluate(self, script: str, argument: Any = None) -> Any:
        """Return what an expression, or a function of one argument, gives in the page."""
        code = f"""const done = arguments[1];
          const run = () => {{
            const found = ({script});
            return typeof found === "function" ? found(arguments[0]) : found;
          }};
          Promise.resolve().then(run).then((value) => done([value]), (error) => done(String(error)));"""
        answer = self._ask("ExecuteAsyncScript", script=code, args=[argument], sandbox=None)["value"]
        assert isinstance(answer, list), answer
        return answer[0]

    def wait_for_selector(self, selector: str, **_: object) -> None:
        """Wait for an element."""
        end = time.monotonic() + PATIENCE
        while not self.evaluate("(found) => Boolean(document.querySelector(found))", selector):
            assert time.monotonic() < end, f"waited for {selector} in vain"
            time.sleep(0.05)

    def press(self, *keys: str) -> None:
        """Press keys together, each a letter or a name."""
        codes = [_KEYS.get(key, key) for key in keys]
        down = [{"type": "keyDown", "value": code} for code in codes]
        up = [{"type": "keyUp", "value": code} for code in reversed(codes)]
        self._act("key", [*down, *up])

    def drag(self, points: Sequence[Point]) -> None:
        """Press the mouse at the first point of the window, move it along the others, and let go."""
        moves = [
            {"type": "pointerMove", "x": round(x), "y": round(y), "duration": 30, "origin": "viewport"}
            for x, y in points
        ]
        down, up = ({"type": kind, "button": 0} for kind in ("pointerDown", "pointerUp"))
        self._act("pointer", [moves[0], down, *moves[1:], up])

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def _act(self, kind: str, actions: list[dict[str, Any]]) -> None:
        self._ask("PerformActions", actions=[{"type": kind, "id": kind, "actions": actions}])

    def _ask(self, command: str, **parameters: Any) -> Any:
        self._number += 1
        text = json.dumps([0, self._number, f"WebDriver:{command}", parameters]).encode()
        _, _, error, result = self._answer(command, b"%d:%b" % (len(text), text))
        assert error is None, error
        return result

    def _answer(self, what: str, sent: bytes = b"") -> Any:
        try:
            self._socket.sendall(sent)
            return self._received()
        except OSError as lost:
            # An answer that comes late would be taken for that of the next question.
            self._program.end()
            raise AssertionError(f"Firefox gives no answer to {what}: {lost}\n{self._program.last_words()}") from lost

    def _received(self) -> Any:
        length = b""
        while (letter := self._stream.read(1)) != b":":
            if not letter:
                raise ConnectionError("it has closed the connection")
            length += letter
        return json.loads(self._stream.read(int(length)))


@contextmanager
def running_firefox(
    profile: Path, *, programs: Sequence[str] = PROGRAMS, patience: float = PATIENCE
) -> Iterator[Firefox]:
    """Start Firefox on a virtual screen, and end both.

    Args:
        profile: an empty folder.
        programs: names or paths of Firefox and of the virtual screen.
        patience: seconds that each of them has to start.

    Raises:
        AssertionError: one of them does not start; says what it printed.
    """
    lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in _SETTINGS.items()]
    (profile / "user.js").write_text("".join(lines))
    browser, screen = (str(shutil.which(program)) for program in programs)
    with _screen(screen, profile, patience) as display:
        environment = {**os.environ, "HOME": str(profile), "LIBGL_ALWAYS_SOFTWARE": "1", "DISPLAY": display}
        command = [browser, "--marionette", "--no-remote", "--profile", profile]
        program = Program("Firefox", command, profile / "firefox.log", env=environment)
        try:
            firefox = Firefox(program, _port(profile / "MarionetteActivePort", program, patience))
            yield firefox
            firefox.close()
        finally:
            program.end()


@contextmanager
def _screen(command: str, folder: Path, patience: float) -> Iterator[str]:
    """Start a virtual screen, which finds a free number itself, and yield its name.

    `xvfb-run` waits without end where Xvfb is ready before it waits, and two of them may choose the same number.
    """
    reads, writes = os.pipe()
    arguments = ["-displayfd", str(writes), "-screen", "0", "2560x1440x24", "-nolisten", "tcp"]
    screen = Program("Xvfb", [command, *arguments], folder / "screen.log", pass_fds=[writes])
    os.close(writes)
    try:
        with open(reads, encoding="ascii") as number:  # noqa: PTH123 - a file without a name
            ready, _, _ = select.select([number], [], [], patience)
            name = number.readline().strip() if ready else ""
        assert name, f"there is no virtual screen\n{screen.last_words()}"
        yield f":{name}"
    finally:
        screen.end()


def _port(written: Path, program: Program, patience: float) -> int:
    """Wait for the port that Firefox writes down, and return it."""
    end = time.monotonic() + patience
    while not (written.exists() and (text := written.read_text())):
        is_hopeless = program.has_ended or time.monotonic() > end
        assert not is_hopeless, f"Firefox does not listen\n{program.last_words()}"
        time.sleep(0.05)
    return int(text)
