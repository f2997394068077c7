"""The documentation's pictures of the page in the browser, showing the sample."""

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np

from benchmarks.ui_speed import CHROMIUM, FLAGS, run_server
from chromacord.errors import InputError

FRAME = 29
"""Frame of the sample, counted from 0."""

_PATIENCE = 120_000
_QUALITY = 85
_WIDTH = 1600
_FADED = 500
"""Milliseconds after which buttons have their colours and scopes are drawn."""

_HAND = """(values) => {
  const { page, sliders } = chromacord;
  for (const [name, value] of Object.entries(values)) sliders.set(name, value);
  page.turned();
}"""


def draw_ui_pictures(folder: Path) -> None:
    """Write ui-wipe.jpg, ui-scopes.jpg and ui-queue.jpg.

    Args:
        folder: where to write; files of these names are replaced.

    Raises:
        InputError: chromium or playwright is missing.
    """
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError as error:
        raise InputError("the page is drawn by a browser; run: pip install '.[dev-ui]'") from error
    if not CHROMIUM.exists():
        raise InputError(f"{CHROMIUM}: no such file; run: apt-get install chromium")
    with TemporaryDirectory(prefix="chromacord-pictures-") as name, sync_playwright() as driver:
        demo = Path(name) / "demo"
        program = "from chromacord.cli import main; main()"
        subprocess.run([sys.executable, "-c", program, "demo", "-o", str(demo)], check=True, stdout=subprocess.DEVNULL)
        browser = driver.chromium.launch(executable_path=str(CHROMIUM), args=list(FLAGS))
        with run_server(demo) as server:
            tab = _open(browser, server.address, width=1280, height=860)
            tab.evaluate(_HAND, {"exposure": 0.25, "temperature": 12, "saturation": 1.1})
            tab.click("#views >> text=Wipe")
            _drag(tab, "#turn", 20, 0)
            _drag(tab, "#handle", -200, -30)
            _save(tab, folder / "ui-wipe.jpg")
            tab.click("#reset")
            tab.click("#views >> text=After")
            for output in ("composite_harmonized.mp4", "composite_draft.mp4"):
                tab.fill("#output", str(demo / output))
                tab.click("#start")
            tab.wait_for_selector("#task-list li:has-text('frames,')", timeout=_PATIENCE)
            tab.evaluate(
                "() => { const field = document.getElementById('output'); field.scrollLeft = field.scrollWidth; }"
            )
            tab.locator("#tasks").scroll_into_view_if_needed()
            _save(tab, folder / "ui-queue.jpg")
            tab.click("#stop-all")
            tab.close()
            tab = _open(browser, server.address, width=2560, height=1440)
            tab.click("#views >> text=Side by side")
            _save(tab, folder / "ui-scopes.jpg")
        browser.close()


def _open(browser: Any, address: str, *, width: int, height: int) -> Any:
    tab = browser.new_page(viewport={"width": width, "height": height})
    tab.goto(address)
    tab.wait_for_selector("#entries li")
    tab.click("#opener-open")
    tab.wait_for_selector("#status[data-ready=true]", state="attached", timeout=_PATIENCE)
    tab.evaluate("(frame) => chromacord.player.seek(frame)", FRAME)
    tab.wait_for_function("(frame) => chromacord.page.exactFrame === frame", arg=FRAME, timeout=_PATIENCE)
    return tab


def _drag(tab: Any, handle: str, right: float, down: float) -> None:
    box = tab.locator(handle).bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    tab.mouse.move(x, y)
    tab.mouse.down()
    tab.mouse.move(x + right, y + down, steps=5)
    tab.mouse.up()


def _save(tab: Any, path: Path) -> None:
    """Save what the page shows, at most `_WIDTH` pixels wide."""
    tab.mouse.move(0, 0)
    tab.wait_for_timeout(_FADED)
    picture = np.asarray(cv2.imdecode(np.frombuffer(tab.screenshot(), np.uint8), cv2.IMREAD_COLOR))
    height, width = picture.shape[:2]
    if width > _WIDTH:
        picture = cv2.resize(picture, (_WIDTH, round(height * _WIDTH / width)), interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(path), picture, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
