"""What is looked at before any clip of several is begun: inputs that are missing, outputs that exist."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from chromacord.cli.clips import Clip, Settings
from chromacord.errors import ChromacordError, MissingFileError


class Findings(NamedTuple):
    """What was found of some clips."""

    problems: list[tuple[Clip, ChromacordError]]
    """Clips that cannot be done, with the first reason of each."""

    done: list[Clip]
    """Clips to leave out, since all their outputs are there."""


def inspect(clips: Sequence[Clip], settings: Settings) -> Findings:
    """Look at the files of clips, without opening them.

    Raises:
        ChromacordError: the method or the device cannot be used, for any clip.
    """
    from chromacord.cli.harmonize import method_name
    from chromacord.methods import load_method
    from chromacord.pipeline.device import find_device

    find_device(settings.device)
    load_method(method_name(settings))
    found = Findings([], [])
    for clip in clips:
        if settings.skip_existing and is_done(clip):
            found.done.append(clip)
            continue
        try:
            _check(clip, settings)
        except ChromacordError as error:
            found.problems.append((clip, error))
    return found


def is_done(clip: Clip) -> bool:
    """Whether all that is to be written is there."""
    return all(_exists(field, Path(path)) for field, path in clip.outputs.items())


def _check(clip: Clip, settings: Settings) -> None:
    from chromacord.io.patterns import find_images, is_image_output
    from chromacord.io.staging import check_folder, check_output

    for field, path in clip.inputs.items():
        if field == "mask" and path == "alpha":
            continue
        if _is_images(path):
            find_images(Path(path), hold=settings.missing == "hold")
        elif not Path(path).exists():
            raise MissingFileError(f"{path}: no such file")
    for field, path in clip.outputs.items():
        # Which images come, and whether one of them exists, is known when the clip is opened; a preview is one.
        if is_image_output(path) and field != "preview":
            folder = Path(path) if Path(path).is_dir() else Path(path).parent
            check_folder(folder, wanted=Path(path))
        else:
            check_output(Path(path), force=settings.force)


def _exists(field: str, path: Path) -> bool:
    from chromacord.io.patterns import parse_pattern, sequences_in

    if path.is_dir():
        # A folder may also hold files of others, and what a killed process has left.
        return any(path.glob("*.cube")) if field == "lut_out" else bool(sequences_in(path))
    pattern = parse_pattern(path)
    return path.exists() if pattern is None else bool(pattern.numbers())


def _is_images(path: str) -> bool:
    from chromacord.io.image_formats import is_image_name

    return Path(path).is_dir() or is_image_name(Path(path).name)
