"""What a command that harmonizes clips is asked for: each argument is declared once, and commands name theirs."""

import inspect
from collections.abc import Callable, Collection
from functools import wraps
from typing import TYPE_CHECKING, Any, NamedTuple

from chromacord.cli import options, output_options, values
from chromacord.cli.batch.clips import Clip, plan_clips
from chromacord.cli.batch.one_clip import harmonize_one
from chromacord.cli.screen.choice import choose_display
from chromacord.cli.screen.exits import job

if TYPE_CHECKING:
    from chromacord.job.options import Options


class _Parameter(NamedTuple):
    """An argument or an option as typer declares it."""

    kind: Any
    default: Any = None


ALL = {
    "composite": _Parameter(options.Composite),
    "output": _Parameter(output_options.Output, inspect.Parameter.empty),
    "mask": _Parameter(options.Mask),
    "foreground": _Parameter(options.Foreground),
    "alpha": _Parameter(options.Matte),
    "background": _Parameter(options.Background),
    "method": _Parameter(options.Method),
    "weights": _Parameter(options.Weights),
    "input_space": _Parameter(options.InputSpace),
    "foreground_space": _Parameter(options.ForegroundSpace),
    "background_space": _Parameter(options.BackgroundSpace),
    "working_space": _Parameter(options.WorkingSpace),
    "config": _Parameter(options.Config),
    "strength": _Parameter(options.Strength, 1.0),
    "exposure": _Parameter(options.Exposure, 0.0),
    "temperature": _Parameter(options.Temperature, 0.0),
    "tint": _Parameter(options.Tint, 0.0),
    "contrast": _Parameter(options.Contrast, 1.0),
    "saturation": _Parameter(options.Saturation, 1.0),
    "black": _Parameter(options.Black, 0.0),
    "protect": _Parameter(options.Protect),
    "reference": _Parameter(options.Reference),
    "consistency": _Parameter(options.Consistency),
    "grade_out": _Parameter(output_options.GradeOut),
    "grade_in": _Parameter(options.GradeIn),
    "lut_out": _Parameter(output_options.LutOut),
    "cuts": _Parameter(options.Cuts),
    "codec": _Parameter(output_options.Codec),
    "crf": _Parameter(output_options.Crf),
    "preset": _Parameter(output_options.Preset),
    "preview": _Parameter(output_options.Preview),
    "foreground_out": _Parameter(options.ForegroundOut),
    "foreground_alpha": _Parameter(options.ForegroundAlpha),
    "frames": _Parameter(options.Frames),
    "mask_fit": _Parameter(options.MaskFit, False),
    "missing": _Parameter(options.Missing, "error"),
    "salvage": _Parameter(options.Salvage, False),
    "layer": _Parameter(options.Layer),
    "force": _Parameter(output_options.Force, False),
    "skip_existing": _Parameter(output_options.SkipExisting, False),
    "jobs": _Parameter(output_options.Jobs, 0),
    "device": _Parameter(output_options.Device, "cpu"),
    "log_json": _Parameter(output_options.LogJson, False),
    "quiet": _Parameter(output_options.Quiet, False),
}
"""Every argument and option, in the order of the help."""

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
"""Those that are fields of `Clip`, beside composite and foreground."""

COLOUR = ("input_space", "foreground_space", "background_space", "working_space", "config")
BY_HAND = ("exposure", "temperature", "tint", "contrast", "saturation", "black", "protect", "strength")
SAME = (
    *COLOUR,
    *BY_HAND,
    "foreground_alpha",
    "consistency",
    "mask_fit",
    "missing",
    "salvage",
    "layer",
    "force",
    "device",
)
"""Those that are fields of `chromacord.job.options.Options`, with the same values."""

METHOD = ("method", "weights")
ENCODING = ("codec", "crf", "preset")

Given = dict[str, Any]
"""What was given, by the names of parameters."""


def takes(
    *leading: inspect.Parameter, without: Collection[str] = (), **others: Any
) -> Callable[[Callable[[Given], Given]], Callable[..., None]]:
    """Make a command of a function that reads what this command alone takes.

    Args:
        leading: arguments of the command's own.
        without: keys of `ALL` that the command does not take.
        others: other declarations for some of them.

    Returns:
        A decorator. The function is given the values of all parameters, and returns them with fields of `Clip` in place
        of the command's own.
    """
    taken = {name: each for name, each in ALL.items() if name not in without}
    taken |= {name: taken[name]._replace(kind=kind) for name, kind in others.items()}
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
            display = choose_display(log_json=given["log_json"], quiet=given["quiet"])
            with job(display, stopped=_kept_after_stop(given)):
                how, clips = _options(given), _clips(read(given))
                if len(clips) == 1:
                    harmonize_one(clips[0], how, skip_existing=given["skip_existing"], display=display)
                    return
                from chromacord.cli.batch.batch import harmonize_clips

                harmonize_clips(clips, how, skip_existing=given["skip_existing"], jobs=given["jobs"], display=display)

        command.__signature__ = inspect.Signature(declared)  # type: ignore[attr-defined]
        command.__annotations__ = {each.name: each.annotation for each in declared}
        return command

    return decorate


def _kept_after_stop(given: Given) -> str | None:
    """Return what a run that is stopped keeps, in words."""
    is_batch = max(len(given["composite"] or ()), len(given["foreground"] or ())) > 1
    return "the clips that were complete are kept" if is_batch else None


def _options(given: Given) -> "Options":
    """Return what is done with every clip."""
    from chromacord.job.options import Options
    from chromacord.methods import DEFAULT_METHOD, with_weights
    from chromacord.types import Encoding

    same = {name: given[name] for name in SAME if name in given}
    encoding = Encoding(**{name: given[name] for name in ENCODING if name in given})
    method, weights = given.get("method") or DEFAULT_METHOD, given.get("weights")
    method = method if weights is None else with_weights(method, weights)
    return Options(**same, method=method, frames=values.parse_frames(given["frames"]), encoding=encoding)


def _clips(given: Given) -> list[Clip]:
    """Return the clips, with the files of each."""
    others = {name: given[name] for name in FILES if name in given}
    return plan_clips(given["composite"] or (), given["foreground"] or (), others)
