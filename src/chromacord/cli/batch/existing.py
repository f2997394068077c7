"""Resolve a clip's paths to files, and check whether all its outputs exist."""

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from chromacord.cli.batch.clips import Clip
from chromacord.errors import ChromacordError

if TYPE_CHECKING:
    from chromacord.io.stills.patterns import ImageFiles, Pattern
    from chromacord.job.options import Options


def is_done(clip: Clip, options: "Options") -> bool:
    """Whether all outputs exist and, as far as names tell, are complete.

    Incomplete renames of killed runs are undone first.
    """
    return all(
        any(_exists(field, names, clip, options) for names in names_of(field, path, clip))
        for field, path in clip.outputs.items()
    )


def _exists(field: str, names: "Pattern", clip: Clip, options: "Options") -> bool:
    from chromacord.io.stills.patterns import is_folder
    from chromacord.io.writing.commit import recover, unfinished

    for folder in (names.folder, names.folder.parent):
        if not is_folder(folder):
            continue
        # A run killed between two renames left new files beside old ones. Undo the renames, so that only complete
        # outputs count.
        with suppress(OSError):  # such a folder is refused when the clip starts
            recover(folder)
        moving = unfinished(folder)
        if any(map(names.may_name, moving)) if folder == names.folder else names.folder.name in moving:
            return False
    if not names.digits:
        return names.path(0).is_file()
    numbers = names.numbers()
    return bool(numbers) and (field == "lut_out" or _are_all(numbers, clip, options))


def _are_all(numbers: list[int], clip: Clip, options: "Options") -> bool:
    """Whether these are all frames of a clip; for a video, only gaps are visible without opening it."""
    first, stop = options.frames or (None, None)
    files = images_of(clip.background or clip.source)
    if files is None:
        begin, end = first or 0, numbers[-1] + 1 if stop is None else min(stop, numbers[-1] + 1)
    else:
        begin, end, _ = slice(first, stop).indices(len(files.paths))
        begin, end = files.first + begin, files.first + end
        end = min(end, numbers[-1] + 1) if options.salvage else end
    return set(range(begin, end)) <= set(numbers)


def names_of(field: str, path: str, clip: Clip) -> "tuple[Pattern, ...]":
    """Return the possible patterns of the files of a clip's output."""
    from chromacord.grade.exports import ExportNames
    from chromacord.io.stills.patterns import image_names, is_image_output, still_pattern

    if field == "lut_out":
        return ExportNames.of(Path(path), clip.source).patterns
    if field != "output" or not is_image_output(path):
        return (still_pattern(Path(path)),)
    files = images_of(clip.background or clip.source)
    is_still = files is not None and not files.pattern.digits
    return (image_names(path, files.pattern if files else None, is_still=is_still),)


def images_of(path: str) -> "ImageFiles | None":
    """Return the images of an input; None for a video, or if unreadable, which is reported elsewhere."""
    from chromacord.io.stills.patterns import find_images

    with suppress(ChromacordError):
        return find_images(Path(path), hold=True) if is_images(path) else None
    return None


def is_images(path: str) -> bool:
    """Whether a path denotes images by its name, or is a folder."""
    from chromacord.io.stills.image_formats import is_image_name
    from chromacord.io.stills.patterns import is_folder

    return is_folder(Path(path)) or is_image_name(Path(path).name)


def input_files(clip: Clip) -> dict[str, str]:
    """Return the input files by field, without the forms of masks and words such as "alpha"."""
    from chromacord.io.compositing.mask_forms import split_form
    from chromacord.types import ALPHA_WORDS

    words = {"mask": ("alpha",), "alpha": ALPHA_WORDS}
    paths = {field: path for field, path in clip.inputs.items() if path not in words.get(field, ())}
    return {field: str(split_form(path)[0]) if field in words else path for field, path in paths.items()}
