"""Checks before a batch starts: missing inputs, existing outputs, clashing outputs."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from chromacord.cli.batch.clips import Clip
from chromacord.cli.batch.existing import images_of, input_files, is_done, is_images, names_of
from chromacord.cli.batch.resuming import allowed, is_current
from chromacord.errors import ChromacordError, OutputExistsError
from chromacord.parsing import missing_file

if TYPE_CHECKING:
    from chromacord.io.writing.places import Place, Places
    from chromacord.job.options import Options


class Findings(NamedTuple):
    """Results of the checks."""

    problems: list[tuple[Clip, ChromacordError]]
    """Clips that cannot be processed, each with the first reason."""

    done: list[Clip]
    """Clips to skip, because all their outputs exist."""


def inspect(clips: Sequence[Clip], options: "Options", *, skip_existing: bool = False) -> Findings:
    """Check the files of clips without opening them.

    Args:
        clips: clips to process.
        options: options common to all clips.
        skip_existing: skip clips whose outputs all exist.

    Raises:
        ChromacordError: the method or the device is invalid for all clips.
    """
    from chromacord.io.writing.places import Places
    from chromacord.methods import load_method
    from chromacord.methods.base import find_device

    find_device(options.device)
    for method in dict.fromkeys([options.method, *((clip.options or options).method for clip in clips)]):
        if isinstance(method, str):
            load_method(method)
    found = Findings([], [])
    written: Places[tuple[Clip, Path]] = Places()
    for clip in clips:
        try:
            _claim_outputs(clip, written)
            how = clip.options or options
            if (clip.resume and is_current(clip, how)) or (skip_existing and is_done(clip, how)):
                found.done.append(clip)
            else:
                _check(clip, allowed(clip, how))
        except ChromacordError as error:
            found.problems.append((clip, error))
    # Check inputs only now that all outputs are known: an input may be the output of a later clip.
    stopped = [clip for clip, _ in found.problems]
    for clip in clips:
        try:
            _check_inputs_kept(clip, clip.options or options, written)
        except ChromacordError as error:
            found.problems.extend([(clip, error)] if clip not in stopped else [])
    return found


def _claim_outputs(clip: Clip, written: "Places[tuple[Clip, Path]]") -> None:
    """Register a clip's outputs, and refuse those that clash with another clip's or its own."""
    for place in _outputs(clip):
        clash = written.find(place)
        if clash is not None and clash[0] is clip:
            raise OutputExistsError(f"{place.path}: is requested twice; give each output its own name")
        if clash is not None:
            raise OutputExistsError(
                f"{place.path}: would be written for {clash[0].source} and for {clip.source}; put {{folder}} in its "
                "name, or rename one of them"
            )
        written.add(place, (clip, place.path))


def _check_inputs_kept(clip: Clip, options: "Options", written: "Places[tuple[Clip, Path]]") -> None:
    """Refuse inputs that are outputs of this or another clip."""
    for place in _inputs(clip, options):
        clash = written.find(place)
        if clash is not None and clash[0] is clip:
            raise OutputExistsError(f"{clash[1]}: is also an input; choose another output")
        if clash is not None:
            raise OutputExistsError(
                f"{clash[1]}: would be written for {clash[0].source}, and is read for {clip.source}; choose another "
                "output"
            )


def _outputs(clip: Clip) -> "Iterator[Place]":
    from chromacord.io.writing.places import place_of

    for field, path in clip.outputs.items():
        for names in names_of(field, path, clip):
            yield place_of(Path(path), names)


def _inputs(clip: Clip, options: "Options") -> "Iterator[Place]":
    from chromacord.io.writing.places import place_of

    for path in (*input_files(clip).values(), *map(str, options.files)):
        files = images_of(path)
        yield place_of(Path(path), files.pattern if files else None)


def _check(clip: Clip, options: "Options") -> None:
    from chromacord.analysis.cuts import check_cuts
    from chromacord.grade.exports import ExportNames
    from chromacord.io.edl import MISSING
    from chromacord.io.stills.patterns import find_images, is_image_output
    from chromacord.io.writing.places import check_input, check_output_path
    from chromacord.io.writing.staging import check_folder, check_output

    check_cuts(clip.cuts, grade_in=clip.grade_in)
    for field, path in input_files(clip).items():
        check_input(path)
        if is_images(path):
            find_images(Path(path), hold=options.missing == "hold")
        elif not Path(path).exists():
            raise missing_file(Path(path), MISSING if field == "cuts" else "")
    for field, path in clip.outputs.items():
        check_output_path(path)
        if not (folder := Path(path).parent).exists():  # it is made later
            check_folder(next(each for each in folder.absolute().parents if each.exists()), wanted=Path(path))
            continue
        # A sequence's images, and whether any exist, are known only when the clip is opened.
        is_numbered = is_image_output(path) and field != "preview"
        if field == "lut_out":
            is_numbered = ExportNames.of(Path(path), clip.source).file is None
        if is_numbered:
            folder = Path(path) if Path(path).is_dir() else Path(path).parent
            check_folder(folder, wanted=Path(path))
        else:
            check_output(Path(path), force=options.force)
