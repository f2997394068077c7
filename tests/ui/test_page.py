"""The page in a real browser."""

import base64
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from chromacord.types import Box, Size
from tests.cli.conftest import Run
from tests.footage import SIZE, disc, make_composite, make_mask, recoloured
from tests.ui.conftest import NUM_FRAMES, PICTURES, Server, wait_for
from tests.ui.test_rendering import content_of, long_clip

HAND = {"exposure": 0.4, "temperature": 12, "tint": -6, "contrast": 1.2, "saturation": 1.3, "black": 0.02, "tone": 0.5}

WHOLE = Box(0, 0, *SIZE)

READ = """async ([frame, hand, view, x, y, width, height]) => {
  const { page, player, viewer, sliders } = chromacord;
  const shown = new Promise((done) => page.addEventListener("exact", done, { once: true }));
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
}"""


def open_clip(tab: Any, server: Server, composite: str = PICTURES, mask: str = "mask.mkv", **options: Any) -> str:
    """Open a clip by its address, and wait for its grade."""
    clip = server.open(server.folder / composite, server.folder / mask, **options)
    tab.goto(f"http://127.0.0.1:{server.port}/#{clip}")
    ready(tab)
    return clip


def ready(tab: Any) -> None:
    tab.wait_for_selector("#status[data-ready=true]", state="attached", timeout=300_000)


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


def test_the_sample_is_opened_by_the_dialog(server: Server, tab: Any) -> None:
    tab.goto(f"http://127.0.0.1:{server.port}/")
    tab.wait_for_selector("#entries li")
    tab.click("text=mask.mkv")  # the dialog guesses neither: there are several
    tab.fill("#slot-composite", "comp.mp4")
    tab.fill("#slot-mask", "mask.mkv")
    tab.click("#opener-open")
    ready(tab)
    assert tab.inner_text("#title").startswith("comp.mp4 · 96×72 · 25 fps")
    assert tab.inner_text("#shots button").startswith("1")
    assert "#" in tab.url
    for name in ("--page", "--surround", "--panel", "--raised"):
        color = tab.evaluate(
            "(name) => getComputedStyle(document.documentElement).getPropertyValue(name)", name
        ).strip()
        assert color[1:3] == color[3:5] == color[5:7], name


def test_a_broken_file_is_told_as_by_the_command(server: Server, tab: Any, run: Run) -> None:
    (server.folder / "torn.mp4").write_bytes((server.folder / "comp.mp4").read_bytes()[:1500])
    tab.goto(f"http://127.0.0.1:{server.port}/")
    tab.wait_for_selector("#entries li")
    tab.fill("#slot-composite", str(server.folder / "torn.mp4"))
    tab.fill("#slot-mask", str(server.folder / "mask.mkv"))
    tab.click("#opener-open")
    tab.wait_for_selector("#opener-error:not([hidden])")
    told = run("harmonize", server.folder / "torn.mp4", "--mask", server.folder / "mask.mkv", "-o", "never.mp4").err
    assert told == f"error: {tab.inner_text('#opener-error')}\n"
    tab.complaints.clear()  # chromium reports the answer's status, 422


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
            # Luma and chroma of 4:4:4 may each be a code off where they lie midway between two codes.
            most = 3 if layout == "yuv444p" else 2
            assert difference.max() <= most, (frame, hand, difference.max())
            assert (difference > 2).mean() < 0.003, (frame, hand, (difference > 2).mean())
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


