"""The Nuke script against a golden text, its values with OpenColorIO, and the menu against a fake Nuke."""

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import PyOpenColorIO as Ocio
import pytest

from chromacord import Encoding, render
from chromacord.sample.sample_files import write_sample
from integrations.nuke import menu
from integrations.nuke.grades import Graded, GradeError, Shot, grade, read_timeline
from integrations.nuke.nk import quoted, script
from tests.footage import decoded
from tests.integrations.conftest import Shell
from tests.pages import PAGES, ROOT, blocks

COMMAND = (sys.executable, "-c", "from chromacord.cli import main; main()")
TWO = Graded(
    (
        Shot(0, (1.1, 1.0, 0.9), (0.0, 0.01, -0.02), (1.0, 1.0, 1.2), 0.8),
        Shot(24, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), (0.9, 0.9, 0.9), 1.0),
    ),
    50,
    25.0,
)
GOLDEN = r"""#! chromacord
Root {
 first_frame 1001
 last_frame 1050
 frame 1001
 fps 25
}
Read {
 inputs 0
 file "/a b/mask.%04d.png"
 first 1001
 last 1050
 origfirst 1001
 origlast 1050
 raw true
 name Mask
 xpos 200
 ypos 0
}
Read {
 inputs 0
 file "/a b/comp\[1\].%04d.exr"
 first 1001
 last 1050
 origfirst 1001
 origlast 1050
 raw true
 name Composite
 xpos 0
 ypos 0
}
Colorspace {
 colorspace_in linear
 colorspace_out sRGB
 name Encode
 xpos 0
 ypos 80
}
set before [stack 0]
OCIOCDLTransform {
 slope {{curve K x1001 1.1 x1025 1} {curve K x1001 1 x1025 1} {curve K x1001 0.9 x1025 1}}
 offset {{curve K x1001 0 x1025 0} {curve K x1001 0.01 x1025 0} {curve K x1001 -0.02 x1025 0}}
 power {{curve K x1001 1 x1025 0.9} {curve K x1001 1 x1025 0.9} {curve K x1001 1.2 x1025 0.9}}
 saturation {curve K x1001 0.8 x1025 1}
 name Grade
 xpos 0
 ypos 120
}
push $before
Merge2 {
 inputs 2+1
 operation copy
 maskChannelMask rgba.red
 name UnderMask
 xpos 100
 ypos 200
}
Colorspace {
 colorspace_in sRGB
 colorspace_out linear
 name Decode
 xpos 0
 ypos 240
}
"""


def test_the_script_is_the_golden_text() -> None:
    text = script("/a b/comp[1].%04d.exr", "/a b/mask.%04d.png", TWO, first=1001)
    assert text == GOLDEN


def test_names_cannot_run_tcl() -> None:
    assert quoted('a"[exit]$b\\c.mov') == r'"a\"\[exit\]\$b\\c.mov"'


def nodes(text: str) -> dict[str, dict[str, str]]:
    """Return the knobs of each node by class; of Read, the last one's."""
    found = re.findall(r"^(\w+) \{\n(.*?)^\}", text, flags=re.MULTILINE | re.DOTALL)
    return {kind: dict(line.strip().split(" ", 1) for line in knobs.splitlines()) for kind, knobs in found}


def merged(transform: Ocio.Transform, clips: Path) -> list[np.ndarray]:
    """Do what the script's nodes do: the grade, then Merge's copy under the mask. Codes of 10 bits, (H, W, 3)."""
    processor = Ocio.Config.CreateRaw().getProcessor(transform).getDefaultCPUProcessor()
    results = []
    for planes, (mask,) in zip(decoded(clips / "rgb.mkv"), decoded(clips / "mask.mkv"), strict=True):
        before = np.dstack([planes[2], planes[0], planes[1]]).astype(np.float32) / 1023
        after = before.copy()
        processor.applyRGB(after)
        weight = mask[..., None].astype(np.float32) / 255
        results.append(1023 * (before + (after - before) * weight).clip(0, 1))
    return results


