"""How fast the page in the browser answers, and how much memory its server takes.

A real browser without a graphics card is measured: Debian's chromium draws with SwiftShader on the CPU, which is the
slowest case. Memory is the proportional set size of the server and of its tasks, so shared pages count once.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from benchmarks.speed_clips import SIZES, Clips, make_clips
from chromacord.errors import InputError
from chromacord.lab.bench.provenance import provenance

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = ("--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")

_FOREGROUND = 0.25
_PARTS = ("answer", "decode", "upload", "draw")
"""Parts of scrubbing: the server with the connection, the browser's decoders, textures, and WebGL."""

_VIEWPORT = {"width": 1920, "height": 1080}

_FIRST = """async ([composite, mask]) => {
  const { page, viewer } = chromacord;
  document.getElementById("opener").close();
  const from = performance.now();
  const session = { format: "chromacord session", version: 1, clip: { composite, mask } };
  const headers = { "content-type": "application/json" };
  const clip = await (await fetch("/api/clips", { method: "POST", headers, body: JSON.stringify(session) })).json();
  await page.open(clip);
  viewer.read(0, 0, 1, 1);
  return performance.now() - from;
}"""

_SCRUB = """async (frames) => {
  const { page, player, viewer } = chromacord, all = [], { gl } = viewer, pixel = new Uint8Array(4);
  const finish = () => gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, pixel);
  const { show } = viewer;
  for (const frame of frames) {
    performance.clearResourceTimings();
    let arrived = 0;
    viewer.show = (packet) => { arrived = performance.now(); show.call(viewer, packet); };
    const from = performance.now();
    const shown = new Promise((done) => {
      const seen = () => { if (page.shownFrame === frame) { page.removeEventListener("picture", seen); done(); } };
      page.addEventListener("picture", seen);
    });
    player.seek(frame);
    await shown;
    finish();
    const uploaded = performance.now();
    viewer.draw();
    finish();
    const drawn = performance.now();
    // Pictures and grade are asked for together.
    const asked = new RegExp(`/(frames|looks)/${frame}$`);
    const answers = performance.getEntriesByType("resource").filter(({ name }) => asked.test(name));
    const answered = Math.max(from, ...answers.map((each) => each.responseEnd));
    const parts = { answer: answered - from, decode: arrived - answered };
    all.push({ all: drawn - from, ...parts, upload: uploaded - arrived, draw: drawn - uploaded });
    await new Promise((done) => setTimeout(done, 400));
  }
  viewer.show = show;
  return all;
}"""
"""Milliseconds from a wish for a frame to its pixels. In between, exact pictures are decoded and given up."""

_SLIDE = """async (count) => {
  const { page, viewer, sliders } = chromacord, times = [], refreshes = [];
  for (let number = 0; number < count; number++) {
    await new Promise((done) => setTimeout(done, 120));
    await new Promise(requestAnimationFrame);
    let passed = 0, isDrawn = false;
    const onDraw = viewer.onDraw;
    const from = performance.now();
    viewer.onDraw = () => { isDrawn = true; };
    sliders.set("exposure", (number % 10) / 10);
    page.turned();
    while (!isDrawn) { await new Promise(requestAnimationFrame); passed++; }
    viewer.onDraw = onDraw;
    const pixel = new Uint8Array(4), { gl } = viewer;
    gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, pixel);
    times.push(performance.now() - from);
    refreshes.push(passed);
  }
  return { times, refreshes, pixels: viewer.canvas.width * viewer.canvas.height };
}"""


class UiSetting(NamedTuple):
    """What to measure."""

    num_frames: int = 250
    num_frames_4k: int = 50
    repeats: int = 40
    """Frames to scrub to, and movements of the slider."""


