"""The script for Resolve against a fake of its module, which is as strict about types as Resolve is."""

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from integrations.resolve.grade_clip import GradeError, grade_item, main
from integrations.resolve.grades import read_timeline
from tests.integrations.conftest import Shell


class Item:
    """A clip on the timeline, with two nodes."""

    def __init__(self, path: str, *, accepts: bool = True) -> None:
        self.path, self.accepts = path, accepts
        self.cdls: list[dict[str, str]] = []
        self.luts: list[tuple[int, str]] = []

    def GetMediaPoolItem(self) -> Any:
        return SimpleNamespace(GetClipProperty=lambda name: {"File Path": self.path}[name])

    def GetLeftOffset(self) -> int:
        return 1

    def GetDuration(self) -> int:
        return 4

    def GetNodeGraph(self) -> Any:
        return SimpleNamespace(GetNumNodes=lambda: 2, SetLUT=self.set_lut)

    def SetCDL(self, cdl: dict[str, str]) -> bool:
        assert set(cdl) == {"NodeIndex", "Slope", "Offset", "Power", "Saturation"}
        assert all(type(value) is str for value in cdl.values())
        assert all(len(cdl[name].split()) == 3 for name in ("Slope", "Offset", "Power"))
        self.cdls.append(cdl)
        return self.accepts

    def set_lut(self, node: int, path: str) -> bool:
        assert type(node) is int
        assert Path(path).is_absolute()
        assert Path(path).is_file()
        self.luts.append((node, path))
        return self.accepts


def application(item: Item | None) -> Any:
    timeline = SimpleNamespace(GetCurrentVideoItem=lambda: item)
    project = SimpleNamespace(GetCurrentTimeline=lambda: timeline, RefreshLUTList=lambda: True)
    return SimpleNamespace(GetProjectManager=lambda: SimpleNamespace(GetCurrentProject=lambda: project))


@pytest.fixture(autouse=True)
def _on_path(monkeypatch: pytest.MonkeyPatch, program: Path) -> None:
    monkeypatch.setenv("PATH", f"{program}:/usr/bin:/bin")


def test_the_cdl_of_the_part_on_the_timeline_is_set(clips: Path, tmp_path: Path, shell: Shell) -> None:
    item = Item(str(clips / "rgb.mkv"))
    said = grade_item(application(item), str(clips / "mask.mkv"), "--method", "mkl", node=2, lut=None)
    assert said == "rgb.mkv: the CDL is on node 2"
    options = "--frames 1:5 --cuts none --consistency shot --method mkl"
    shell(f"chromacord grade {clips}/rgb.mkv --mask {clips}/mask.mkv -o shots.otio {options}", tmp_path)
    (shot,) = read_timeline((tmp_path / "shots.otio").read_text()).shots
    (cdl,) = item.cdls
    assert cdl["NodeIndex"] == "2"
    assert [float(value) for value in cdl["Slope"].split()] == pytest.approx(shot.slope, abs=1e-6)
    assert float(cdl["Saturation"]) == pytest.approx(shot.saturation, abs=1e-6)


def test_a_lut_is_written_and_set(clips: Path, tmp_path: Path) -> None:
    item, lut = Item(str(clips / "rgb.mkv")), str(tmp_path / "look.cube")
    grade_item(application(item), str(clips / "mask.mkv"), node=1, lut=lut)
    assert item.luts == [(1, lut)]


@pytest.mark.parametrize(
    ("item", "node", "said"),
    [
        (None, 1, "there is no clip of a file under the playhead"),
        (Item(""), 1, "there is no clip of a file under the playhead"),
        (Item("none.mov"), 1, "none.mov: no such file"),
        (Item("none.mov"), 3, "has 2 nodes, so there is no node 3; add it first"),
    ],
)
def test_bad_clips_are_one_line(item: Item | None, node: int, said: str) -> None:
    with pytest.raises(GradeError, match=said) as refused:
        grade_item(application(item), "mask.mov", node=node, lut=None)
    assert "\n" not in str(refused.value)


def test_a_refusal_by_resolve_is_told(clips: Path) -> None:
    item = Item(str(clips / "rgb.mkv"), accepts=False)
    with pytest.raises(GradeError, match="Resolve does not accept the CDL on node 1"):
        grade_item(application(item), str(clips / "mask.mkv"), node=1, lut=None)


@pytest.mark.parametrize(("answer", "said"), [(False, "not on PYTHONPATH"), (True, "Resolve does not answer")])
def test_without_resolve_the_script_leaves_with_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], answer: bool, said: str
) -> None:
    module = ModuleType("DaVinciResolveScript")
    module.scriptapp = lambda name: None  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "DaVinciResolveScript", module if answer else None)  # type: ignore[arg-type]
    monkeypatch.setattr(sys, "argv", ["grade_clip.py", "mask.mov"])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 2
    assert said in capsys.readouterr().err
