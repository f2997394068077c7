"""Debian's Firefox, driven by Marionette, the protocol it has built in: playwright drives a Firefox of its own only."""

import json
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.ui.conftest import wait_for

PROGRAMS = ("firefox-esr", "xvfb-run")

_SETTINGS = {
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
_SECONDS = 300

Point = tuple[float, float]


class Firefox:
    """One tab, with the methods of playwright's pages that tests of both browsers use."""

    def __init__(self, port: int) -> None:
        """Connect to a Firefox that listens."""
        self._socket = wait_for(lambda: _connected(port))
        self._stream, self._number = self._socket.makefile("rb"), 0
        self._received()
        self._ask("NewSession", capabilities={"pageLoadStrategy": "normal"})
        self._ask("SetTimeouts", script=1000 * _SECONDS, pageLoad=1000 * _SECONDS)
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
        wait_for(lambda: self.evaluate("(found) => Boolean(document.querySelector(found))", selector))

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
        self._socket.sendall(b"%d:%b" % (len(text), text))
        _, _, error, result = self._received()
        assert error is None, error
        return result

    def _received(self) -> Any:
        length = b""
        while (letter := self._stream.read(1)) != b":":
            assert letter, "Firefox has ended"
            length += letter
        return json.loads(self._stream.read(int(length)))


def _connected(port: int) -> socket.socket | None:
    try:
        return socket.create_connection(("127.0.0.1", port), _SECONDS)
    except OSError:
        return None


@contextmanager
def running_firefox(profile: Path) -> Iterator[Firefox]:
    """Start Firefox on a virtual screen, and end it."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = {**_SETTINGS, "marionette.port": port}
    lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in settings.items()]
    (profile / "user.js").write_text("".join(lines))
    browser, screen = (str(shutil.which(program)) for program in PROGRAMS)
    command = [screen, "-a", "-s", "-screen 0 2560x1440x24", browser, "--marionette", "--no-remote"]
    environment = {**os.environ, "HOME": str(profile), "LIBGL_ALWAYS_SOFTWARE": "1"}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    # A session of its own, because xvfb-run starts the screen and the browser as its children.
    process = subprocess.Popen([*command, "--profile", str(profile)], env=environment, start_new_session=True, **quiet)  # type: ignore[call-overload]
    try:
        firefox = Firefox(port)
        yield firefox
        firefox.close()
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(_SECONDS)
