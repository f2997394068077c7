"""The page in a tab: opening clips, and reading what its canvas shows."""

import base64
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from chromacord.types import Box
from tests.cli.conftest import Run
from tests.footage import SIZE
from tests.ui.browsers.processes import PATIENCE
from tests.ui.conftest import PICTURES, Server

WHOLE = Box(0, 0, *SIZE)

READ = """async ([frame, hand, view, x, y, width, height]) => {
  const { page, player, viewer, sliders } = chromacord;
  const shown = new Promise((done, failed) => {
    page.addEventListener("exact", done, { once: true });
    const told = document.getElementById("notice");
    setTimeout(() => failed(new Error(`frame ${frame} is not shown: ${told.textContent}`)), PATIENCE);
  });
  player.seek(frame);
  await shown;
  for (const [name, value] of Object.entries(hand)) sliders.set(name, value);
  page.applyLook();
  viewer.view = view;
  viewer.zoomTo(1);
  const [left, top] = viewer.place;
  const data = viewer.read(left + x, top + y, width, height);
  let text = "";
  for (let at = 0; at < data.length; at += 8192) text += String.fromCharCode(...data.subarray(at, at + 8192));
  return btoa(text);
}""".replace("PATIENCE", str(round(1000 * PATIENCE)))


def open_clip(tab: Any, server: Server, composite: str = PICTURES, mask: str = "mask.mkv", **options: Any) -> str:
    """Open a clip by its address, and wait for its grade."""
    clip = server.open(server.folder / composite, server.folder / mask, **options)
    tab.goto(f"http://127.0.0.1:{server.port}/#{clip}")
    ready(tab)
    return clip


def ready(tab: Any) -> None:
    tab.wait_for_selector("#status[data-ready=true]", state="attached")


def pixels(tab: Any, frame: int, hand: dict[str, float], view: str = "after", box: Box = WHOLE) -> np.ndarray:
    """Return what the canvas shows of a part of a frame. Shape (height, width, 3)."""
    height, width = box.bottom - box.top, box.right - box.left
    shown = tab.evaluate(READ, [frame, hand, view, box.left, box.top, width, height])
    return np.frombuffer(base64.b64decode(shown), np.uint8).reshape(height, width, 4)[..., :3]


def rendered(run: Run, server: Server, folder: Path, *options: object) -> list[np.ndarray]:
    """Return the pictures that the command renders."""
    files = (server.folder / PICTURES, "--mask", server.folder / "mask.mkv", "-o", folder / "%03d.png")
    done = run("harmonize", *files, *options)
    assert done.code == 0, done.err
    return [cv2.imread(str(path))[..., ::-1] for path in sorted(folder.iterdir())]