def test_the_wipe_is_dragged_and_turned(server: Server, tab: Any) -> None:
    open_clip(tab, server)
    tab.evaluate("chromacord.sliders.set('exposure', 1); chromacord.page.turned()")
    tab.keyboard.press("w")
    handle = tab.locator("#handle")
    assert handle.is_visible()
    split = tab.evaluate(SIDES)
    assert split == {"left": "before", "right": "after"}
    box, canvas = handle.bounding_box(), tab.locator("#canvas").bounding_box()
    tab.mouse.move(box["x"] + 14, box["y"] + 14)
    tab.mouse.down()
    tab.mouse.move(canvas["x"] + canvas["width"] - 3, canvas["y"] + 200, steps=4)
    tab.mouse.up()
    assert tab.evaluate("chromacord.viewer.wipe.x") > 0.98
    assert tab.evaluate(SIDES) == {"left": "before", "right": "before"}
    handle.focus()
    for _ in range(60):
        tab.keyboard.press("Shift+ArrowRight")
    assert tab.evaluate("chromacord.viewer.wipe.angle") == 180
    assert tab.evaluate(SIDES) == {"left": "after", "right": "after"}
    knob = tab.locator("#turn").bounding_box()
    tab.mouse.move(knob["x"] + 7, knob["y"] + 7)
    tab.mouse.down()
    tab.mouse.move(canvas["x"] + 100, canvas["y"] + 200, steps=4)
    tab.mouse.up()
    assert 250 < tab.evaluate("chromacord.viewer.wipe.angle") < 290
    tab.keyboard.press("w")
    assert not handle.is_visible()


SIDES = """() => {
  const { viewer } = chromacord, { view } = viewer, [left, top, across, down] = viewer.place;
  const rows = Math.round(viewer.size.height * down), columns = Math.round(viewer.size.width * across);
  const width = Math.min(columns, viewer.canvas.width), height = Math.min(rows, viewer.canvas.height);
  const read = (shown) => {
    viewer.view = shown;
    return viewer.read(Math.max(0, left), Math.max(0, top), width, height);
  };
  const [now, before, after] = [read(view), read("before"), read("after")];
  viewer.view = view;
  const side = (from, to) => {
    const near = { before: 0, after: 0 };
    for (let pixel = 0; pixel < now.length / 4; pixel++) {
      const x = pixel % width;
      if (x < from * width || x >= to * width) continue;
      if (Math.abs(before[4 * pixel] - after[4 * pixel]) < 8) continue;
      const [toBefore, toAfter] = [before, after].map((each) => Math.abs(now[4 * pixel] - each[4 * pixel]));
      near[toBefore < toAfter ? "before" : "after"]++;
    }
    return near.before > near.after ? "before" : "after";
  };
  return { left: side(0, 0.48), right: side(0.52, 0.97) };
}"""


def test_a_render_of_the_page_is_that_of_the_command(server: Server, tab: Any, run: Run, tmp_path: Path) -> None:
    open_clip(tab, server)
    tab.fill("#sliders input[type=number] >> nth=0", "0.25")
    tab.press("#sliders input[type=number] >> nth=0", "Enter")
    tab.fill("#output", str(server.folder / "by_page/%03d.png"))
    tab.click("#start")
    tab.wait_for_selector("#task-list li.done", timeout=300_000)
    rendered(run, server, tmp_path / "by_command", "--exposure=0.25")
    assert content_of(server.folder / "by_page") == content_of(tmp_path / "by_command")


def test_a_render_goes_on_while_the_page_is_loaded_again(server: Server, tab: Any) -> None:
    clip = long_clip(server)
    tab.goto(f"http://127.0.0.1:{server.port}/#{clip}")
    ready(tab)
    tab.evaluate("chromacord.sliders.set('saturation', 1.4); chromacord.page.turned()")
    tab.fill("#output", str(server.folder / "reloaded.mp4"))
    tab.click("#start")
    item = "#task-list li:has-text('reloaded.mp4')"
    tab.wait_for_selector(item, timeout=300_000)  # running, or done already on a fast machine
    tab.reload()
    ready(tab)
    assert tab.evaluate("chromacord.sliders.hand.saturation") == 1.4
    tab.wait_for_selector(item, timeout=300_000)
    wait_for(lambda: "done, 48 frames" in tab.inner_text(item))
    assert (server.folder / "reloaded.mp4").stat().st_size > 0


