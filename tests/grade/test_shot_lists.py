"""Lists of shots, read back by OpenTimelineIO and by our own reader."""

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from chromacord.color.cdl import Cdl
from chromacord.errors import InputError
from chromacord.grade.exports import where
from chromacord.grade.keys import ANY_LENGTH
from chromacord.grade.shot_lists import Event, edl_text, otio_text
from chromacord.io.edl import read_edl
from chromacord.io.timecode import frame_of
from chromacord.types import VideoInfo
from tests.grade.test_exports import EXPOSURE, INFO, cdls_of_edl, export, grade_of, graded, nodes

WARM = Cdl((1.05, 0.99, 0.97), (0.01, -0.002, 0.0), (1.0, 1.01, 0.99), 0.95)
COLD = Cdl((0.9, 1.0, 1.1), (0.0, 0.0, 0.02), (1.1, 1.0, 1.0), 1.2)
EVENTS = [Event(0, 10, WARM, "first"), Event(15, 24, COLD, "second")]
"""Between them is a shot without a grade."""

TIMED = replace(INFO, timecode="01:00:00:00", num_frames=24, rate=Fraction(25))


def test_an_edl_holds_the_cut_and_the_cdl_of_each_shot(tmp_path: Path) -> None:
    second = EXPOSURE.with_parameters(EXPOSURE.parameters * np.float32(0.75))
    path = tmp_path / "look.edl"
    assert export(grade_of(EXPOSURE, second), path) == [path]
    begin = frame_of("00:00:00:00", rate=INFO.rate, drop=False)
    assert [frame - begin for frame, _ in read_edl(path, rate=INFO.rate).shots] == [0, 10]
    for cdl, transform in zip(cdls_of_edl(path), (EXPOSURE, second), strict=True):
        np.testing.assert_allclose(cdl(nodes()), graded(transform, nodes()), atol=1e-3)
    assert "* FROM CLIP NAME: comp.mov" in path.read_text()


def test_an_edl_counts_from_the_clips_own_timecode() -> None:
    cdl = Cdl((1, 1, 1), (0, 0, 0), (1, 1, 1), 1)
    info = replace(INFO, timecode="01:00:59;28", rate=Fraction(30000, 1001))
    text = edl_text([Event(0, 4, cdl)], info, title="reel")
    assert text.splitlines()[:2] == ["TITLE: reel", "FCM: DROP FRAME"]
    assert "V     C        01:00:59;28 01:01:00;04 01:00:59;28 01:01:00;04" in text  # :00 and :01 are left out


def test_a_clips_name_of_any_bytes_is_one_line_of_text() -> None:
    info = replace(TIMED, path=Path("caf\udce9\nb.mov"))
    text = edl_text(EVENTS, info, title="reel")
    assert "* FROM CLIP NAME: caf\ufffd?b.mov\n*ASC_SOP" in text
    text.encode()
    (first, *_) = json.loads(otio_text(EVENTS, info, title="reel"))["tracks"]["children"][0]["children"]
    assert first["media_references"]["DEFAULT_MEDIA"]["name"] == "caf\ufffd?b.mov"


@pytest.mark.parametrize("rate", [Fraction(24), Fraction(25), Fraction(30000, 1001)], ids=str)
def test_opentimelineio_reads_a_timeline_as_it_writes_it(rate: Fraction) -> None:
    otio = pytest.importorskip("opentimelineio")
    text = otio_text(EVENTS, replace(TIMED, rate=rate), title="reel")
    timeline = otio.adapters.read_from_string(text, "otio_json")
    assert json.loads(timeline.to_json_string()) == json.loads(text), "it leaves nothing out and adds nothing"
    first, second = timeline.find_clips()
    assert timeline.duration().to_frames() == 24
    assert first.source_range.start_time.to_frames() == 3600 * round(rate)
    assert timeline.range_of_child(second).start_time.to_frames() == 15
    assert second.metadata["cdl"]["asc_sat"] == 1.2
    assert first.media_reference.target_url.endswith("/comp.mov")


@pytest.mark.parametrize("suffix", ["edl", "otio"])
def test_its_cmx_adapter_gives_every_shot_its_cdl(suffix: str) -> None:
    """The list as OpenTimelineIO reads it, and the timeline that it writes from it."""
    otio = pytest.importorskip("opentimelineio")
    pytest.importorskip("otio_cmx3600_adapter")
    if suffix == "edl":
        text = edl_text(EVENTS, TIMED, title="reel")
    else:
        timeline = otio.adapters.read_from_string(otio_text(EVENTS, TIMED, title="reel"), "otio_json")
        text = otio.adapters.write_to_string(timeline, "cmx_3600", rate=25)
    clips = list(otio.adapters.read_from_string(text, "cmx_3600", rate=25).find_clips())
    assert [clip.source_range.start_time.to_timecode() for clip in clips] == ["01:00:00:00", "01:00:00:15"]
    for clip, event in zip(clips, EVENTS, strict=True):
        sop = clip.metadata["cdl"]["asc_sop"]
        np.testing.assert_allclose(sop["slope"], event.cdl.slope)
        np.testing.assert_allclose(sop["offset"], event.cdl.offset)
        np.testing.assert_allclose(sop["power"], event.cdl.power)
        assert clip.metadata["cdl"]["asc_sat"] == pytest.approx(event.cdl.saturation)


def test_a_timeline_names_the_files_of_a_sequence() -> None:
    otio = pytest.importorskip("opentimelineio")
    frames = replace(TIMED, path=Path("/shots/take.%04d.exr"), container="sequence", first_number=1001)
    (first, _) = otio.adapters.read_from_string(otio_text(EVENTS, frames, title="reel"), "otio_json").find_clips()
    assert first.media_reference.target_url_for_image_number(3) == "file:///shots/take.1004.exr"


@pytest.mark.parametrize("text", [edl_text, otio_text])
def test_a_look_for_clips_of_any_length_makes_no_list(text) -> None:
    with pytest.raises(InputError, match=r"^reel: a LUT or a CDL has no shots to list"):
        text([Event(0, ANY_LENGTH, WARM)], INFO, title="reel")


@pytest.mark.parametrize(
    ("info", "expected"),
    [
        (INFO, "_f0010-0023"),
        (TIMED, "_f0010-0023_tc01-00-00-10"),
        (replace(TIMED, timecode="00:00:59;20", rate=Fraction(30000, 1001)), "_f0010-0023_tc00-01-00-02"),
        (replace(TIMED, first_number=1001), "_f1011-1024_tc01-00-00-10"),
    ],
)
def test_a_shots_file_says_its_frames_and_its_timecode(info: VideoInfo, expected: str) -> None:
    assert where(10, 24, info) == expected
