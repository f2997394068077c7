"""The Python API: files or arrays in; files, arrays or a grade out."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import partial
from numbers import Rational, Real
from os import PathLike
from pathlib import Path
from typing import Any, Literal

from chromacord.analysis.cuts import Cuts, check_cuts, given_numbers
from chromacord.analysis.given_cuts import read_cuts
from chromacord.analysis.reference import read_reference
from chromacord.color.management.config import choose_config, find_space
from chromacord.color.parameters.parametric import Parametric
from chromacord.errors import InputError
from chromacord.grade.by_hand import NO_TURN, Hand, Strength, as_strength
from chromacord.grade.imports import read_any_grade
from chromacord.grade.keys import Consistency, Grade, check_consistency
from chromacord.job.arrays import Array, harmonize_arrays
from chromacord.job.chunking.chunks import in_chunk
from chromacord.job.clip import open_clip
from chromacord.job.conversion import convert_grade
from chromacord.job.job import Job
from chromacord.job.options import Options
from chromacord.job.outputs import Outputs
from chromacord.job.preview import look
from chromacord.job.summary import Summary
from chromacord.methods import DEFAULT_METHOD, load_method
from chromacord.methods.base import Method, find_device
from chromacord.parsing import shown
from chromacord.types import STDOUT, Device, Encoding, Progress

StrPath = str | PathLike[str]

_RATES = (0.01, 1_000_000)
"""Plausible frame rates: from one picture in two minutes to the fastest cameras."""


def harmonize_video(
    composite: StrPath | None = None,
    *,
    output: StrPath | None = None,
    mask: StrPath | None = None,
    foreground: StrPath | None = None,
    alpha: StrPath | None = None,
    background: StrPath | None = None,
    grade_out: StrPath | None = None,
    grade_in: StrPath | Grade | None = None,
    lut_out: StrPath | None = None,
    preview: StrPath | None = None,
    foreground_out: StrPath | None = None,
    reference: StrPath | None = None,
    cuts: Cuts | None = None,
    progress: Callable[[Progress], object] | None = None,
    options: Options | None = None,
    **changes: Any,
) -> Summary:
    """Harmonize a clip: a composite and its mask, or a foreground with alpha over a background.

    All outputs appear complete when everything has succeeded, or not at all.

    Args:
        composite: a video file, an image sequence ("shot.%04d.png", "shot.####.exr", a folder) or a still.
        output: path of the result; the suffix selects the format. Sequences are named like sequences. "-": standard
            output. None: only decide the grade, and write other requested outputs.
        mask: white for the foreground, or opaque in a cut-out; a clip like the composite, a still for all frames, or
            "alpha" for the composite's own alpha channel.
        foreground: layer to paste over `background`, instead of a composite.
        alpha: the foreground's matte, if it has no alpha channel; or "straight" or "premultiplied" to override how its
            own alpha is stored, or "auto" to detect it.
        background: clip under the foreground; the output follows its format.
        grade_out: path for the decided grade, as JSON.
        grade_in: grade to render instead of analysing: a `Grade`, a grade file, or a LUT or a CDL with a suffix in
            `LOOK_FORMATS`; `strength` weakens it further. Without a clip it is converted to `grade_out` or `lut_out`.
        lut_out: path for a LUT or a CDL per shot: a file with a suffix in `EXPORT_FORMATS`, or a folder for .cube
            files.
        preview: path for before and after side by side, as a video or a picture by the suffix.
        foreground_out: path for the graded foreground alone, with alpha: a 4444 video, a picture or a pattern.
        reference: match the foreground to the first frame of this file instead of its own background.
        cuts: first frames of shots, counted from 0 even in sequences, as numbers or text ("24,48"); the path of an edit
            decision list (CMX 3600); or "none" for one shot. None: detect them. Cuts outside `frames` are ignored.
        progress: called several times a second.
        options: see `chromacord.Options`.
        changes: single options that override those in `options`: `method="mkl", strength=0.5`.

    Raises:
        ChromacordError: an input, an option or an output is invalid; says which, where and what to do.
        TypeError: an option does not exist.
    """
    how = _checked(options, changes, progress)
    check_cuts(cuts, grade_in=grade_in)
    grade_file = None if isinstance(grade_in, Grade) else grade_in
    written = {"output": output, "grade_out": grade_out, "lut_out": lut_out, "preview": preview}
    optional = _paths(**written, foreground_out=foreground_out, grade_in=grade_file)
    matched = _paths(reference=reference)
    layers = _paths(composite=composite, mask=mask, foreground=foreground, alpha=alpha, background=background)
    has_clip = any(layers.values())
    _check_asked(optional, to_render=grade_in if has_clip else None)
    clip_out = None if output is None else os.fspath(output)
    others = optional["grade_out"], optional["lut_out"], optional["preview"]
    alone = None if foreground_out is None else os.fspath(foreground_out)
    outputs = Outputs(clip_out, *others, how.encoding or Encoding(), how.force, alone)
    decided = grade_in if isinstance(grade_in, Grade) else None
    if optional["grade_in"] is not None:
        decided = read_any_grade(optional["grade_in"])
    if clip_out is None and decided is not None:
        return _converted(decided, optional["grade_in"], outputs, how)
    clip, space = open_clip(layers, how)
    if how.chunk is not None:
        how = in_chunk(how, clip.info, decided)
    shot_cuts = read_cuts(cuts, clip.info)
    files = (optional["grade_in"], matched["reference"], None if shot_cuts is None else shot_cuts.file)
    job = Job(
        clip,
        outputs,
        how,
        grade=decided,
        grade_in=optional["grade_in"],
        cuts=shot_cuts,
        files=tuple(file for file in files if file is not None),
        progress=progress,
        space=space,
        reference=None if matched["reference"] is None else read_reference(matched["reference"], how.spaces),
    )
    summary = job.run()
    if clip_out is None or clip_out == STDOUT:
        return summary
    return replace(summary, look=partial(look, clip, summary.outputs[0], how))


def analyse(
    composite: StrPath | None = None,
    *,
    mask: StrPath | None = None,
    foreground: StrPath | None = None,
    alpha: StrPath | None = None,
    background: StrPath | None = None,
    reference: StrPath | None = None,
    cuts: Cuts | None = None,
    progress: Callable[[Progress], object] | None = None,
    options: Options | None = None,
    **changes: Any,
) -> Grade:
    """Decide the grade of a clip without writing anything.

    `render` then gives the same result as `harmonize_video`, bit for bit.

    Args:
        composite, mask, foreground, alpha, background, reference, cuts: see `harmonize_video`.
        progress: called several times a second.
        options: see `chromacord.Options`; options for encoding and rendering have no effect.
        changes: single options that override those in `options`: `method="mkl", consistency="shot"`.

    Returns:
        The grade, with the options' manual changes. Change it further with `Grade.by_hand`, or replace its parts with
        `dataclasses.replace`: it consists of frozen dataclasses.

    Raises:
        ChromacordError: an input or an option is invalid; says which, where and what to do.
        TypeError: there is no such option.
    """
    how = _checked(options, changes, progress)
    check_cuts(cuts)
    matched = _paths(reference=reference)["reference"]
    clip, space = open_clip(
        _paths(composite=composite, mask=mask, foreground=foreground, alpha=alpha, background=background), how
    )
    job = Job(
        clip,
        Outputs(None),
        how,
        cuts=read_cuts(cuts, clip.info),
        progress=progress,
        space=space,
        reference=None if matched is None else read_reference(matched, how.spaces),
    )
    return job.analyse()


def render(
    grade: Grade | StrPath,
    composite: StrPath | None = None,
    *,
    output: StrPath | None = None,
    mask: StrPath | None = None,
    foreground: StrPath | None = None,
    alpha: StrPath | None = None,
    background: StrPath | None = None,
    preview: StrPath | None = None,
    foreground_out: StrPath | None = None,
    grade_out: StrPath | None = None,
    lut_out: StrPath | None = None,
    progress: Callable[[Progress], object] | None = None,
    options: Options | None = None,
    **changes: Any,
) -> Summary:
    """Apply a grade to a clip; without a clip, write the grade to files.

    Args:
        grade: the result of `analyse`, or the path of a grade file, a LUT or a CDL.
        composite, output, mask, foreground, alpha, background, preview, foreground_out: see `harmonize_video`.
        grade_out: path for the grade, as JSON.
        lut_out: path for a LUT or a CDL per shot.
        progress: called several times a second.
        options: see `chromacord.Options`; `strength` weakens the grade further. Options for analysis have no effect.
        changes: single options that override those in `options`: `strength=0.5, saturation=1.1`.

    Raises:
        ChromacordError: an input, an option or an output is invalid; says which, where and what to do.
        TypeError: there is no such option.
    """
    if not isinstance(grade, Grade | str | os.PathLike):
        raise InputError(f"the grade is {shown(grade)}; give the result of `analyse`, or the path of a grade file")
    return harmonize_video(
        composite,
        output=output,
        mask=mask,
        foreground=foreground,
        alpha=alpha,
        background=background,
        preview=preview,
        foreground_out=foreground_out,
        grade_in=grade,
        grade_out=grade_out,
        lut_out=lut_out,
        progress=progress,
        options=options,
        **changes,
    )


def harmonize_frames(
    pairs: Iterable[tuple[Array, Array]],
    method: str | Method = DEFAULT_METHOD,
    *,
    strength: float | Strength = 1.0,
    turn: Parametric = NO_TURN,
    consistency: Consistency = "smooth",
    cuts: Sequence[int] | Literal["none"] | None = None,
    rate: Fraction | float = 25,
    device: Device = "cpu",
) -> Iterator[Array]:
    """Harmonize in-memory frames one after another.

    At most the frames within the smoothing's look-ahead are held, a little over a second, whatever the length. With
    "shot", a shot's frames are held until its end.

    Args:
        pairs: composite and mask of each frame, in order. Composites are display-referred RGB: uint8, uint16, or floats
            in [0, 1], shape (H, W, 3); masks are bool, uint8, uint16 or floats in [0, 1], shape (H, W) or (H, W, 1).
            All frames must have the same size and dtype.
        method: a name from `list_methods()`, optionally with options ("mkl:max_gain=2"), or a loaded method.
        strength: 0 returns the source, 1 is the full grade; tone and colour may differ.
        turn: manual adjustment after the grade.
        consistency: "shot": one grade per shot; "smooth": a slowly changing grade; "frame": one grade per frame.
        cuts: first frames of shots, counted from 0; "none" for one shot; None: detect them.
        rate: frames per second; determines how many frames are analysed, and how fast the grade may change.
        device: "cuda" for a GPU; a loaded method is moved there.

    Returns:
        Each harmonized frame, with the composite's shape and dtype. Pixels with mask 0 are unchanged.

    Raises:
        InputError: `method`, `strength`, `consistency`, `cuts`, `rate` or `device` is invalid (raised immediately); or
            an array has an invalid dtype, shape or range (raised when its frame is reached).
        NonFiniteError: an array holds NaN or infinity.
        MismatchError: a frame and its mask, or two frames, differ in size or dtype.
    """
    if not isinstance(turn, Parametric):
        raise InputError(f"turn is {shown(turn)}; give a chromacord.Parametric")
    hand = Hand(as_strength(strength), turn.checked())
    check_consistency(consistency)
    if isinstance(rate, bool) or not isinstance(rate, Real) or not _RATES[0] <= rate <= _RATES[1]:
        raise InputError(f"rate must lie in {_RATES[0]}..{_RATES[1]} frames a second, got {shown(rate)}")
    starts = given_numbers(cuts)
    place = find_device(device)
    loaded = load_method(method) if isinstance(method, str) else method
    if not isinstance(loaded, Method):
        raise InputError(f"method is {shown(method)}; give a name of `list_methods()`, or what `load_method` returned")
    if not isinstance(pairs, Iterable):
        raise InputError(f"pairs is {shown(pairs)}; give an iterable of (composite, mask)")
    exact = Fraction(rate if isinstance(rate, Rational) else float(rate)).limit_denominator(1001)
    return harmonize_arrays(iter(pairs), loaded.on(place), exact, hand=hand, consistency=consistency, cuts=starts)


def harmonize_image(
    composite: Array,
    mask: Array,
    method: str | Method = DEFAULT_METHOD,
    *,
    strength: float = 1.0,
    device: Device = "cpu",
) -> Array:
    """Harmonize one picture.

    Args:
        composite: display-referred RGB: uint8, uint16, or floats in [0, 1]. Shape (H, W, 3).
        mask: bool, uint8, uint16 or floats in [0, 1]. Shape (H, W) or (H, W, 1).
        method: a name from `list_methods()`, optionally with options ("mkl:max_gain=2"), or a loaded method.
        strength: 0 returns the composite, 1 is the full grade.
        device: "cuda" for a GPU; a loaded method is moved there.

    Returns:
        The harmonized picture, with the composite's shape and dtype. Pixels with mask 0 are unchanged, as are all
        pixels if the mask is empty or full.

    Raises:
        InputError, NonFiniteError, MismatchError: see `harmonize_frames`.
    """
    (harmonized,) = harmonize_frames([(composite, mask)], method, strength=strength, cuts="none", device=device)
    return harmonized


def _checked(
    options: Options | None, changes: dict[str, Any], progress: Callable[[Progress], object] | None
) -> Options:
    """Apply changes to options, and check arguments that would otherwise fail at a later frame."""
    if options is not None and not isinstance(options, Options):
        raise InputError(f"options is {shown(options)}; give chromacord.Options(...), or single options by name")
    if progress is not None and not callable(progress):
        raise InputError(f"progress is {shown(progress)}; give a function that takes a chromacord.Progress")
    how = replace(options or Options(), **changes)
    find_device(how.device)
    return how


def _converted(decided: Grade, source: Path | None, outputs: Outputs, how: Options) -> Summary:
    """Write a grade to files, without a clip."""
    working = None if how.working_space is None else find_space(how.working_space, choose_config(how.config))
    return convert_grade(decided, source, outputs, hand=how.hand, scenes=how.scenes, working=working, files=how.files)


def _paths(**paths: StrPath | None) -> dict[str, Path | None]:
    """Return paths. Empty ones, from unset shell variables, are refused: they would mean the working directory."""
    for name, path in paths.items():
        if not isinstance(path, str | PathLike | None):
            raise InputError(f"{name} is {shown(path)}; give a path")
        if path is not None and not os.fspath(path):
            raise InputError(f"{name} is empty; name a file")
    return {name: None if path is None else Path(path) for name, path in paths.items()}


def _check_asked(paths: dict[str, Path | None], *, to_render: object) -> None:
    """Check that there is something to write, and that outputs that need a rendered clip have one.

    Args:
        paths: paths of the outputs and of the grade.
        to_render: grade to render; None if there is no grade or no clip.
    """
    if paths["output"] is not None:
        return
    if paths["grade_out"] is None and paths["lut_out"] is None:
        raise InputError("there is nothing to write; give an output, or a file for the grade or its LUTs")
    rendered = paths["foreground_out"] or paths["preview"]
    if rendered is not None or to_render is not None:
        what = rendered or paths["grade_in"] or "the grade"
        raise InputError(f"{what}: needs a rendered clip; give an output")
