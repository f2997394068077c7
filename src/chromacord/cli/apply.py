"""`chromacord apply`: renders a grade that was written before, as `harmonize --grade-in` does."""

from typing import Annotated

from typer import Argument

from chromacord.cli import options
from chromacord.cli.batch.clips import Settings, plan_clips, refuse_empty
from chromacord.cli.harmonize import harmonize_all, kept_after_stop
from chromacord.cli.screen.display import choose_display
from chromacord.cli.screen.exits import job

GradeFile = Annotated[
    str, Argument(metavar="GRADE", help="Grade that `chromacord grade` or --grade-out wrote, edited or not.")
]


def apply(
    grade: GradeFile,
    composite: options.Composite = None,
    *,
    output: options.Output,
    mask: options.Mask = None,
    foreground: options.Foreground = None,
    alpha: options.Matte = None,
    background: options.Background = None,
    strength: options.Strength = 1.0,
    codec: options.Codec = None,
    crf: options.Crf = None,
    preset: options.Preset = None,
    preview: options.Preview = None,
    frames: options.Frames = None,
    mask_fit: options.MaskFit = False,
    missing: options.Missing = "error",
    salvage: options.Salvage = False,
    layer: options.Layer = None,
    force: options.Force = False,
    skip_existing: options.SkipExisting = False,
    jobs: options.Jobs = 0,
    device: options.Device = "cpu",
    log_json: options.LogJson = False,
    quiet: options.Quiet = False,
) -> None:
    """Render GRADE on clips: the same as `chromacord harmonize --grade-in GRADE`."""
    display = choose_display(log_json=log_json, quiet=quiet)
    with job(display, stopped=kept_after_stop(composite, foreground)):
        refuse_empty([("GRADE", grade)])
        settings = Settings(
            strength=strength,
            frames=options.parse_frames(frames),
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
