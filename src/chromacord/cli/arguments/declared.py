"""All arguments and options of the commands that harmonize clips."""

import inspect
from typing import Any, NamedTuple

from chromacord.cli import options
from chromacord.cli.arguments import colour_options, engine_options, finish_options, output_options


class _Parameter(NamedTuple):
    """An argument or an option as declared for typer."""

    kind: Any
    default: Any = None


ALL = {
    "composite": _Parameter(options.Composite),
    "manifest": _Parameter(engine_options.Manifest),
    "output": _Parameter(output_options.Output, inspect.Parameter.empty),
    "mask": _Parameter(options.Mask),
    "foreground": _Parameter(options.Foreground),
    "alpha": _Parameter(options.Matte),
    "background": _Parameter(options.Background),
    "method": _Parameter(options.Method),
    "weights": _Parameter(options.Weights),
    "input_space": _Parameter(colour_options.InputSpace),
    "foreground_space": _Parameter(colour_options.ForegroundSpace),
    "background_space": _Parameter(colour_options.BackgroundSpace),
    "working_space": _Parameter(colour_options.WorkingSpace),
    "config": _Parameter(colour_options.Config),
    "strength": _Parameter(colour_options.Strength, 1.0),
    "exposure": _Parameter(colour_options.Exposure, 0.0),
    "temperature": _Parameter(colour_options.Temperature, 0.0),
    "tint": _Parameter(colour_options.Tint, 0.0),
    "contrast": _Parameter(colour_options.Contrast, 1.0),
    "saturation": _Parameter(colour_options.Saturation, 1.0),
    "black": _Parameter(colour_options.Black, 0.0),
    "protect": _Parameter(colour_options.Protect),
    "by_shot": _Parameter(colour_options.ByShot),
    "lock": _Parameter(colour_options.Lock, False),
    "match": _Parameter(colour_options.Match),
    "reference": _Parameter(colour_options.Reference),
    "edge": _Parameter(finish_options.Edge),
    "fit_edge": _Parameter(finish_options.FitEdge),
    "decontaminate": _Parameter(finish_options.Decontaminate, False),
    "despill": _Parameter(finish_options.Despill),
    "contact_shadow": _Parameter(finish_options.ContactShadow),
    "wrap": _Parameter(finish_options.Wrap),
    "match_sharpness": _Parameter(finish_options.MatchSharpness, False),
    "sharpen": _Parameter(finish_options.Sharpen, False),
    "match_grain": _Parameter(finish_options.MatchGrain, False),
    "consistency": _Parameter(options.Consistency),
    "grade_out": _Parameter(output_options.GradeOut),
    "grade_in": _Parameter(options.GradeIn),
    "lut_out": _Parameter(output_options.LutOut),
    "cuts": _Parameter(options.Cuts),
    "codec": _Parameter(output_options.Codec),
    "crf": _Parameter(output_options.Crf),
    "preset": _Parameter(output_options.Preset),
    "exr_compression": _Parameter(output_options.ExrCompression),
    "preview": _Parameter(output_options.Preview),
    "foreground_out": _Parameter(colour_options.ForegroundOut),
    "foreground_alpha": _Parameter(colour_options.ForegroundAlpha),
    "frames": _Parameter(options.Frames),
    "chunk": _Parameter(engine_options.Chunk),
    "mask_fit": _Parameter(options.MaskFit, False),
    "missing": _Parameter(options.Missing, "error"),
    "salvage": _Parameter(options.Salvage, False),
    "layer": _Parameter(options.Layer),
    "force": _Parameter(output_options.Force, False),
    "skip_existing": _Parameter(output_options.SkipExisting, False),
    "resume": _Parameter(output_options.Resume, False),
    "jobs": _Parameter(output_options.Jobs, 0),
    "engine": _Parameter(engine_options.Engine, "local"),
    "address": _Parameter(engine_options.Address),
    "chunk_frames": _Parameter(engine_options.ChunkFrames, 240),
    "retries": _Parameter(engine_options.Retries, 3),
    "device": _Parameter(output_options.Device, "cpu"),
    "log_json": _Parameter(output_options.LogJson, False),
    "quiet": _Parameter(output_options.Quiet, False),
}
"""All arguments and options, in the order of the help."""
