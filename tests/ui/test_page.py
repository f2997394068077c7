"""The page in a real browser."""

import os
import signal
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.cli.conftest import Run
from tests.footage import SIZE
from tests.ui.browsers.processes import PATIENCE
from tests.ui.conftest import NUM_FRAMES, PICTURES, Server, wait_for
from tests.ui.page import open_clip, pixels, ready, rendered
from tests.ui.test_rendering import content_of, long_clip, processes_of_tasks


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


def test_what_was_rendered_is_not_guessed_as_a_clip_to_open(server: Server, tab: Any) -> None:
    folder = server.folder / "rendered_before"
    folder.mkdir()
    for name in ("composite.mp4", "composite_harmonized.mp4", "mask.mp4"):
        (folder / name).touch()
    tab.goto(f"http://127.0.0.1:{server.port}/")
    tab.wait_for_selector("#entries li")
    tab.click("#entries >> text=rendered_before")
    wait_for(lambda: tab.input_value("#slot-composite") == str(folder / "composite.mp4"))
    assert tab.input_value("#slot-mask") == str(folder / "mask.mp4")


def test_the_shaders_are_compiled_while_files_are_chosen(server: Server, tab: Any) -> None:
    tab.goto(f"http://127.0.0.1:{server.port}/")
    tab.wait_for_selector("#entries li")
    wait_for(lambda: tab.evaluate("chromacord.viewer.programs.made.size") >= 4)
    made = tab.evaluate("[...chromacord.viewer.programs.made.keys()].map(JSON.parse)")
    assert {(each["CODED"], each["KIND"]) for each in made} == {(0, 0), (0, 1), (1, 0), (1, 1)}
    assert not tab.evaluate("chromacord.viewer.hasPicture")
    assert tab.evaluate("chromacord.viewer.gl.getError()") == 0


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
    wait_for(lambda: tab.inner_text("#notice") == f"saved {server.folder / 'by_page/%03d.png'}")
    assert tab.evaluate("document.querySelector('#task-list li').getBoundingClientRect().bottom < innerHeight")
    rendered(run, server, tmp_path / "by_command", "--exposure=0.25")
    assert content_of(server.folder / "by_page") == content_of(tmp_path / "by_command")


def test_finishing_is_chosen_kept_and_shown(server: Server, tab: Any) -> None:
    clip = open_clip(tab, server, "comp.mp4", method="mkl")
    before = pixels(tab, 2, {}, "mask").astype(int)
    tab.evaluate("document.getElementById('finish').open = true")
    assert not tab.is_visible("#finish-contact_shadow")  # for layers alone
    tab.check("#finish-match_grain")
    tab.fill("#finish-wrap", "0.3")
    tab.press("#finish-wrap", "Enter")
    tab.fill("#finish-edge", "3")
    tab.press("#finish-edge", "Enter")
    wanted = {"method": "mkl", "match_grain": True, "wrap": "0.3,16", "edge": "3,0"}
    wait_for(lambda: server.ask(f"/api/clips/{clip}").json["session"]["options"] == wanted)
    ready(tab)
    assert np.abs(pixels(tab, 2, {}, "mask") - before).max() > 30  # the mask is smaller
    tab.reload()
    ready(tab)
    assert tab.is_checked("#finish-match_grain")
    assert [tab.input_value(f"#finish-{name}") for name in ("wrap", "edge")] == ["0.3", "3"]
    tab.evaluate("document.getElementById('finish').open = true")
    tab.uncheck("#finish-match_grain")
    wait_for(lambda: "match_grain" not in server.ask(f"/api/clips/{clip}").json["session"]["options"])


def test_files_of_this_computer_are_sent_and_opened(server: Server, tab: Any, tmp_path: Path) -> None:
    mine = [tmp_path / "evening.mp4", tmp_path / "evening_mask.mkv"]
    for path, name in zip(mine, ("comp.mp4", "mask.mkv"), strict=True):
        path.write_bytes((server.folder / name).read_bytes())
    tab.goto(f"http://127.0.0.1:{server.port}/")
    tab.wait_for_selector("#entries li")
    tab.set_input_files("#upload", [str(path) for path in mine])
    wait_for(lambda: tab.input_value("#slot-mask").endswith("/evening_mask.mkv"))
    tab.click("#opener-open")
    ready(tab)
    assert tab.inner_text("#title").startswith("evening.mp4 · 96×72")
    assert tab.input_value("#output") == str(server.folder / "evening_harmonized.mp4")
    tab.select_option("#method", "mkl")
    tab.select_option("#consistency", "shot")
    clip, wanted = tab.evaluate("chromacord.page.clip.id"), {"method": "mkl", "consistency": "shot"}
    wait_for(lambda: server.ask(f"/api/clips/{clip}").json["session"].get("options") == wanted)
    wait_for(lambda: server.is_ready(clip))
    tab.evaluate("document.getElementById('export').open = true")
    for kind, ending in (("grade_out", "_grade.json"), ("lut_out", ".cube"), ("preview", "_before_after.png")):
        tab.select_option("#export-kind", kind)
        assert tab.input_value("#export-path") == str(server.folder / f"evening{ending}")
        tab.click("#export-start")
        wait_for((server.folder / f"evening{ending}").exists)


