"""Harmonize a single clip in this process."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from chromacord.cli.batch import resuming
from chromacord.cli.batch.clips import Clip
from chromacord.cli.batch.existing import is_done
from chromacord.cli.screen.display import Display
from chromacord.cli.screen.summary_text import summary_line, summary_values
from chromacord.errors import one_line

if TYPE_CHECKING:
    from chromacord.job.options import Options
    from chromacord.job.summary import Summary
    from chromacord.types import Progress


def harmonize_one(clip: Clip, options: "Options", *, skip_existing: bool, display: Display) -> None:
    """Harmonize a clip, or decide its grade, and show progress and result.

    Args:
        clip: its files.
        options: how to harmonize it.
        skip_existing: skip the clip if all its outputs exist.
        display: shows progress and result.
    """
    how = clip.options or options
    is_current = clip.resume and resuming.is_current(clip, how)
    if is_current or (skip_existing and is_done(clip, how)):
        values = {"outputs": list(clip.outputs.values()), "left_out": True}
        display.summary(f"{one_line(clip.written)}: skipped, it {'is up to date' if is_current else 'exists'}", values)
        return
    summary = harmonize_clip(clip, options, progress=display.progress)
    display.summary(summary_line(summary), summary_values(summary))


def harmonize_clip(clip: Clip, options: "Options", *, progress: Callable[["Progress"], object]) -> "Summary":
    """Harmonize a clip, or decide its grade. See `chromacord.harmonize_video`."""
    from chromacord.api import harmonize_video
    from chromacord.io.memory import share_freed_memory
    from chromacord.job.threads import single_threaded

    share_freed_memory()
    with single_threaded():
        how = clip.options or options
        named: dict[str, Any] = clip.files
        summary = harmonize_video(**named, options=resuming.allowed(clip, how), progress=progress)
    if clip.resume:
        resuming.write_record(clip, how)
    return summary