def measure_ui(setting: UiSetting, *, tell: Callable[[str], object] | None = None) -> Mapping[str, object]:
    """Return the output of `python -m benchmarks ui`.

    Args:
        setting: lengths of the clips.
        tell: called with a progress line for each step.

    Raises:
        InputError: chromium or playwright is missing.
    """
    tell = tell or (lambda _: None)
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError as error:
        raise InputError("the page is measured in a browser; run: pip install '.[dev-ui]'") from error
    if not CHROMIUM.exists():
        raise InputError(f"{CHROMIUM}: no such file; run: apt-get install chromium")
    before = os.getloadavg()[0]
    with TemporaryDirectory(prefix="chromacord-bench-") as name, sync_playwright() as driver:
        clips = {}
        for size, frames in (("1080p", setting.num_frames), ("4k", setting.num_frames_4k)):
            tell(f"{size}: making {frames} frames")
            folder = Path(name) / size
            folder.mkdir()
            clips[size] = make_clips(folder, size=SIZES[size], num_frames=frames, foreground=_FOREGROUND)
        browser = driver.chromium.launch(executable_path=str(CHROMIUM), args=list(FLAGS))
        with run_server(Path(name)) as server:
            tell("1080p: opening, scrubbing, sliding")
            times = _answers(browser, server, clips["1080p"], setting)
        with run_server(Path(name)) as server:
            tell("4k: measuring memory")
            memory = _memory(browser, server, clips["4k"], setting.num_frames_4k)
        version = browser.version
        browser.close()
    return {
        "setting": setting._asdict(),
        "browser": {"chromium": version, "renderer": "SwiftShader, on the CPU", "viewport": _VIEWPORT},
        "1080p": times,
        "4k": memory,
        # Other work on the machine slows all of it: 1.0 for each process that wanted a core.
        "load": [round(load, 1) for load in (before, os.getloadavg()[0])],
        "limits": {"first_picture_ms": 1500, "scrub_ms": 150, "slider_refreshes": 1, "memory_mb": 400},
        **provenance(),
    }


class _Server(NamedTuple):
    process: int
    address: str


@contextmanager
def run_server(folder: Path) -> Iterator[_Server]:
    """Run `chromacord ui` for a folder, on a free port."""
    command = [sys.executable, "-c", "from chromacord.cli import main; main()", "ui", "--port", "0"]
    command += ["--folder", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        yield _Server(process.pid, process.stdout.readline().split()[1])
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)


def _answers(browser: Any, server: _Server, clips: Clips, setting: UiSetting) -> dict[str, object]:
    page = browser.new_page(viewport=_VIEWPORT)
    page.goto(server.address)
    page.wait_for_selector("#opener[open]")
    first = page.evaluate(_FIRST, [str(clips.composite), str(clips.mask)])
    _wait_for_proxy(page)
    scrubs = page.evaluate(_SCRUB, [(97 * number) % setting.num_frames for number in range(1, setting.repeats + 1)])
    slides = page.evaluate(_SLIDE, setting.repeats)
    page.close()
    return {
        "first_picture_ms": round(first),
        "scrub_ms": _spread([each["all"] for each in scrubs]),
        "scrub_parts_ms": {name: _spread([each[name] for each in scrubs]) for name in _PARTS},
        "slider_to_screen_ms": _spread(slides["times"]),
        "slider_refreshes": max(slides["refreshes"]),
        "canvas_pixels": slides["pixels"],
    }


def _wait_for_proxy(page: Any) -> None:
    page.wait_for_selector("#status[data-ready=true]", state="attached", timeout=300_000)
    while not page.evaluate("chromacord.page.clip.proxy.done"):
        time.sleep(0.2)


def _spread(times: list[float]) -> dict[str, float]:
    return {"median": round(median(times), 1), "max": round(max(times), 1)}


def _memory(browser: Any, server: _Server, clips: Clips, num_frames: int) -> dict[str, object]:
    with _Watch(server.process) as watch:
        page = browser.new_page(viewport=_VIEWPORT)
        page.goto(server.address)
        page.wait_for_selector("#opener[open]")
        first = page.evaluate(_FIRST, [str(clips.composite), str(clips.mask)])
        _wait_for_proxy(page)
        page.evaluate(_SCRUB, [number % num_frames for number in (1, 2, 3, num_frames // 2, 0, num_frames - 1)])
        page.close()
    peaks = {"server": watch.server, "server_and_tasks": watch.whole}
    return {"first_picture_ms": round(first), "peak_memory_mb": {name: round(peak) for name, peak in peaks.items()}}


class _Watch:
    """Samples the memory of a process and of its children in MB."""

    def __init__(self, process: int) -> None:
        self._process, self._stopped = process, threading.Event()
        self.server = self.whole = 0.0
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "_Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(0.05):
            own = proportional_mb(self._process)
            self.server = max(self.server, own)
            self.whole = max(self.whole, own + sum(map(proportional_mb, children_of(self._process))))


def proportional_mb(process: int) -> float:
    """Return the proportional set size of a process in MB; 0 if it has ended."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("Pss:")), 0)


def children_of(process: int) -> list[int]:
    """Return the processes that a process has started and that have not ended."""
    try:
        files = [thread / "children" for thread in Path(f"/proc/{process}/task").iterdir()]
        return [int(child) for file in files for child in file.read_text(encoding="utf-8").split()]
    except OSError:
        return []


def ui_line(report: Mapping[str, Any]) -> str:
    """Return the report in one line."""
    times, memory = report["1080p"], report["4k"]["peak_memory_mb"]
    return json.dumps(
        {**{name: times[name] for name in ("first_picture_ms", "scrub_ms", "slider_to_screen_ms")}, **memory}
    )
