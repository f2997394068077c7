"""The summary line of `harmonize`, `grade` and `apply`."""

from typing import TYPE_CHECKING

from chromacord.cli.screen.display import Values
from chromacord.errors import counted, one_line

if TYPE_CHECKING:
    from chromacord.analysis.cuts import Cut
    from chromacord.job.summary import Summary

_NAMED = 5
"""Maximum number of cuts named in a line; JSON lists all."""


def summary_line(summary: "Summary") -> str:
    """Return the result of a run as one line."""
    outputs = one_line(", ".join(str(path) for path in summary.outputs))
    rate = summary.num_frames / max(summary.seconds, 1e-9)
    line = (
        f"{outputs}: {counted(summary.num_frames, 'frame')}, {counted(summary.num_shots, 'shot')}, {summary.method}, "
    )
    line += f"{summary.seconds:.1f} s ({rate:.1f} frames a second)"
    if summary.confidence is not None:
        line += f", confidence {summary.confidence:.2f}"
    if summary.cdl_residual is not None:
        change, left = summary.cdl_residual
        line += f", CDL error {left:.1f} of {change:.1f} codes of change"
    if summary.num_empty or summary.num_full:
        line += f"; passed through: {summary.num_empty} with an empty mask, {summary.num_full} with a full one"
    if summary.color_space is not None and (summary.color_space.note or summary.color_space.space is not None):
        line += f"; colours: {summary.color_space.note or summary.color_space.name}"
    return f"{line}; {_cuts_line(summary)}"


def _cuts_line(summary: "Summary") -> str:
    count = len(summary.cuts)
    if summary.cuts_are == "none":
        return "one shot, as given"
    who = {"found": "found", "given": "given", "grade": "from the grade file"}[summary.cuts_are]
    if not count:
        return f"no cut {who}"
    named = ", ".join(map(_named, summary.cuts[:_NAMED]))
    more = f" and {count - _NAMED} more" if count > _NAMED else ""
    return f"{counted(count, 'cut')} {who}: {named}{more}"


def _named(cut: "Cut") -> str:
    file = "" if cut.file_number is None else f", file {cut.file_number}"
    return f"{cut.frame} ({cut.timecode}{file})"


def summary_values(summary: "Summary") -> Values:
    """Return the result of a run for JSON."""
    left = summary.cdl_residual
    return {
        "outputs": [str(path) for path in summary.outputs],
        "frames": summary.num_frames,
        "frames_with_empty_mask": summary.num_empty,
        "frames_with_full_mask": summary.num_full,
        "shots": summary.num_shots,
        "cuts": [cut._asdict() for cut in summary.cuts],
        "cuts_are": summary.cuts_are,
        "frames_analysed": summary.num_analysed,
        "method": summary.method,
        "confidence": None if summary.confidence is None else round(summary.confidence, 4),
        "cdl_residual": left and {name: round(value, 4) for name, value in left._asdict().items()},
        "color_space": summary.color_space and summary.color_space.name,
        "color_space_is": summary.color_space and summary.color_space.known_by,
        "seconds": round(summary.seconds, 3),
        "cpu_seconds": round(summary.cpu_seconds, 3),
    }
