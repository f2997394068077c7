"""Put the harmonized clip into the timeline that chromacord wrote, beside the composite, with the grade as metadata."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import opentimelineio as otio

HARMONIZED = "harmonized"
"""Key of the harmonized clip among a shot's media; DEFAULT_MEDIA stays the composite."""


def add_harmonized(timeline: Any, rendered: Path, grade: dict[str, Any] | None = None) -> int:
    """Give every shot of a timeline the harmonized clip as its active media.

    Args:
        timeline: an `otio.schema.Timeline` by chromacord, changed in place.
        rendered: the harmonized clip, which has the composite's frames and timecode.
        grade: content of a grade file; each shot gets its part as metadata.

    Returns:
        The number of shots.

    Raises:
        ValueError: the timeline is not by chromacord, or the grade has other shots.
    """
    clips = [clip for clip in timeline.find_clips() if "cdl" in clip.metadata]
    if not clips:
        raise ValueError("the timeline holds no shots with a CDL; write it with --lut-out NAME.otio")
    shots = [None] * len(clips) if grade is None else [shot for shot in grade["shots"] if shot["keys"]]
    if len(shots) != len(clips):
        raise ValueError(f"the grade has {len(shots)} shots, the timeline {len(clips)}; write both in one run")
    for clip, shot in zip(clips, shots, strict=True):
        media = clip.media_references()
        media[HARMONIZED] = otio.schema.ExternalReference(
            target_url=rendered.absolute().as_uri(), available_range=clip.media_reference.available_range
        )
        clip.set_media_references(media, HARMONIZED)
        if shot is not None:
            clip.metadata["chromacord"] = {"method": grade["method"] if grade else "", "shot": shot}
    return len(clips)


def main() -> None:
    """Read a timeline, add the clip, and write a new one."""
    parser = argparse.ArgumentParser(description="Add a harmonized clip to the timeline that chromacord wrote.")
    parser.add_argument("timeline", type=Path, help="from chromacord harmonize --lut-out NAME.otio")
    parser.add_argument("rendered", type=Path, help="the harmonized clip of the same run")
    parser.add_argument("-o", "--output", type=Path, required=True, help="any format that OpenTimelineIO writes")
    parser.add_argument("--grade", type=Path, help="from --grade-out of the same run")
    given = parser.parse_args()
    try:
        if not given.rendered.exists():
            raise ValueError(f"{given.rendered}: no such file")
        if given.output.exists():
            raise ValueError(f"{given.output}: exists already; name another")
        timeline = otio.adapters.read_from_file(str(given.timeline))
        grade = None if given.grade is None else json.loads(given.grade.read_text(encoding="utf-8"))
        count = add_harmonized(timeline, given.rendered, grade)
        otio.adapters.write_to_file(timeline, str(given.output))
    except (ValueError, OSError, otio.exceptions.OTIOError) as error:
        print(f"error: {str(error).splitlines()[0]}", file=sys.stderr)
        raise SystemExit(2) from None
    print(f"{given.output}: {count} {'shot' if count == 1 else 'shots'}")


if __name__ == "__main__":
    main()
