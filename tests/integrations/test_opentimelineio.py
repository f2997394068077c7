"""Timelines of harmonized shots, read back by OpenTimelineIO."""

import json
from pathlib import Path

import pytest

from tests.integrations.conftest import Shell
from tests.pages import ROOT

otio = pytest.importorskip("opentimelineio")
SCRIPT = ROOT / "integrations/opentimelineio/harmonized_timeline.py"
RUN = "--method reinhard --cuts 3 --lut-out shots.otio --grade-out grade.json"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, clips: Path, shell: Shell) -> Path:
    """Return a folder with a harmonized clip of two shots, its timeline and its grade."""
    folder = tmp_path_factory.mktemp("otio")
    shell(f"chromacord harmonize {clips}/rgb.mkv --mask {clips}/mask.mkv -o harmonized.mkv {RUN}", folder)
    return folder


def test_a_round_trip_keeps_shots_media_and_grades(folder: Path, shell: Shell, clips: Path) -> None:
    done = shell(f"python {SCRIPT} shots.otio harmonized.mkv --grade grade.json -o both.otio", folder)
    assert done.stdout == "both.otio: 2 shots\n"
    again = folder / "again.otio"
    otio.adapters.write_to_file(otio.adapters.read_from_file(str(folder / "both.otio")), str(again))
    timeline = otio.adapters.read_from_file(str(again))
    found = list(timeline.find_clips())
    assert [(each.source_range.start_time.value, each.source_range.duration.value) for each in found] == [
        (0, 3),
        (3, 3),
    ]
    shots = json.loads((folder / "grade.json").read_text())["shots"]
    for clip, shot in zip(found, shots, strict=True):
        media = clip.media_references()
        assert clip.active_media_reference_key == "harmonized"
        assert clip.media_reference.target_url == (folder / "harmonized.mkv").as_uri()
        assert media["DEFAULT_MEDIA"].target_url == (clips / "rgb.mkv").as_uri()
        assert json.loads(otio.core.serialize_json_to_string(clip.metadata["chromacord"]["shot"])) == shot
        assert len(clip.metadata["cdl"]["asc_sop"]["slope"]) == 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("shots.otio none.mkv -o x.otio", "none.mkv: no such file"),
        ("shots.otio harmonized.mkv -o shots.otio", "shots.otio: exists already; name another"),
        ("grade.json harmonized.mkv -o x.otio", "error: "),
        ("shots.otio harmonized.mkv --grade one.json -o x.otio", "the grade has 0 shots, the timeline 2"),
    ],
)
def test_bad_inputs_are_one_line(folder: Path, shell: Shell, arguments: str, said: str) -> None:
    (folder / "one.json").write_text('{"shots": []}')
    done = shell(f"python {SCRIPT} {arguments}", folder, code=2)
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (folder / "x.otio").exists()