def test_two_tabs_hold_two_clips(server: Server, tab: Any, browser: Any) -> None:
    first = open_clip(tab, server)
    other = browser.new_page()
    second = open_clip(other, server, "comp.mp4", method="mkl")
    assert first != second
    tab.evaluate("chromacord.sliders.set('exposure', 0.5); chromacord.page.save()")
    other.evaluate("chromacord.sliders.set('tint', 9); chromacord.page.save()")
    options = [server.ask(f"/api/clips/{clip}").json["session"].get("options") for clip in (first, second)]
    wait_for(lambda: server.ask(f"/api/clips/{first}").json["session"]["options"] == {"exposure": 0.5}), options
    wait_for(lambda: server.ask(f"/api/clips/{second}").json["session"]["options"] == {"method": "mkl", "tint": 9})
    assert tab.inner_text("#title") != other.inner_text("#title")
    other.close()


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


def test_frames_are_stepped_played_and_limited_by_keys(server: Server, tab: Any) -> None:
    clip = open_clip(tab, server, method="mkl")
    frame = "chromacord.player.frame"
    for keys, expected in (
        (["ArrowRight"] * 3, 3),
        (["ArrowLeft"], 2),
        (["End"], 9),
        (["Home"], 0),
        (["Shift+ArrowRight"], 9),
    ):
        for key in keys:
            tab.keyboard.press(key)
        assert tab.evaluate(frame) == expected
    tab.keyboard.press("Home")
    tab.keyboard.press("l")
    wait_for(lambda: tab.evaluate(frame) > 2)
    tab.keyboard.press("l")
    assert tab.evaluate("chromacord.player.speed") == 2
    tab.keyboard.press("k")
    stopped = tab.evaluate(frame)
    tab.keyboard.press("j")
    assert tab.evaluate("chromacord.player.speed") == -1
    tab.keyboard.press(" ")
    assert tab.evaluate("chromacord.player.speed") == 0
    assert isinstance(stopped, int)
    tab.keyboard.press("Home")
    for key in ("ArrowRight", "ArrowRight", "i", "ArrowRight", "ArrowRight", "o"):
        tab.keyboard.press(key)
    assert tab.inner_text("#range") == "2 to 4, 3 frames"
    wait_for(lambda: server.ask(f"/api/clips/{clip}").json["session"]["options"].get("frames") == [2, 5])
    ready(tab)
    wait_for(lambda: (server.ask(f"/api/clips/{clip}").json["shots"] or [{}])[0].get("start") == 2)


def test_all_is_done_without_a_mouse(server: Server, tab: Any) -> None:
    tab.goto(f"http://127.0.0.1:{server.port}/")
    tab.wait_for_selector("#entries li")
    tab.focus("#slot-composite")  # where the dialog puts it, unless it guessed a file
    tab.keyboard.press("Control+A")
    tab.keyboard.type("comp.mp4")
    tab.keyboard.press("Tab")
    tab.keyboard.press("Control+A")
    tab.keyboard.type("mask.mkv")
    tab.keyboard.press("Enter")
    ready(tab)
    tab.keyboard.press("w")
    assert tab.is_visible("#handle")
    reach(tab, "slider-exposure")
    for _ in range(5):
        tab.keyboard.press("ArrowRight")
    assert tab.evaluate("chromacord.sliders.hand.exposure") == pytest.approx(0.05)
    reach(tab, "output")
    tab.keyboard.press("Control+A")
    tab.keyboard.type(str(server.folder / "keys.mp4"))
    reach(tab, "start")
    tab.keyboard.press("Enter")
    wait_for(lambda: "done, 10 frames" in tab.inner_text("#task-list li:has-text('keys.mp4')"))
    assert (server.folder / "keys.mp4").exists()


def reach(tab: Any, identifier: str) -> None:
    """Press Tab until an element has the focus, which must be visible."""
    for _ in range(90):
        tab.keyboard.press("Tab")
        if tab.evaluate("document.activeElement.id") == identifier:
            return
    raise AssertionError(f"{identifier} is not reached by Tab")


