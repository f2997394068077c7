"""The canvas shows what the command renders."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from chromacord.types import Box, Size
from tests.cli.conftest import Run
from tests.footage import disc, make_composite, make_mask, recoloured
from tests.ui.conftest import NUM_FRAMES, Server, wait_for
from tests.ui.page import open_clip, pixels, ready, rendered

HAND = {"exposure": 0.4, "temperature": 12, "tint": -6, "contrast": 1.2, "saturation": 1.3, "black": 0.02, "tone": 0.5}


def test_pixels_equal_the_render(server: Server, tab: Any, run: Run, tmp_path: Path) -> None:
    open_clip(tab, server)
    plain = rendered(run, server, tmp_path / "plain")
    options = [f"--{name}={value}" for name, value in HAND.items() if name != "tone"]
    turned = rendered(run, server, tmp_path / "turned", *options, "--strength=tone=0.5,colour=1")
    for frame in (0, 4, 9):
        before = np.stack(recoloured("gbrp", frame), axis=-1)
        for hand, expected in (({}, plain[frame]), (HAND, turned[frame])):
            shown = pixels(tab, frame, hand)
            difference = np.abs(shown.astype(int) - expected)
            assert difference.max() <= 2, (frame, hand, difference.max())
            np.testing.assert_array_equal(shown[disc(frame) == 0], before[disc(frame) == 0])
            tab.evaluate("chromacord.sliders.load({})")
        assert np.abs(turned[frame].astype(int) - plain[frame]).max() > 20


@pytest.mark.parametrize(
    ("name", "layout", "codec"),
    [("comp.mp4", "yuv420p", ""), ("c422.mkv", "yuv422p10le", "ffv1"), ("c444.mkv", "yuv444p", "ffv1")],
)
def test_codes_of_less_colour_are_graded_as_by_the_renderer(
    server: Server, tab: Any, run: Run, tmp_path: Path, name: str, layout: str, codec: str
) -> None:
    if codec:
        make_composite(server.folder / name, layout, codec=codec, num_frames=NUM_FRAMES)
    open_clip(tab, server, name)
    files = (server.folder / name, "--mask", server.folder / "mask.mkv")
    options = [f"--{name}={value}" for name, value in HAND.items() if name != "tone"]
    for hand, given in (({}, []), (HAND, [*options, "--strength=tone=0.5,colour=1"])):
        folder = tmp_path / str(len(hand))
        assert run("harmonize", *files, "-o", folder / "%03d.png", *given).code == 0
        for frame in (3, 9):
            expected = cv2.imread(str(sorted(folder.iterdir())[frame]))[..., ::-1]
            difference = np.abs(pixels(tab, frame, hand).astype(int) - expected)
            assert difference.max() <= 2, (frame, hand, difference.max())
            # Off by a whole code of chroma only where rounding errors cross the midpoint of two codes.
            assert (difference > 1).mean() < 0.001, (frame, hand, (difference > 1).mean())
        tab.evaluate("chromacord.sliders.load({})")


def test_a_grade_that_varies_over_the_picture_is_shown_so(server: Server, tab: Any, run: Run, tmp_path: Path) -> None:
    open_clip(tab, server, method="poisson")
    expected = rendered(run, server, tmp_path / "out", "--method=poisson", "--exposure=0.3", "--saturation=1.2")
    difference = np.abs(pixels(tab, 2, {"exposure": 0.3, "saturation": 1.2}).astype(int) - expected[2])
    assert difference.max() <= 2
    assert tab.is_disabled("#slider-contrast") == tab.evaluate("chromacord.page.look.kind === 'field'")


def test_a_shot_has_changes_of_its_own(server: Server, tab: Any, run: Run, tmp_path: Path) -> None:
    clip = open_clip(tab, server, cuts="5")
    assert tab.is_visible("#whose")
    tab.evaluate("chromacord.sliders.set('exposure', 0.5); chromacord.page.turned()")
    tab.focus("#shots div:nth-child(2) button")
    tab.keyboard.press("Enter")
    tab.keyboard.press("s")
    assert tab.inner_text("#of-shot") == "Shot 2"
    assert tab.get_attribute("#of-shot", "aria-checked") == "true"
    tab.evaluate(
        "chromacord.sliders.set('exposure', -0.5); chromacord.sliders.set('tone', 0.5); chromacord.page.turned()"
    )
    wanted = {"exposure": 0.5, "by_shot": ["2:exposure=-0.5,tone=0.5"]}
    wait_for(lambda: server.ask(f"/api/clips/{clip}").json["session"].get("options") == wanted)
    expected = rendered(run, server, tmp_path / "o", "--cuts=5", "--exposure=0.5", "--by-shot=2:exposure=-0.5,tone=0.5")
    tab.reload()
    ready(tab)
    for frame in (2, 7, 3):
        difference = np.abs(pixels(tab, frame, {}).astype(int) - expected[frame])
        assert difference.max() <= 2, (frame, difference.max())
    assert tab.evaluate("chromacord.sliders.hand.exposure") == 0.5  # the playhead is in the first shot
    assert tab.get_attribute("#of-clip", "aria-checked") == "true"
    tab.keyboard.press("ArrowDown")
    assert tab.evaluate("chromacord.sliders.hand.exposure") == -0.5
    tab.click("#free-shot")
    wait_for(lambda: server.ask(f"/api/clips/{clip}").json["session"]["options"] == {"exposure": 0.5})


def test_views_show_what_they_say(server: Server, tab: Any) -> None:
    open_clip(tab, server)
    before = np.stack(recoloured("gbrp", 2), axis=-1).astype(int)
    weight = disc(2)[..., None] / 255
    after = pixels(tab, 2, {"exposure": 0.5}).astype(int)
    np.testing.assert_array_equal(pixels(tab, 2, {"exposure": 0.5}, "before"), before)
    difference = pixels(tab, 2, {"exposure": 0.5}, "difference")
    assert np.abs(difference - np.minimum(4 * np.abs(after - before), 255)).max() <= 4
    alone = pixels(tab, 2, {"exposure": 0.5}, "foreground")
    assert np.abs(alone - (after * weight + 0.18 * 255 * (1 - weight))).max() <= 2
    overlay = pixels(tab, 2, {"exposure": 0.5}, "mask").astype(int)
    inside, outside = disc(2) == 255, disc(2) == 0
    assert (overlay[inside][:, 0] - overlay[inside][:, 1]).mean() > 60 + (
        overlay[outside][:, 0] - overlay[outside][:, 1]
    ).mean()


def test_a_4k_clip_is_shown_pixel_by_pixel(server: Server, tab: Any) -> None:
    size = Size(2160, 3840)
    make_composite(server.folder / "uhd.mp4", size=size, num_frames=3)
    make_mask(server.folder / "uhd.mkv", size=size, num_frames=3)
    open_clip(tab, server, "uhd.mp4", "uhd.mkv", method="mkl")
    middle = Box(800, 1500, 1300, 2300)
    shown = pixels(tab, 2, {"exposure": 0.5}, box=middle)
    before = pixels(tab, 2, {"exposure": 0.5}, "before", middle)
    weight = disc(2, size)[middle.top : middle.bottom, middle.left : middle.right]
    assert {0, 255} <= {*np.unique(weight)}
    far = cv2.dilate(weight, np.ones((9, 9))) == 0  # chroma is shared with pixels at the edge
    np.testing.assert_array_equal(shown[far], before[far])
    assert (shown[weight == 255] != before[weight == 255]).any(axis=-1).mean() > 0.99
    assert tab.evaluate("chromacord.viewer.shownWidth") == 3840
    tab.keyboard.press("z")
    wait_for(lambda: tab.inner_text("#zoom") == "100 %")