def worst(ours: Path, theirs: Sequence[np.ndarray]) -> float:
    pairs = zip(decoded(ours), theirs, strict=True)
    return max(float(np.abs(np.dstack([p[2], p[0], p[1]]) - picture).max()) for p, picture in pairs)


def test_the_cdl_of_the_script_gives_our_render_of_it(clips: Path, tmp_path: Path, shell: Shell) -> None:
    line = f"python {ROOT}/integrations/nuke/nk.py {clips}/rgb.mkv {clips}/mask.mkv -o {tmp_path}/comp.nk --method mkl"
    assert shell(line, tmp_path).stdout == f"{tmp_path}/comp.nk\n"
    knobs = nodes((tmp_path / "comp.nk").read_text())["OCIOCDLTransform"]
    cdl = Ocio.CDLTransform()
    cdl.setStyle(Ocio.CDL_ASC)
    for name in ("slope", "offset", "power"):
        getattr(cdl, f"set{name.title()}")([float(value) for value in knobs[name].strip("{}").split()])
    cdl.setSat(float(knobs["saturation"]))
    shell(f"chromacord grade {clips}/rgb.mkv --mask {clips}/mask.mkv -o look.cc --method mkl", tmp_path)
    output = tmp_path / "ours.mkv"
    options = {"mask": clips / "mask.mkv", "output": output, "encoding": Encoding(codec="ffv1")}
    render(tmp_path / "look.cc", clips / "rgb.mkv", **options)
    assert worst(clips / "rgb.mkv", merged(cdl, clips)) > 20
    assert worst(output, merged(cdl, clips)) <= 1


def test_the_lut_of_the_script_gives_our_render(clips: Path, tmp_path: Path, shell: Shell) -> None:
    paths = f"{clips}/rgb.mkv {clips}/mask.mkv"
    shell(f"python {ROOT}/integrations/nuke/nk.py {paths} -o comp.nk --lut look.cube", tmp_path)
    knobs = nodes((tmp_path / "comp.nk").read_text())["OCIOFileTransform"]
    lut = Ocio.FileTransform(src=knobs["file"].strip('"'), interpolation=Ocio.INTERP_TETRAHEDRAL)
    assert knobs["interpolation"] == "tetrahedral"
    output = tmp_path / "ours.mkv"
    options = {"mask": clips / "mask.mkv", "output": output, "encoding": Encoding(codec="ffv1")}
    render(tmp_path / "look.cube", clips / "rgb.mkv", **options)
    assert worst(output, merged(lut, clips)) <= 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("none.mkv mask.mkv -o comp.nk", "none.mkv: no such file"),
        ("rgb.mkv mask.mkv -o no/comp.nk", "no/comp.nk: its folder does not exist; create it first"),
        ("rgb.mkv mask.mkv -o comp.nk --lut look.cube --cuts 3", "look.cube: is one LUT for 2 shots"),
        ("rgb.mkv mask.mkv -o comp.nk --method nomethod", "nomethod"),
    ],
)
def test_bad_inputs_are_one_line(clips: Path, tmp_path: Path, shell: Shell, arguments: str, said: str) -> None:
    for name in ("rgb.mkv", "mask.mkv"):
        (tmp_path / name).symlink_to(clips / name)
    done = shell(f"python {ROOT}/integrations/nuke/nk.py {arguments}", tmp_path, code=2)
    assert said in done.stderr
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "comp.nk").exists()


def test_a_missing_command_and_a_foreign_timeline_are_refused() -> None:
    with pytest.raises(GradeError, match=r"^no-chromacord: cannot be started: .*; install chromacord first$"):
        grade("a.mov", "b.mov", command=["no-chromacord"])
    with pytest.raises(GradeError, match="the timeline holds no shots"):
        read_timeline('{"tracks": {"children": []}}')


