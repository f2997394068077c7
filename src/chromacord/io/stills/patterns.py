"""Patterns of numbered images: parse them, list their files, and find the sequences in a folder."""

import itertools
import os
import re
import warnings
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from chromacord.errors import ChromacordWarning, InputError, MissingFileError, SequenceGapError
from chromacord.io.stills.image_formats import IMAGE_SUFFIXES, format_of, is_image_name
from chromacord.types import STDOUT, VideoInfo

_PRINTF = re.compile(r"(?<!%)(?:%%)*(?P<printf>%(?:0(?P<digits>\d+))?d)")
_MARKS = re.compile(r"#+|@+")
_LAST_NUMBER = re.compile(r"(?P<prefix>.*?)(?P<number>\d+)(?P<suffix>\D*)", re.DOTALL)

_MAX_DIGITS = 200
"""Maximum digits of a number: a file name has at most 255 bytes."""

MAX_HELD = 1000
"""Maximum consecutive missing frames to hold, 40 seconds. A stray number would otherwise mean millions."""


@dataclass(frozen=True)
class Pattern:
    """File names of one sequence: `prefix`, a number of at least `digits` digits, a match of `tail`, `suffix`."""

    folder: Path
    prefix: str
    digits: int
    """Number of digits, zero-padded; 1: not padded. 0: a still without a number."""

    suffix: str
    written: str | None = field(default=None, compare=False)
    """The name as the user wrote it, such as "shot.####.png"; None: not from the user."""

    tail: str = ""
    """Regular expression for the varying part of names after the number."""

    def __post_init__(self) -> None:
        """Check the number of digits.

        Raises:
            InputError: numbers would be longer than a file name may be.
        """
        if self.digits > _MAX_DIGITS:
            raise InputError(f"{self.folder}: a frame number has at most {_MAX_DIGITS} digits; write fewer")

    def name(self, number: int, tail: str = "") -> str:
        """Return the file name of a frame, with the varying part after its number."""
        return f"{self.prefix}{f'{number:0{self.digits}d}{tail}' if self.digits else ''}{self.suffix}"

    def path(self, number: int, tail: str = "") -> Path:
        """Return the path of a frame. See `name`."""
        return self.folder / self.name(number, tail)

    @property
    def label(self) -> str:
        """The name as written by the user, otherwise in printf style; `parse_pattern` reads it back."""
        if not self.digits:
            return f"{self.prefix}{self.suffix}"
        if self.written is not None:
            return self.written
        number = "%d" if self.digits == 1 else f"%0{self.digits}d"
        return f"{_escape(self.prefix)}{number}{_escape(self.suffix)}"

    def numbers(self) -> list[int]:
        """Return the numbers of existing files, ascending."""
        return sorted(number for number, _ in self._existing())

    def files(self) -> list[Path]:
        """Return the existing files; a still's path even if it does not exist."""
        return [path for _, path in self._existing()] if self.digits else [self.path(0)]

    def _existing(self) -> Iterator[tuple[int, Path]]:
        if not self.digits or not is_folder(self.folder):
            return
        for entry in self.folder.iterdir():
            match = self._expression.fullmatch(entry.name)
            # `shot.7.png` does not match `shot.%04d.png`, but `shot.10000.png` does: numbers may outgrow their
            # padding.
            if match and f"{int(match['number']):0{self.digits}d}" == match["number"]:
                yield int(match["number"]), entry

    @property
    def _expression(self) -> re.Pattern[str]:
        return re.compile(rf"{re.escape(self.prefix)}(?P<number>\d+){self.tail}{re.escape(self.suffix)}")

    def may_share(self, other: "Pattern") -> bool:
        """Whether a name could match both patterns, with any padding; folders are ignored."""
        return self.may_name(other.name(0)) or other.may_name(self.name(0))

    def may_name(self, name: str) -> bool:
        """Whether a name could match the pattern, with any padding."""
        if not self.digits:
            return name == self.name(0)
        return self._expression.fullmatch(name) is not None


@dataclass(frozen=True)
class ImageFiles:
    """Files of a sequence or a still on disk."""

    pattern: Pattern
    first: int
    """Number of the first file; 0 for a still."""

    paths: tuple[Path, ...]
    """One path per frame; held gaps repeat the previous file."""


def parse_pattern(path: Path) -> Pattern | None:
    """Parse `shot.%04d.png`, `shot.%d.png`, `shot.####.exr` or `shot.@@@@.dpx` (one mark per digit).

    In a name with a printf field, `#` and `@` are literal, as is a single mark before a letter or a digit ("take
    #2.png", "still@2x.png"). Of several runs of marks, the last one before the suffix is the number.

    Args:
        path: only the last component may contain the number; `%%` is a literal percent sign.

    Returns:
        None if the name is not a pattern: it has no number field, its suffix is not that of an image, or a file of
        exactly this name exists.

    Raises:
        InputError: the name has two number fields.
    """
    return None if not is_image_name(path.name) or is_file(path) else _parse_name(path.parent, path.name)


