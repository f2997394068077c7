"""The page in Firefox: what browsers do differently, such as textures, pointers, keys and styles."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.cli.conftest import Run
from tests.ui.browsers.firefox import PROGRAMS, Firefox, running_firefox
from tests.ui.conftest import Server, wait_for
from tests.ui.page import open_clip, pixels, rendered
from tests.ui.test_page import OUTSIDE, SIDES
from tests.ui.test_rendering import content_of

HAND = {"exposure": 0.4, "temperature": 12, "contrast": 1.2, "saturation": 1.3}


@pytest.fixture(scope="module")
def firefox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Firefox]:
    """Start Firefox once for this module."""
    for program in PROGRAMS:
        if shutil.which(program) is None:
            pytest.skip(f"needs {program}: apt-get install firefox-esr xvfb")
    with running_firefox(tmp_path_factory.mktemp("firefox")) as running:
        if not running.evaluate("Boolean(document.createElement('canvas').getContext('webgl2'))"):
            pytest.skip("this Firefox has no WebGL 2 without a graphics card")
        yield running


def test_pixels_equal_the_render(server: Server, firefox: Firefox, run: Run, tmp_path: Path) -> None:
    open_clip(firefox, server)
    options = [f"--{name}={value}" for name, value in HAND.items()]
    plain, turned = rendered(run, server, tmp_path / "plain"), rendered(run, server, tmp_path / "turned", *options)
    for hand, expected in (({}, plain[4]), (HAND, turned[4])):
        difference = np.abs(pixels(firefox, 4, hand).astype(int) - expected)
        assert difference.max() <= 2, (hand, difference.max())
    assert np.abs(turned[4].astype(int) - plain[4]).max() > 20


def test_codes_of_less_colour_are_graded_as_by_the_renderer(
    server: Server, firefox: Firefox, run: Run, tmp_path: Path
) -> None:
    open_clip(firefox, server, "comp.mp4")
    files = (server.folder / "comp.mp4", "--mask", server.folder / "mask.mkv", "-o", tmp_path / "%03d.png")
    assert run("harmonize", *files).code == 0
    expected = cv2.imread(str(sorted(tmp_path.iterdir())[3]))[..., ::-1]
    assert np.abs(pixels(firefox, 3, {}).astype(int) - expected).max() <= 2


def test_the_wipe_is_dragged_and_turned(server: Server, firefox: Firefox) -> None:
    open_clip(firefox, server)
    firefox.evaluate("() => { chromacord.sliders.set('exposure', 1); chromacord.page.turned(); }")
    firefox.press("w")
    assert firefox.evaluate(SIDES) == {"left": "before", "right": "after"}
    left, top, right, bottom = place(firefox, "handle")
    canvas = place(firefox, "canvas")
    middle = (top + bottom) / 2
    firefox.drag([((left + right) / 2, middle), (canvas[2] - 200, middle), (canvas[2] - 3, middle)])
    assert firefox.evaluate("chromacord.viewer.wipe.x") > 0.98
    assert firefox.evaluate(SIDES) == {"left": "before", "right": "before"}
    firefox.evaluate("document.getElementById('handle').focus()")
    for _ in range(60):
        firefox.press("Shift", "ArrowRight")
    assert firefox.evaluate("chromacord.viewer.wipe.angle") == 180
    assert firefox.evaluate(SIDES) == {"left": "after", "right": "after"}
    firefox.press("w")


def place(firefox: Firefox, identifier: str) -> list[float]:
    """Return left, top, right and bottom of an element."""
    return firefox.evaluate(
        "(id) => { const { left, top, right, bottom } = document.getElementById(id).getBoundingClientRect(); "
        "return [left, top, right, bottom]; }",
        identifier,
    )


def test_a_clip_is_opened_changed_and_rendered_by_keys(
    server: Server, firefox: Firefox, run: Run, tmp_path: Path
) -> None:
    firefox.goto(f"http://127.0.0.1:{server.port}/")
    firefox.wait_for_selector("#entries li")
    for slot, name in (("composite", "comp.mp4"), ("mask", "mask.mkv")):
        firefox.evaluate("(id) => document.getElementById(id).focus()", f"slot-{slot}")
        replace(firefox, name)
    firefox.press("Enter")
    firefox.wait_for_selector("#status[data-ready=true]")
    reach(firefox, "slider-exposure")
    for _ in range(25):
        firefox.press("ArrowRight")
    assert firefox.evaluate("chromacord.sliders.hand.exposure") == pytest.approx(0.25)
    reach(firefox, "output")
    replace(firefox, str(server.folder / "by_firefox/%03d.png"))
    reach(firefox, "start")
    firefox.press("Enter")
    wait_for(lambda: "done, 10 frames" in firefox.evaluate("document.getElementById('task-list').textContent"))
    files = (server.folder / "comp.mp4", "--mask", server.folder / "mask.mkv", "--exposure=0.25")
    assert run("harmonize", *files, "-o", tmp_path / "o/%03d.png").code == 0
    assert content_of(server.folder / "by_firefox") == content_of(tmp_path / "o")


def replace(firefox: Firefox, text: str) -> None:
    """Type over the text of the field with the focus."""
    firefox.press("Control", "a")
    for letter in text:
        firefox.press(letter)


def reach(firefox: Firefox, identifier: str) -> None:
    """Press Tab until an element has the focus."""
    for _ in range(90):
        firefox.press("Tab")
        if firefox.evaluate("document.activeElement.id") == identifier:
            return
    raise AssertionError(f"{identifier} is not reached by Tab")


@pytest.mark.parametrize("width", [1280, 2560])
def test_the_page_fits_its_window(server: Server, firefox: Firefox, width: int) -> None:
    firefox.resize(width, 900)
    open_clip(firefox, server)
    assert firefox.evaluate("innerWidth") == width
    assert firefox.evaluate("document.documentElement.scrollWidth") <= width
    assert firefox.evaluate(OUTSIDE) == []