class Knob:
    """A knob of a fake node: values and keys by channel, of Nuke's types."""

    def __init__(self, value: Any = None) -> None:
        self.values: dict[int, Any] = {0: value}
        self.keys: dict[int, dict[int, float]] = {}

    def value(self) -> Any:
        return self.values[0]

    def setValue(self, value: float | bool, channel: int = 0) -> None:
        assert isinstance(value, float | bool)
        self.values[channel] = value

    def setAnimated(self, channel: int) -> None:
        self.keys[channel] = {}

    def setValueAt(self, value: float, time: int, channel: int) -> None:
        assert isinstance(value, float)
        assert isinstance(time, int)
        self.keys[channel][time] = value


class Node(dict[str, Knob]):
    """A fake node of a class, with inputs."""

    def __init__(self, kind: str, inputs: Sequence["Node"] = (), **knobs: Any) -> None:
        super().__init__({name: Knob(value) for name, value in knobs.items()})
        self.kind, self.inputs = kind, inputs

    def __missing__(self, name: str) -> Knob:
        assert name in ("slope", "offset", "power", "saturation", "raw"), name
        return self.setdefault(name, Knob())

    def Class(self) -> str:
        return self.kind


class FakeNuke(SimpleNamespace):
    """Nuke's module, as far as the menu uses it."""

    def __init__(self, selected: Sequence[Node]) -> None:
        self.messages: list[str] = []
        made = SimpleNamespace(
            OCIOCDLTransform=lambda inputs, **knobs: Node("OCIOCDLTransform", inputs, **knobs),
            Merge2=lambda inputs, **knobs: Node("Merge2", inputs, **knobs),
        )

        class Undo:
            def __init__(self, name: str) -> None: ...
            def __enter__(self) -> None: ...
            def __exit__(self, *error: object) -> None: ...

        super().__init__(
            selectedNodes=lambda: list(selected), message=self.messages.append, nodes=made, Undo=Undo,
            filename=lambda node: node["file"].value(),
        )  # fmt: skip


def test_the_menu_builds_nodes_with_keys_that_hold() -> None:
    composite, mask = (Node("Read", first=1001, file=f"{name}.mov") for name in ("comp", "mask"))
    merge = menu.build(FakeNuke([]), composite, mask, TWO)
    background, look, matte = merge.inputs
    assert (background, matte) == (composite, mask)
    assert look.inputs == [composite]
    assert look["slope"].keys[0] == {1001: 1.1, 1024: 1.1, 1025: 1.0}
    assert look["saturation"].keys[0] == {1001: 0.8, 1024: 0.8, 1025: 1.0}
    assert composite["raw"].value() is mask["raw"].value() is True


def test_the_menu_grades_what_is_selected(monkeypatch: pytest.MonkeyPatch, clips: Path, program: Path) -> None:
    monkeypatch.setenv("PATH", f"{program}:/usr/bin:/bin")
    reads = [Node("Read", first=1, file=str(clips / f"{name}.mkv")) for name in ("mask", "rgb")]
    missing = Node("Read", first=1, file="none.mkv")
    made: list[Graded] = []
    monkeypatch.setattr(menu, "build", lambda nuke, composite, mask, graded: made.append(graded))
    for selected, said in (
        (reads, None),
        (reads[:1], "select two Read nodes"),
        ([reads[0], missing], "none.mkv: no such"),
    ):
        fake = FakeNuke(selected)
        monkeypatch.setitem(sys.modules, "nuke", fake)
        menu.grade_selected()
        assert said is None or said in fake.messages[0]
    assert made[0].num_frames == 6


@pytest.mark.slow
def test_the_page_shows_the_script_of_the_sample(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    write_sample(tmp_path / "demo")
    transcript = next(
        block for block in blocks(PAGES["docs/integrations.md"], "console") if "integrations/nuke/nk.py" in block
    )
    asked, _, shown = transcript.partition("$ python integrations/opentimelineio")[0].partition("$ sed ")
    command, _, printed = asked.removeprefix("$ ").partition("\n")
    cut, _, lines = shown.partition("\n")
    assert shell(command.replace("integrations/", f"{ROOT}/integrations/"), tmp_path).stdout == printed
    assert shell(f"sed {cut}", tmp_path).stdout == lines