def test_everything_that_can_be_used_has_a_name(server: Server, tab: Any) -> None:
    open_clip(tab, server)
    nameless = tab.evaluate("""() => [...document.querySelectorAll("button, input, select, [role=slider], canvas, a")]
      .filter((each) => each.offsetParent !== null)
      .filter((each) => !(each.textContent.trim() || each.getAttribute("aria-label") || each.labels?.length))
      .map((each) => each.outerHTML)""")
    assert nameless == []


def test_scopes_show_foreground_and_background(server: Server, tab: Any) -> None:
    open_clip(tab, server)
    for name in ("waveform", "parade", "vectorscope", "histogram"):
        tab.click(f"#scope-choice [data-scope={name}]")
        wait_for(lambda name=name: tab.evaluate(LIGHT, name)[0] > 200)
        foreground, background = tab.evaluate(LIGHT, name)
        assert foreground > 200, name
        assert background > 200, name


LIGHT = """(name) => [...document.querySelectorAll(`.scope-row[data-scope=${name}] canvas`)].map((canvas) => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let count = 0;
  for (let place = 0; place < data.length; place += 4) {
    if (Math.max(data[place], data[place + 1], data[place + 2]) > 0x40) count++;
  }
  return count;
})"""


@pytest.mark.parametrize("width", [1280, 2560])
def test_the_page_fits_its_window(server: Server, tab: Any, width: int) -> None:
    tab.set_viewport_size({"width": width, "height": 800 if width == 1280 else 1440})
    open_clip(tab, server)
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    outside = tab.evaluate("""() => [...document.querySelectorAll("header *, #transport *")]
      .filter((each) => each.offsetParent !== null && each.getBoundingClientRect().right > innerWidth + 1)
      .map((each) => each.id || each.textContent)""")
    assert outside == []


def test_a_mask_is_made_by_a_box_and_a_picked_colour(server: Server, tab: Any) -> None:
    tab.goto(f"http://127.0.0.1:{server.port}/")
    tab.wait_for_selector("#entries li")
    tab.fill("#slot-composite", str(server.folder / "comp.mp4"))
    tab.fill("#slot-mask", "")
    tab.click("#make-mask")
    wait_for(lambda: tab.evaluate("document.getElementById('maker-canvas').width") == SIZE.width)
    canvas = tab.locator("#maker-canvas").bounding_box()
    tab.mouse.click(canvas["x"] + canvas["width"] / 2, canvas["y"] + canvas["height"] / 2)
    red, green, blue = map(int, tab.input_value("#maker-value").split(","))
    assert 0 <= min(red, green, blue) <= max(red, green, blue) <= 255
    tab.click("#maker [data-way=box]")
    tab.mouse.move(canvas["x"] + canvas["width"] * 0.2, canvas["y"] + canvas["height"] * 0.2)
    tab.mouse.down()
    tab.mouse.move(canvas["x"] + canvas["width"] * 0.6, canvas["y"] + canvas["height"] * 0.8, steps=3)
    tab.mouse.up()
    left, top, width, height = map(int, tab.input_value("#maker-value").split(","))
    assert (left, top) == (int(0.2 * SIZE.width), int(0.2 * SIZE.height))
    assert abs(width - 0.4 * SIZE.width) < 3
    assert abs(height - 0.6 * SIZE.height) < 3
    tab.click("#maker [data-way=clicks]")
    tab.mouse.click(canvas["x"] + canvas["width"] / 2, canvas["y"] + canvas["height"] / 2)
    tab.keyboard.down("Alt")
    tab.mouse.click(canvas["x"] + 2, canvas["y"] + 2)
    tab.keyboard.up("Alt")
    assert tab.input_value("#maker-value").startswith(f"{SIZE.width // 2},{SIZE.height // 2} !")
    tab.fill("#maker-output", str(server.folder / "boxed.mkv"))
    tab.click("#maker-start")
    tab.wait_for_selector("#maker", state="hidden")
    assert tab.input_value("#slot-mask") == str(server.folder / "boxed.mkv")
    tab.click("#opener-open")
    ready(tab)