def find_images(path: Path, *, hold: bool = False) -> ImageFiles:
    """Find the images of a pattern, a folder or a still.

    Args:
        path: a pattern, a folder with one sequence or one still, or an image file. Numbers may start anywhere.
        hold: repeat the frame before a gap instead of refusing the sequence.

    Raises:
        MissingFileError: the file or folder does not exist, or has no images.
        SequenceGapError: numbers are missing; with `hold`, more than `MAX_HELD` in a row.
        InputError: the folder contains more than one sequence (lists them).
    """
    if is_folder(path):
        return _collect(_only_sequence(path), hold=hold)
    pattern = parse_pattern(path)
    if pattern is not None:
        return _collect(pattern, hold=hold)
    if not is_file(path):
        raise MissingFileError(f"{path}: no such file or folder{_similar(path)}")
    return ImageFiles(still_pattern(path), 0, (path,))


def warn_of_numbers(layer: VideoInfo, other: VideoInfo) -> None:
    """Warn if two related sequences start at different frame numbers.

    Warns:
        ChromacordWarning: they do. Frames are paired by order, which is wrong if one sequence starts later.
    """
    if layer.container == other.container == "sequence" and layer.first_number != other.first_number:
        message = (
            f"{layer.path}: begins with frame {layer.first_number} and {other.path} with frame {other.first_number}; "
            "their frames are paired by order, the first with the first: check that they belong together"
        )
        warnings.warn(ChromacordWarning(message), stacklevel=3)


def output_pattern(path: Path | str, like: VideoInfo) -> Pattern:
    """Return the names of an output's images. See `image_names`.

    Args:
        path: the output.
        like: the source.

    Raises:
        CodecError: the suffix is not that of an image.
    """
    is_images = like.container in ("sequence", "still") and is_image_name(like.path.name)
    source = parse_pattern(like.path) or still_pattern(like.path)
    return image_names(path, source if is_images else None, is_still=like.container == "still")


def image_names(path: Path | str, source: Pattern | None, *, is_still: bool) -> Pattern:
    """Return the names of an output's images.

    Args:
        path: a pattern; the name of a still; or a folder, which exists, ends with "/" or has no suffix. In a folder,
            images are named like the source's; those of a video "frame.%06d.png".
        source: names of the source's images; None: it is a video.
        is_still: whether there is only one image, which makes `#` and `@` literal.

    Raises:
        CodecError: the suffix is not that of an image.
    """
    folder = Path(path)
    if _means_folder(path):
        return Pattern(folder, "frame.", 6, ".png") if source is None else replace(source, folder=folder)
    format_of(folder)
    # A file named like the pattern itself does not make the pattern a still.
    return _parse_name(folder.parent, folder.name, marks=not is_still) or still_pattern(folder)


def is_image_output(path: Path | str) -> bool:
    """Whether an output's path means images: a folder (see `output_pattern`), or an image suffix."""
    return os.fspath(path) != STDOUT and (_means_folder(path) or is_image_name(Path(path).name))


def sequences_in(folder: Path) -> list[Pattern]:
    """Return the sequences and stills in a folder, sorted by name, without hidden and other files.

    A file's number is the last one in its name before the suffix.
    """
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    patterns = []
    for entry in folder.iterdir():
        if entry.name.startswith(".") or not is_image_name(entry.name) or entry.is_dir():
            continue
        match = _LAST_NUMBER.fullmatch(entry.stem)
        if match:
            # The last number is the frame's; numbers before it (shot, version) belong to the name.
            groups[match["prefix"], match["suffix"] + entry.suffix].append(match["number"])
        else:
            patterns.append(Pattern(folder, entry.stem, 0, entry.suffix))
    for (prefix, suffix), numbers in groups.items():
        patterns += [Pattern(folder, prefix, digits, suffix) for digits in _fillings(numbers)]
    return sorted(patterns, key=lambda pattern: pattern.label)


def is_folder(path: Path) -> bool:
    """Whether a path is a folder; False for impossible names, for which `Path.is_dir` raises."""
    return os.path.isdir(path)  # noqa: PTH112


def is_file(path: Path) -> bool:
    """Whether a path is a file. See `is_folder`."""
    return os.path.isfile(path)  # noqa: PTH113


