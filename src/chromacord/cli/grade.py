"""`chromacord grade`: decides what `harmonize` would render, and writes that alone."""

from pathlib import Path
from typing import Annotated

from typer import Option

from chromacord.cli import options, output_options, values
from chromacord.cli.batch.clips import Settings, plan_clips, refuse_empty
from chromacord.cli.harmonize import harmonize_all, kept_after_stop
from chromacord.cli.help import OUTPUT
from chromacord.cli.screen.display import choose_display
from chromacord.cli.screen.exits import job
from chromacord.errors import InputError, one_of

_GRADE_SUFFIX = ".json"

Output = Annotated[
    str,
    Option(
        "--output",
        "-o",
        metavar="FILE",
        help="Grade to write; the extension sets the format: .json, or a LUT or CDL for each shot (.cube, .clf, .ctf, "
        ".3dl, .csp, .cc, .ccc, .cdl).",
        rich_help_panel=OUTPUT,
    ),
]


def grade(
    composite: options.Composite = None,
    *,
    output: Output,
    mask: options.Mask = None,
    foreground: options.Foreground = None,
    alpha: options.Matte = None,
    background: options.Background = None,
    method: options.Method = None,
    weights: options.Weights = None,
    strength: options.Strength = 1.0,
    consistency: options.Consistency = None,
    cuts: options.Cuts = None,
    frames: options.Frames = None,
    mask_fit: options.MaskFit = False,
    missing: options.Missing = "error",
    salvage: options.Salvage = False,
    layer: options.Layer = None,
    force: output_options.Force = False,
    skip_existing: output_options.SkipExisting = False,
    jobs: output_options.Jobs = 0,
    device: output_options.Device = "cpu",
    log_json: output_options.LogJson = False,
    quiet: output_options.Quiet = False,
) -> None:
    """Decide the grade of clips and write it, as JSON, LUTs or CDLs, without rendering."""
    display = choose_display(log_json=log_json, quiet=quiet)
    with job(display, stopped=kept_after_stop(composite, foreground)):
        settings = Settings(
            method=method,
            weights=weights,
            strength=strength,
            consistency=consistency,
            frames=values.parse_frames(frames),
            mask_fit=mask_fit,
            missing=missing,
            salvage=salvage,
            layer=layer,
            force=force,
            skip_existing=skip_existing,
            device=device,
        )
        others = {"mask": mask, "alpha": alpha, "background": background, "cuts": cuts}
        others[_field(output)] = output
        harmonize_all(plan_clips(composite or (), foreground or (), others), settings, jobs=jobs, display=display)


def _field(output: str) -> str:
    """Return which of a clip's outputs a path is for.

    Raises:
        InputError: it is empty, or its ending is not known.
    """
    from chromacord.grade.exports import EXPORT_FORMATS

    refuse_empty([("--output", output)])
    suffix = Path(output).suffix.lower()
    if suffix != _GRADE_SUFFIX and suffix not in EXPORT_FORMATS:
        known = one_of(suffix, (_GRADE_SUFFIX, *EXPORT_FORMATS))
        raise InputError(f"{output}: no grade format has the extension {suffix!r}; {known}")
    return "grade_out" if suffix == _GRADE_SUFFIX else "lut_out"