def test_a_render_is_paused_and_cancelled_in_the_queue(server: Server, tab: Any) -> None:
    clip = long_clip(server)
    tab.goto(f"http://127.0.0.1:{server.port}/#{clip}")
    ready(tab)
    # Both are held back and paused first: else a fast machine is done before the page has seen it run.
    ways = {"paused.mp4": [("resume", "done")], "cancelled.mp4": [("cancel", "cancelled"), ("resume", "done")]}
    for name, actions in ways.items():
        tab.fill("#output", str(server.folder / name))
        tab.click("#start")
        wait_for(lambda: processes_of_tasks(server))
        os.kill(processes_of_tasks(server)[0], signal.SIGSTOP)
        item = tab.locator(f"#task-list li:has-text('{name}')")
        for action, state in (("pause", "paused"), *actions):
            item.locator(f"[data-action={action}]").click()
            wait_for(lambda item=item, state=state: item.get_attribute("data-state") == state)
        assert (server.folder / name).stat().st_size > 0


def test_changes_are_kept_in_their_order(server: Server, tab: Any) -> None:
    clip = open_clip(tab, server, method="mkl")
    # The first change is slow on its way.
    slow = {"left": 1}

    def delayed(route: Any, request: Any) -> None:
        if request.method == "PUT" and slow["left"]:
            slow["left"] -= 1
            tab.wait_for_timeout(400)
        route.continue_()

    tab.route(f"**/api/clips/{clip}", delayed)
    tab.evaluate(
        "() => Promise.all(['0.2', '0.4', '0.6'].map((value) => chromacord.page.setOptions({ wrap: `${value},16` })))"
    )
    assert server.ask(f"/api/clips/{clip}").json["session"]["options"] == {"method": "mkl", "wrap": "0.6,16"}


def test_an_answer_from_before_a_save_does_not_end_the_polling(server: Server, tab: Any) -> None:
    clip = open_clip(tab, server, method="mkl")
    late: list[tuple[Any, Any]] = []

    def delay_the_first(route: Any) -> None:
        if late or route.request.method != "GET":
            route.continue_()
        else:
            late.append((route, route.fetch()))

    address = f"**/api/clips/{clip}"
    tab.route(address, delay_the_first)
    tab.evaluate("void chromacord.page.watch()")
    wait_for(lambda: tab.evaluate("true") and bool(late))
    before = tab.evaluate("chromacord.page.clip.version")
    tab.select_option("#consistency", "shot")
    wait_for(lambda: tab.evaluate("chromacord.page.clip.version") > before)  # the save is answered
    wait_for(lambda: server.is_ready(clip))
    route, answer = late[0]
    route.fulfill(response=answer)
    wait_for(lambda: tab.evaluate("chromacord.page.clip.version") == server.ask(f"/api/clips/{clip}").json["version"])
    ready(tab)