def still_pattern(path: Path) -> Pattern:
    """Return a pattern that matches exactly one file, whatever its name contains."""
    return Pattern(path.parent, path.stem, 0, path.suffix)


def _means_folder(path: Path | str) -> bool:
    return is_folder(Path(path)) or str(path).endswith("/") or not Path(path).suffix


def _parse_name(folder: Path, name: str, *, marks: bool = True) -> Pattern | None:
    found = list(_PRINTF.finditer(name))
    if len(found) > 1:
        raise _two_places(folder / name, len(found))
    if not found:
        return _parse_marks(folder, name) if marks else None
    before, after = name[: found[0].start("printf")], name[found[0].end("printf") :]
    # Five digits suffice to see that the number is too large; longer text may exceed `int`'s limit.
    digits = int((found[0]["digits"] or "1").lstrip("0")[:5] or 1)
    return Pattern(folder, before.replace("%%", "%"), digits, after.replace("%%", "%"), written=name)


def _parse_marks(folder: Path, name: str) -> Pattern | None:
    # A single "#" may be a number of one digit, but in "take #2" and "still@2x" it is part of a name, so it
    # counts only if no letter or digit follows.
    found = [match for match in _MARKS.finditer(name) if len(match[0]) > 1 or not name[match.end() :][:1].isalnum()]
    last = [match for match in found if match.end() == len(Path(name).stem)]
    if len(found) > 1 and not last:
        raise _two_places(folder / name, len(found))
    if not found:
        return None
    place = (last or found)[0]
    return Pattern(folder, name[: place.start()], len(place[0]), name[place.end() :], written=name)


def _two_places(path: Path, count: int) -> InputError:
    return InputError(f"{path}: has {count} fields for a frame number; keep one")


def _fillings(numbers: list[str]) -> set[int]:
    """Return the paddings of a prefix's numbers: more than one if sequences are mixed."""
    filled = {len(number) for number in numbers if number.startswith("0") and number != "0"}
    plain = {len(number) for number in numbers if not number.startswith("0") or number == "0"}
    if not filled:
        # 1001 ... 1100 could be either; as four digits they sort by name everywhere.
        return {min(plain)} if len(plain) == 1 else {1}
    # A plain number shorter than the padded ones cannot be of their sequence.
    return filled | ({1} if plain and min(plain) < min(filled) else set())


def _only_sequence(folder: Path) -> Pattern:
    found = sequences_in(folder)
    if not found:
        raise MissingFileError(
            f"{folder}: holds no images ({', '.join(IMAGE_SUFFIXES)}); name a folder of images, or a file"
        )
    if len(found) > 1:
        listed = ", ".join(pattern.label for pattern in found[:6]) + (", ..." if len(found) > 6 else "")
        raise InputError(f"{folder}: holds {len(found)} sequences or stills ({listed}); name the one you mean")
    return found[0]


def _collect(pattern: Pattern, *, hold: bool) -> ImageFiles:
    if not pattern.digits:
        return ImageFiles(pattern, 0, (pattern.path(0),))
    numbers = pattern.numbers()
    if not numbers:
        raise MissingFileError(f"{pattern.folder / pattern.label}: no such files{_similar(pattern.path(0))}")
    first, last = numbers[0], numbers[-1]
    num_missing = last - first + 1 - len(numbers)
    if num_missing and not hold:
        raise SequenceGapError(_describe_gap(pattern, numbers, num_missing))
    paths = [pattern.path(first)]
    for previous, number in itertools.pairwise(numbers):
        if number - previous - 1 > MAX_HELD:
            raise SequenceGapError(
                f"{pattern.path(number)}: {number - previous - 1} frames before it are missing, and at most {MAX_HELD} "
                "can be held; move the file elsewhere if it is not part of this sequence"
            )
        paths += [pattern.path(previous)] * (number - previous - 1) + [pattern.path(number)]
    return ImageFiles(pattern, first, tuple(paths))


def _describe_gap(pattern: Pattern, numbers: list[int], num_missing: int) -> str:
    first = next(a + 1 for a, b in itertools.pairwise(numbers) if b != a + 1)
    several = "" if num_missing == 1 else f", the first of {num_missing} missing frames"
    return (
        f"{pattern.path(first)}: frame {first} is missing{several}; "
        "render it, or repeat the frame before it with --missing hold"
    )


def _similar(path: Path) -> str:
    """Suggest similar names that the folder contains."""
    if not is_folder(path.parent):
        return f" (there is no folder {path.parent})"
    labels = [pattern.label for pattern in sequences_in(path.parent)]
    return f"; the folder holds {', '.join(labels[:3])}" + (", ..." if len(labels) > 3 else "") if labels else ""


def _escape(text: str) -> str:
    return text.replace("%", "%%")
