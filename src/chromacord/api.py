"""The main job: paths in, files out."""

import os
import warnings
from collections.abc import Callable
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

from chromacord.analysis.cuts import Cuts, check_cuts
from chromacord.analysis.given_cuts import read_cuts
from chromacord.analysis.reference import read_reference
from chromacord.color.management.clip_space import SpaceOfClip, Spaces, explicit, settle
from chromacord.color.management.config import choose_config, find_space
from chromacord.errors import ChromacordWarning, InputError
from chromacord.io import FrameSource, LayeredSource, open_source
from chromacord.io.compositing.alpha_kind import read_as
from chromacord.io.stills.image_layers import UNNAMED
from chromacord.job.clip import CompositeClip, LayeredClip, MaskedClip
from chromacord.job.conversion import convert_grade
from chromacord.job.finishing.stages import check_layers, with_clean_edges
from chromacord.job.job import Job
from chromacord.job.options import Options
from chromacord.job.outputs import Outputs
from chromacord.job.summary import Summary
from chromacord.methods.base import find_device
from chromacord.types import ALPHA_WORDS, Encoding, Progress, VideoInfo

StrPath = str | PathLike[str]


def harmonize_video(
    composite: StrPath | None = None,
    *,
    output: StrPath | None = None,
    mask: StrPath | None = None,
    foreground: StrPath | None = None,
    alpha: StrPath | None = None,
    background: StrPath | None = None,
    grade_out: StrPath | None = None,
    grade_in: StrPath | None = None,
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
        output: path of the result; the suffix selects the format. Sequences are named like sequences. None: only decide
            the grade, and write other requested outputs.
        mask: white for the foreground, or opaque in a cut-out; a clip like the composite, a still for all frames, or
            "alpha" for the composite's own alpha channel.
        foreground: layer to paste over `background`, instead of a composite.
        alpha: the foreground's matte, if it has no alpha channel; or "straight" or "premultiplied" to override how its
            own alpha is stored, or "auto" to detect it.
        background: clip under the foreground; the output follows its format.
        grade_out: path for the decided grade, as JSON.
        grade_in: grade file to render instead of analysing, or a LUT or a CDL with a suffix in `LOOK_FORMATS`;
            `strength` weakens it further. Without a clip it is converted to `grade_out` or `lut_out`.
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
    how = replace(options or Options(), **changes)
    check_cuts(cuts, grade_in=grade_in)
    find_device(how.device)
    optional = _paths(output=output, grade_out=grade_out, lut_out=lut_out, preview=preview, grade_in=grade_in)
    matched = _paths(reference=reference, foreground_out=foreground_out)
    layers = _paths(composite=composite, mask=mask, foreground=foreground, alpha=alpha, background=background)
    is_conversion = _check_asked(optional, has_clip=any(layers.values()))
    clip_out = None if output is None else os.fspath(output)
    others = optional["grade_out"], optional["lut_out"], optional["preview"]
    alone = None if foreground_out is None else os.fspath(foreground_out)
    outputs = Outputs(clip_out, *others, how.encoding or Encoding(), how.force, alone)
    if is_conversion and optional["grade_in"] is not None:
        asked = None if how.working_space is None else find_space(how.working_space, choose_config(how.config))
        return convert_grade(
            optional["grade_in"], outputs, hand=how.hand, scenes=how.scenes, working=asked, files=how.files
        )
    clip, space = _open_clip(layers, how)
    shot_cuts = read_cuts(cuts, clip.info)
    files = (optional["grade_in"], matched["reference"], None if shot_cuts is None else shot_cuts.file)
    job = Job(
        clip,
        outputs,
        how,
        grade_in=optional["grade_in"],
        cuts=shot_cuts,
        files=tuple(file for file in files if file is not None),
        progress=progress,
        space=space,
        reference=None if matched["reference"] is None else read_reference(matched["reference"], how.spaces),
    )
    return job.run()


def _paths(**paths: StrPath | None) -> dict[str, Path | None]:
    """Return paths. Empty ones, from unset shell variables, are refused: they would mean the working directory."""
    for name, path in paths.items():
        if path is not None and not os.fspath(path):
            raise InputError(f"{name} is empty; name a file")
    return {name: None if path is None else Path(path) for name, path in paths.items()}


def _check_asked(paths: dict[str, Path | None], *, has_clip: bool) -> bool:
    """Check that there is something to write, and that outputs that need a rendered clip have one.

    Returns:
        Whether to convert a grade file to others, without a clip.
    """
    if paths["output"] is not None:
        return False
    if paths["grade_out"] is None and paths["lut_out"] is None:
        raise InputError("there is nothing to write; give an output, or a file for the grade or its LUTs")
    for path in (paths["preview"], paths["grade_in"] if has_clip else None):
        if path is not None:
            raise InputError(f"{path}: needs a rendered clip; give an output")
    return paths["grade_in"] is not None


def _open_clip(paths: dict[str, Path | None], options: Options) -> tuple[MaskedClip, SpaceOfClip]:
    """Open the given composite with its mask, or the layers; the colour space is the output's."""
    alpha = None if str(paths["alpha"]) not in ALPHA_WORDS else str(paths["alpha"])
    paths = paths | {"alpha": None if alpha else paths["alpha"]}
    given = {name for name, path in paths.items() if path is not None}
    sources = {
        name: open_source(
            path,
            missing=options.missing,
            salvage=options.salvage,
            layer=options.layer if name in _GRADED else None,
            device=options.device,
            keep=True,
        )
        for name, path in paths.items()
        if path is not None and given in _COMBINATIONS and not (name == "mask" and str(path) == "alpha")
    }
    for name, source in sources.items():
        _tell_layer(source.info, is_chosen=options.layer is not None and name in _GRADED, can_be_chosen=name in _GRADED)
    if alpha is not None and "foreground" in sources:
        sources["foreground"].info = read_as(sources["foreground"], alpha)
    space = _settle_spaces(sources, options.spaces)
    if given == {"composite", "mask"} and space is not None:
        check_layers(options)
        clip = CompositeClip(
            sources["composite"],
            sources.get("mask"),
            mask_fit=options.mask_fit,
            salvage=options.salvage,
            edge=options.edge,
        )
        return clip, space
    if given in _COMBINATIONS and space is not None:
        layers = LayeredSource(sources["foreground"], sources["background"], sources.get("alpha"))
        return LayeredClip(with_clean_edges(layers, options)), space
    if given == {"composite"}:
        raise InputError(f"{paths['composite']}: needs a mask; give --mask FILE, or --mask alpha for its own alpha")
    wanted = {"foreground", "background"} if given & {"foreground", "alpha", "background"} else {"composite", "mask"}
    absent = " and ".join(sorted(wanted - given)) or "either a composite with a mask, or layers, not both"
    raise InputError(
        f"needs {absent}: give a composite with --mask, or --foreground (with --alpha, if it has no alpha of its own) "
        "and --background"
    )


def _settle_spaces(sources: dict[str, FrameSource], spaces: Spaces) -> SpaceOfClip | None:
    """Set the colour spaces of all sources; return the output's, None if it has no pictures."""
    found: dict[str, SpaceOfClip] = {}
    for name in _PICTURES:
        if name in sources:
            sources[name].info, found[name] = settle(sources[name].info, spaces, name)
    if len(found) > 1 and any(each.space is not None for each in found.values()):
        for name in found:
            sources[name].info = explicit(sources[name].info)
    return found.get("composite") or found.get("background")


def _tell_layer(info: VideoInfo, *, is_chosen: bool, can_be_chosen: bool) -> None:
    """Warn which EXR layer was used as the picture, if there were others."""
    if not info.other_layers or is_chosen:
        return
    remedy = "choose with --layer NAME" if can_be_chosen else "write a file of its own if another is meant"
    warnings.warn(
        f"{info.path}: layer {info.layer or UNNAMED} is taken for the picture, not {', '.join(info.other_layers)}; "
        f"{remedy}",
        ChromacordWarning,
        stacklevel=2,
    )


_GRADED = ("composite", "foreground")
_PICTURES = ("composite", "foreground", "background")

_COMBINATIONS = (
    {"composite", "mask"},
    {"foreground", "background"},
    {"foreground", "alpha", "background"},
)
