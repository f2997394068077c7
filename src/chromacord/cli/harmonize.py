"""`chromacord harmonize`: a composite and a mask, or layers, go in; a harmonized clip comes out."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from chromacord.cli import options, output_options, values
from chromacord.cli.batch.clips import Clip, Settings, plan_clips
from chromacord.cli.batch.existing import is_done
from chromacord.cli.screen.display import Display, choose_display
from chromacord.cli.screen.exits import job
from chromacord.cli.screen.summary_text import summary_line, summary_values
from chromacord.errors import one_line

if TYPE_CHECKING:
    from chromacord.job.summary import Summary
    from chromacord.types import Progress


def harmonize(
    composite: options.Composite = None,
    *,
    output: output_options.Output,
    mask: options.Mask = None,
    foreground: options.Foreground = None,
    alpha: options.Matte = None,
    background: options.Background = None,
    method: options.Method = None,
    weights: options.Weights = None,
    strength: options.Strength = 1.0,
    consistency: options.Consistency = None,
    grade_out: output_options.GradeOut = None,
    grade_in: options.GradeIn = None,
    lut_out: output_options.LutOut = None,
    cuts: options.Cuts = None,
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
    """Harmonize clips: COMPOSITE with --mask, or --foreground over --background."""
    display = choose_display(log_json=log_json, quiet=quiet)
    with job(display, stopped=kept_after_stop(composite, foreground)):
        settings = Settings(
            method=method,
            weights=weights,
            strength=strength,
            consistency=consistency,
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
        others = {"output": output, "mask": mask, "alpha": alpha, "background": background, "grade_in": grade_in}
        others |= {"grade_out": grade_out, "lut_out": lut_out, "preview": preview, "cuts": cuts}
        harmonize_all(plan_clips(composite or (), foreground or (), others), settings, jobs=jobs, display=display)


def kept_after_stop(composite: Sequence[str] | None, foreground: Sequence[str] | None) -> str | None:
    """Return what a run that is stopped keeps, in words."""
    is_batch = max(len(composite or ()), len(foreground or ())) > 1
    return "the clips that were complete are kept" if is_batch else None


def harmonize_all(clips: Sequence[Clip], settings: Settings, *, jobs: int, display: Display) -> None:
    """Harmonize clips, or decide their grades: one in this process, several in processes of their own."""
    if len(clips) > 1:
        from chromacord.cli.batch.batch import harmonize_clips

        harmonize_clips(clips, settings, jobs=jobs, display=display)
        return
    (clip,) = clips
    if settings.skip_existing and is_done(clip, settings):
        display.summary(
            f"{one_line(clip.written)}: left out, it is there",
            {"outputs": list(clip.outputs.values()), "left_out": True},
        )
        return
    summary = harmonize_clip(clip, settings, progress=display.progress)
    display.summary(summary_line(summary), summary_values(summary))


def harmonize_clip(clip: Clip, settings: Settings, *, progress: Callable[["Progress"], object]) -> "Summary":
    """Harmonize one clip in this process. See `chromacord.harmonize_video`."""
    from chromacord.api import harmonize_video
    from chromacord.io.interfaces import Encoding
    from chromacord.io.memory import share_freed_memory

    share_freed_memory()
    return harmonize_video(
        **vars(clip),
        method=method_name(settings),
        strength=settings.strength,
        consistency=settings.consistency,
        frames=settings.frames,
        encoding=Encoding(codec=settings.codec, crf=settings.crf, preset=settings.preset),
        mask_fit=settings.mask_fit,
        missing=settings.missing,
        salvage=settings.salvage,
        layer=settings.layer,
        force=settings.force,
        device=settings.device,
        progress=progress,
    )


def method_name(settings: Settings) -> str:
    """Return the name of the method, with its weights as an option where they were named."""
    from chromacord.methods import DEFAULT_METHOD, with_weights

    named = settings.method or DEFAULT_METHOD
    return named if settings.weights is None else with_weights(named, settings.weights)
