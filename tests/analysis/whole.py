"""A whole clip on one time line."""

from collections.abc import Iterable, Sequence
from typing import Any

from chromacord.analysis.observe import observe
from chromacord.analysis.timeline import Timeline
from chromacord.grade.keys import Consistency, Grade
from chromacord.masks.masks import MaskedFrame
from chromacord.methods.base import Method
from chromacord.types import VideoInfo


def analyse(
    frames: Iterable[MaskedFrame],
    info: VideoInfo,
    method: Method,
    *,
    consistency: Consistency = "smooth",
    cuts: Sequence[int] | None = None,
    **others: Any,
) -> tuple[Grade, Timeline]:
    """Decide the grade of a clip, and return it with the time line that decided it."""
    timeline = Timeline(method, rate=info.rate, consistency=consistency, **others)
    for _ in timeline.decide(observe(frames, info, method, consistency=consistency, cuts=cuts)):
        pass
    return timeline.grade, timeline