def test_layers_are_finished_as_by_the_command(server: Server, tab: Any, run: Run, tmp_path: Path) -> None:
    (server.folder / "back").mkdir()
    for number in range(NUM_FRAMES):
        rows, columns = np.mgrid[: SIZE.height, : SIZE.width]
        back = np.stack([rows * 2 + 60, columns + 90, 180 - rows + number], axis=-1).astype(np.uint8)
        cv2.imwrite(str(server.folder / "back" / f"{number:03d}.png"), back)
    files = {"foreground": PICTURES, "alpha": "mask.mkv", "background": "back/%03d.png"}
    tab.goto(f"http://127.0.0.1:{server.port}/")
    tab.wait_for_selector("#entries li")
    tab.click("#opener [data-kind=layers]")
    for slot, name in files.items():
        tab.fill(f"#slot-{slot}", str(server.folder / name))
    tab.click("#opener-open")
    ready(tab)
    tab.evaluate("document.getElementById('finish').open = true")
    assert not tab.is_visible("#finish-fit_edge")  # for composites alone
    before = pixels(tab, 4, {}).astype(int)
    tab.check("#finish-decontaminate")
    tab.select_option("#finish-despill", "green")
    for place, value in enumerate(("0.6", "45", "12", "3")):
        tab.fill(f"#finish-fields [aria-label^=Shadow] >> nth={place}", value)
    tab.press("#finish-contact_shadow", "Enter")
    tab.fill("#finish-edge", "1")
    tab.press("#finish-edge", "Enter")
    wanted = {"decontaminate": True, "despill": "green", "contact_shadow": "0.6,45,12,3", "edge": "1,0"}
    clip = tab.evaluate("chromacord.page.clip.id")
    wait_for(lambda: server.ask(f"/api/clips/{clip}").json["session"]["options"] == wanted)
    wait_for(lambda: server.is_ready(clip))
    tab.reload()
    ready(tab)
    shown = pixels(tab, 4, {}).astype(int)
    assert np.abs(shown - before).max() > 20
    tab.evaluate("document.getElementById('finish').open = true")
    tab.fill("#output", str(server.folder / "layers_by_page/%03d.png"))
    tab.fill("#foreground-out", str(server.folder / "alone_by_page/%03d.png"))
    tab.click("#start")
    tab.wait_for_selector("#task-list li.done:has-text('%03d.png, %03d.png')")
    given = [text for slot, name in files.items() for text in (f"--{slot}", server.folder / name)]
    options = ("--decontaminate", "--despill=green", "--contact-shadow=0.6,45,12,3", "--edge=1,0")
    written = ("-o", tmp_path / "o/%03d.png", "--foreground-out", tmp_path / "alone/%03d.png")
    assert run("harmonize", *given, *options, *written).code == 0
    assert content_of(server.folder / "layers_by_page") == content_of(tmp_path / "o")
    assert content_of(server.folder / "alone_by_page") == content_of(tmp_path / "alone")
    expected = cv2.imread(str(tmp_path / "o/004.png"))[..., ::-1]
    assert np.abs(shown - expected).max() <= 2


def test_a_render_goes_on_while_the_page_is_loaded_again(server: Server, tab: Any) -> None:
    clip = long_clip(server)
    tab.goto(f"http://127.0.0.1:{server.port}/#{clip}")
    ready(tab)
    tab.evaluate("chromacord.sliders.set('saturation', 1.4); chromacord.page.turned()")
    tab.fill("#output", str(server.folder / "reloaded.mp4"))
    tab.click("#start")
    item = "#task-list li:has-text('reloaded.mp4')"
    tab.wait_for_selector(item)  # running, or done already on a fast machine
    tab.reload()
    ready(tab)
    assert tab.evaluate("chromacord.sliders.hand.saturation") == 1.4
    tab.wait_for_selector(item)
    wait_for(lambda: "done, 48 frames" in tab.inner_text(item))
    assert (server.folder / "reloaded.mp4").stat().st_size > 0


def test_two_tabs_hold_two_clips(server: Server, tab: Any, browser: Any) -> None:
    first = open_clip(tab, server)
    other = browser.new_page()
    other.set_default_timeout(1000 * PATIENCE)
    second = open_clip(other, server, "comp.mp4", method="mkl")
    assert first != second
    tab.evaluate("chromacord.sliders.set('exposure', 0.5); chromacord.page.save()")
    other.evaluate("chromacord.sliders.set('tint', 9); chromacord.page.save()")
    options = [server.ask(f"/api/clips/{clip}").json["session"].get("options") for clip in (first, second)]
    wait_for(lambda: server.ask(f"/api/clips/{first}").json["session"]["options"] == {"exposure": 0.5}), options
    wait_for(lambda: server.ask(f"/api/clips/{second}").json["session"]["options"] == {"method": "mkl", "tint": 9})
    assert tab.inner_text("#title") != other.inner_text("#title")
    other.close()


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
    assert tab.evaluate(OUTSIDE) == []


OUTSIDE = """() => [...document.querySelectorAll("header *, #transport *")]
  .filter((each) => each.offsetParent !== null && each.getBoundingClientRect().right > innerWidth + 1)
  .map((each) => each.id || each.textContent)"""


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
