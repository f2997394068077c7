"""`chromacord harmonize`: a composite and a mask, or layers, go in; a harmonized clip comes out."""

from typing import TYPE_CHECKING

from chromacord.cli import options
from chromacord.cli.display import Values, choose_display
from chromacord.cli.job import job

if TYPE_CHECKING:
    from chromacord.pipeline.job import Summary


def harmonize(
    composite: options.Composite = None,
    *,
    output: options.Output,
    mask: options.Mask = None,
    foreground: options.Foreground = None,
    alpha: options.Matte = None,
    background: options.Background = None,
    method: options.Method = None,
    weights: options.Weights = None,
    strength: options.Strength = 1.0,
    consistency: options.Consistency = None,
    grade_out: options.GradeOut = None,
    grade_in: options.GradeIn = None,
    lut_out: options.LutOut = None,
    codec: options.Codec = None,
    crf: options.Crf = None,
    preset: options.Preset = None,
    preview: options.Preview = None,
    frames: options.Frames = None,
    mask_fit: options.MaskFit = False,
    missing: options.Missing = "error",
    salvage: options.Salvage = False,
    force: options.Force = False,
    device: options.Device = "cpu",
    log_json: options.LogJson = False,
    quiet: options.Quiet = False,
) -> None:
    """Harmonize a clip: COMPOSITE with --mask, or --foreground over --background."""
    display = choose_display(log_json=log_json, quiet=quiet)
    with job(display):
        span = options.parse_frames(frames)
        from chromacord.io.base import Encoding
        from chromacord.methods import DEFAULT_METHOD, with_weights
        from chromacord.pipeline.video import harmonize_video

        named = method or DEFAULT_METHOD
        summary = harmonize_video(
            composite,
            output=output,
            mask=mask,
            foreground=foreground,
            alpha=alpha,
            background=background,
            method=named if weights is None else with_weights(named, weights),
            strength=strength,
            consistency=consistency,
            grade_out=grade_out,
            grade_in=grade_in,
            lut_out=lut_out,
            preview=preview,
            frames=span,
            encoding=Encoding(codec=codec, crf=crf, preset=preset),
            mask_fit=mask_fit,
            missing=missing,
            salvage=salvage,
            force=force,
            device=device,
            progress=display.progress,
        )
        display.summary(summary_line(summary), summary_values(summary))


def summary_line(summary: "Summary") -> str:
    """Return what a run did, as one line for people."""
    outputs = ", ".join(str(path) for path in summary.outputs)
    shots = "1 shot" if summary.num_shots == 1 else f"{summary.num_shots} shots"
    rate = summary.num_frames / max(summary.seconds, 1e-9)
    line = f"{outputs}: {summary.num_frames} frames, {shots}, {summary.method}, "
    line += f"{summary.seconds:.1f} s ({rate:.1f} frames a second)"
    if summary.confidence is not None:
        line += f", confidence {summary.confidence:.2f}"
    if summary.num_empty or summary.num_full:
        line += f"; passed through: {summary.num_empty} with an empty mask, {summary.num_full} with a full one"
    return line


def summary_values(summary: "Summary") -> Values:
    """Return what a run did, for JSON."""
    return {
        "outputs": [str(path) for path in summary.outputs],
        "frames": summary.num_frames,
        "frames_with_empty_mask": summary.num_empty,
        "frames_with_full_mask": summary.num_full,
        "shots": summary.num_shots,
        "frames_analysed": summary.num_analysed,
        "method": summary.method,
        "confidence": None if summary.confidence is None else round(summary.confidence, 4),
        "seconds": round(summary.seconds, 3),
        "cpu_seconds": round(summary.cpu_seconds, 3),
    }
