"""Turn command-line values into clips: from named files, globs, folders, or the rows of a manifest."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chromacord.cli.batch.clips import NAMES, OUTPUTS, Clip, plan_clips, refuse_empty
from chromacord.cli.clip_lists.found import Found, find_clips, mirrored
from chromacord.errors import ChromacordError, InputError

if TYPE_CHECKING:
    from chromacord.job.options import Options

FILES = (
    "output",
    "mask",
    "alpha",
    "background",
    "grade_out",
    "grade_in",
    "lut_out",
    "preview",
    "foreground_out",
    "reference",
    "cuts",
)
"""Parameters that become fields of `Clip`, besides composite and foreground."""

Given = dict[str, Any]
"""Values by parameter name."""


def plan(given: Given, options_of: "Callable[[Given], Options]") -> list[Clip]:
    """Return the clips with their files.

    Args:
        given: values of the command line.
        options_of: makes options of values; called for each row of a manifest.

    Raises:
        ChromacordError: paths or a manifest cannot be used.
    """
    clips = _clips(given) if given["manifest"] is None else _of_manifest(given, options_of)
    return [replace(clip, resume=given["resume"]) for clip in clips]


def is_expanded(given: Given) -> bool:
    """Whether clips come from a manifest, a folder or a glob, or name their outputs; output folders are then created.

    A glob that the shell expanded may have matched only one clip.
    """
    named = [*(given["composite"] or ()), *(given["foreground"] or ())]
    outputs = [str(given[name]) for name in OUTPUTS if given.get(name) is not None]
    has_names = any(f"{{{name}}}" in output for output in outputs for name in NAMES)
    return given["manifest"] is not None or has_names or [each.path for each in _found(named)] != named


def _found(named: list[str]) -> list[Found]:
    return [Found(path) if not path else each for path in named for each in find_clips([path])]


def _clips(given: Given) -> list[Clip]:
    others = {name: given[name] for name in FILES if name in given}
    composites, foregrounds = (_found(list(given[name] or ())) for name in ("composite", "foreground"))
    if not any(each.root for each in (*composites, *foregrounds)):
        return plan_clips([each.path for each in composites], [each.path for each in foregrounds], others)
    if composites and foregrounds:
        raise InputError(f"{foregrounds[0].path}: give either composites with --mask, or --foreground, not both")
    clips: list[Clip] = []
    for each in composites:
        clips += plan_clips([each.path], [], mirrored(each, others))
    for each in foregrounds:
        clips += plan_clips([], [each.path], mirrored(each, others))
    return clips


def _of_manifest(given: Given, options_of: "Callable[[Given], Options]") -> list[Clip]:
    from chromacord.cli.clip_lists.manifest import read_manifest

    refuse_empty([("--manifest", given["manifest"])])
    path = Path(given["manifest"])
    if given["composite"] or given["foreground"]:
        raise InputError(f"{path}: names the clips; give no others beside it")
    clips: list[Clip] = []
    for where, row in read_manifest(path, given):
        values = {**given, **row}
        if "output" in given and values["output"] is None and values.get("grade_out") is None:
            raise InputError(f"{where}: has no output; add a column 'output', or give --output with {{name}}")
        try:
            own = options_of(values)
            clips += [replace(clip, options=own) for clip in _clips(values)]
        except ChromacordError as error:
            raise InputError(f"{where}: {error}") from None
    return clips
