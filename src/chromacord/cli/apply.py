"""`chromacord apply`: renders a grade that was written before, as `harmonize --grade-in` does."""

from typing import Annotated

from typer import Argument

from chromacord.cli import options, output_options, values
from chromacord.cli.batch.clips import Settings, plan_clips, refuse_empty
from chromacord.cli.harmonize import harmonize_all, kept_after_stop
from chromacord.cli.help import INPUT
from chromacord.cli.screen.display import choose_display
from chromacord.cli.screen.exits import job

GradeFile = Annotated[
    str,
    Argument(
        metavar="GRADE",
        help="Grade written by `chromacord grade` or --grade-out, edited or not; or a LUT or CDL from any tool "
        "(.cube, .clf, .ctf, .3dl, .csp, .cc, .ccc, .cdl).",
        rich_help_panel=INPUT,
    ),
]


def apply(
    grade: GradeFile,
    composite: options.Composite = None,
    *,
    output: output_options.Output,
    mask: options.Mask = None,
    foreground: options.Foreground = None,
    alpha: options.Matte = None,
    background: options.Background = None,
    strength: options.Strength = 1.0,
    codec: output_options.Codec = None,
    crf: output_options.Crf = None,
    preset: output_options.Preset = None,
    preview: output_options.Preview = None,
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
    """Render GRADE on clips: the same as `chromacord harmonize --grade-in GRADE`."""
    display = choose_display(log_json=log_json, quiet=quiet)
    with job(display, stopped=kept_after_stop(composite, foreground)):
        refuse_empty([("GRADE", grade)])
        settings = Settings(
            strength=strength,
            frames=values.parse_frames(frames),
            codec=codec,
            crf=crf,
            preset=preset,
            mask_fit=mask_fit,
            missing=missing,
            salvage=salvage,
            layer=layer,
            force=force,
            skip_existing=skip_existing,
            device=device,
        )
        others = {"output": output, "mask": mask, "alpha": alpha, "background": background, "grade_in": grade}
        others |= {"preview": preview}
        harmonize_all(plan_clips(composite or (), foreground or (), others), settings, jobs=jobs, display=display)
