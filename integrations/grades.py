"""Run `chromacord grade`, and read the CDL of each shot."""

import json
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

Triple = tuple[float, float, float]


class GradeError(Exception):
    """The command failed, or its result cannot be read; the message is one line."""


class Shot(NamedTuple):
    """A shot's CDL. Frames count from the clip's first."""

    start: int
    slope: Triple
    offset: Triple
    power: Triple
    saturation: float


class Graded(NamedTuple):
    """All shots of a clip."""

    shots: tuple[Shot, ...]
    num_frames: int
    rate: float


def grade(composite: str, mask: str, *options: str, command: Sequence[str] = ("chromacord",)) -> Graded:
    """Decide the grade of a clip.

    Args:
        composite, mask: paths, as the command takes them.
        options: further options of `chromacord grade`.
        command: how to start chromacord.

    Raises:
        GradeError: the command cannot be started, or refuses its inputs.
    """
    with tempfile.TemporaryDirectory(prefix="chromacord-") as folder:
        timeline = Path(folder) / "shots.otio"
        run([*command, "grade", composite, "--mask", mask, "-o", str(timeline), "--quiet", *options])
        return read_timeline(timeline.read_text(encoding="utf-8"))


def run(command: Sequence[str]) -> None:
    """Run a command to its end.

    Raises:
        GradeError: it cannot be started, or it failed; the message is its last line.
    """
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise GradeError(f"{command[0]}: cannot be started: {error.strerror}; install chromacord first") from error
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"{command[0]} ended with code {done.returncode}"]
        raise GradeError(lines[-1].removeprefix("error: "))


def read_timeline(text: str) -> Graded:
    """Read the shots of an OpenTimelineIO file by chromacord.

    Raises:
        GradeError: it has no clip with a CDL.
    """
    try:
        timeline = json.loads(text)
        first = timeline["global_start_time"]["value"]
        # Gaps are shots without a foreground, where any grade does nothing.
        clips = [item for item in timeline["tracks"]["children"][0]["children"] if "cdl" in item["metadata"]]
        ranges = [clip["source_range"] for clip in clips]
        starts = [round(each["start_time"]["value"] - first) for each in ranges]
        shots = [_shot(start, clip["metadata"]["cdl"]) for start, clip in zip(starts, clips, strict=True)]
        num_frames = starts[-1] + round(ranges[-1]["duration"]["value"])
        return Graded(tuple(shots), num_frames, float(ranges[0]["duration"]["rate"]))
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise GradeError("the timeline holds no shots with a CDL; write it with chromacord grade -o X.otio") from error


def _shot(start: int, cdl: dict[str, object]) -> Shot:
    sop = cdl["asc_sop"]
    assert isinstance(sop, dict)
    triples = [tuple(float(value) for value in sop[name]) for name in ("slope", "offset", "power")]
    slope, offset, power = (each for each in triples if len(each) == 3)
    return Shot(start, slope, offset, power, float(str(cdl["asc_sat"])))
