"""Harmonize a single clip in this process."""

from collections.abc import Callable
from typing import TYPE_CHECKING

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
    if skip_existing and is_done(clip, options):
        values = {"outputs": list(clip.outputs.values()), "left_out": True}
        display.summary(f"{one_line(clip.written)}: skipped, it exists", values)
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
        return harmonize_video(**vars(clip), options=options, progress=progress)
