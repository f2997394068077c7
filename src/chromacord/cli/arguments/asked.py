"""Build commands that harmonize clips from shared argument declarations."""

import inspect
from collections.abc import Callable, Collection
from functools import wraps
from typing import TYPE_CHECKING, Any

from chromacord.cli.arguments import values
from chromacord.cli.arguments.declared import ALL
from chromacord.cli.batch.clips import Clip
from chromacord.cli.batch.one_clip import harmonize_one
from chromacord.cli.clip_lists.found import make_folders
from chromacord.cli.clip_lists.planning import is_expanded, plan
from chromacord.cli.screen.choice import choose_display
from chromacord.cli.screen.display import Display
from chromacord.cli.screen.exits import job
from chromacord.cli.screen.pipes import STDOUT, check_standard_output, without_pipes

if TYPE_CHECKING:
    from chromacord.job.options import Options

COLOUR = ("input_space", "foreground_space", "background_space", "working_space", "config")
BY_HAND = ("exposure", "temperature", "tint", "contrast", "saturation", "black", "protect", "strength", "by_shot")
FINISH = (
    "edge",
    "fit_edge",
    "decontaminate",
    "despill",
    "contact_shadow",
    "wrap",
    "match_sharpness",
    "sharpen",
    "match_grain",
)
SAME = (
    *COLOUR,
    *BY_HAND,
    *FINISH,
    "lock",
    "match",
    "foreground_alpha",
    "consistency",
    "chunk",
    "mask_fit",
    "missing",
    "salvage",
    "layer",
    "force",
    "device",
)
"""Parameters that become fields of `chromacord.job.options.Options`, unchanged."""

METHOD = ("method", "weights")
ENCODING = ("codec", "crf", "preset", "exr_compression")

Given = dict[str, Any]
"""Values by parameter name."""


def takes(
    *leading: inspect.Parameter, without: Collection[str] = (), optional: Collection[str] = (), **others: Any
) -> Callable[[Callable[[Given], Given]], Callable[..., None]]:
    """Decorate a function as a command that harmonizes clips.

    Args:
        leading: the command's own leading arguments.
        without: keys of `ALL` that the command does not accept.
        optional: keys of `ALL` that other commands need, and this one does not.
        others: replacement declarations for some of them.

    Returns:
        A decorator. The function receives all parameter values, and returns them with the command's own replaced by
        fields of `Clip` and `Options`.
    """
    taken = {name: each for name, each in ALL.items() if name not in without}
    taken |= {name: taken[name]._replace(kind=kind) for name, kind in others.items()}
    taken |= {name: taken[name]._replace(default=None) for name in optional}
    declared = [
        *leading,
        *(
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=each.default, annotation=each.kind)
            for name, each in taken.items()
        ),
    ]

    def decorate(read: Callable[[Given], Given]) -> Callable[..., None]:
        @wraps(read)
        def command(**given: Any) -> None:
            is_piped = given["output"] == STDOUT
            display = choose_display(log_json=given["log_json"], quiet=given["quiet"], to_stderr=is_piped)
            with job(display, stopped=_kept_after_stop(given)):
                if is_piped:
                    check_standard_output(log_json=given["log_json"])
                given = read(given)
                how, clips = _options(given), plan(given, _options)
                if given["engine"] == "ray":
                    _on_cluster(clips, how, given, display)
                    return
                if len(clips) == 1:
                    if is_expanded(given):
                        make_folders(list(clips[0].outputs.values()))
                    with without_pipes(clips[0]) as clip:
                        harmonize_one(clip, how, skip_existing=given["skip_existing"], display=display)
                    return
                from chromacord.cli.batch.batch import harmonize_clips

                harmonize_clips(clips, how, skip_existing=given["skip_existing"], jobs=given["jobs"], display=display)

        command.__signature__ = inspect.Signature(declared)  # type: ignore[attr-defined]
        command.__annotations__ = {each.name: each.annotation for each in declared}
        return command

    return decorate


def _on_cluster(clips: list[Clip], how: "Options", given: Given, display: Display) -> None:
    from chromacord.cli.batch.on_cluster import Cluster, harmonize_on_cluster

    cluster = Cluster(given["address"], given["chunk_frames"], given["retries"])
    harmonize_on_cluster(clips, how, cluster, skip_existing=given["skip_existing"], display=display)


def _kept_after_stop(given: Given) -> str | None:
    """Describe what an interrupted run keeps."""
    is_batch = max(len(given["composite"] or ()), len(given["foreground"] or ())) > 1
    return "the clips that were complete are kept" if is_batch else None


def _options(given: Given) -> "Options":
    """Return the options common to all clips."""
    from chromacord.job.options import Options
    from chromacord.methods import DEFAULT_METHOD, with_weights
    from chromacord.types import Encoding

    same = {name: given[name] for name in SAME if name in given}
    encoding = Encoding(**{name: given[name] for name in ENCODING if name in given})
    method, weights = given.get("method") or DEFAULT_METHOD, given.get("weights")
    method = method if weights is None else with_weights(method, weights)
    return Options(**same, method=method, frames=values.parse_frames(given["frames"]), encoding=encoding)
