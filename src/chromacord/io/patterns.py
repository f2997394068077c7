"""Names of numbered images: what a pattern means, which files it stands for, and which sequences lie in a folder."""

import itertools
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from chromacord.errors import InputError, MissingFileError, OutputExistsError, SequenceGapError
from chromacord.io.image_formats import IMAGE_SUFFIXES, format_of, is_image_name
from chromacord.types import VideoInfo

_PLACEHOLDER = re.compile(r"(?<!%)(?:%%)*(?P<printf>%(?:0(?P<digits>\d+))?d)|(?P<marks>#+|@+)")
_LAST_NUMBER = re.compile(r"(?P<prefix>.*?)(?P<number>\d+)(?P<suffix>\D*)", re.DOTALL)


_MAX_DIGITS = 200

MAX_HELD = 1000
"""Missing frames in a row that can be held: 40 seconds. A stray number would stand for millions."""


@dataclass(frozen=True)
class Pattern:
    """The names of one sequence: `prefix`, a number of at least `digits` digits, `suffix`."""

    folder: Path
    prefix: str
    digits: int
    """Numbers are filled up with zeros to this many digits; 1: not filled up. 0: a still, without a number."""

    suffix: str

    def __post_init__(self) -> None:
        """Refuse numbers that are longer than a file's name can be.

        Raises:
            InputError: says so.
        """
        if self.digits > _MAX_DIGITS:
            raise InputError(f"{self.folder}: a frame number has {_MAX_DIGITS} digits at the most; write fewer")

    def name(self, number: int) -> str:
        """Return the file name of a frame."""
        return f"{self.prefix}{number:0{self.digits}d}{self.suffix}" if self.digits else f"{self.prefix}{self.suffix}"

    def path(self, number: int) -> Path:
        """Return the file of a frame."""
        return self.folder / self.name(number)

    @property
    def label(self) -> str:
        """The name with its number as in C's printf, "shot.%04d.png"; reads back with `parse_pattern`."""
        if not self.digits:
            return f"{self.prefix}{self.suffix}"
        number = "%d" if self.digits == 1 else f"%0{self.digits}d"
        return f"{_escape(self.prefix)}{number}{_escape(self.suffix)}"

    def numbers(self) -> list[int]:
        """Return the numbers of the files that exist, ascending."""
        expression = re.compile(rf"{re.escape(self.prefix)}(\d+){re.escape(self.suffix)}")
        if not self.digits or not self.folder.is_dir():
            return []
        found = (expression.fullmatch(entry.name) for entry in self.folder.iterdir())
        return sorted(int(match[1]) for match in found if match and self.name(int(match[1])) == match[0])

    def may_name(self, path: Path) -> bool:
        """Tell whether a file could be of this sequence, however its number is filled up."""
        number = r"\d+" if self.digits else ""
        expression = re.compile(re.escape(self.prefix) + number + re.escape(self.suffix))
        return bool(expression.fullmatch(path.name)) and path.parent.resolve() == self.folder.resolve()


@dataclass(frozen=True)
class ImageFiles:
    """A sequence or a still as it lies on the disk."""

    pattern: Pattern
    first: int
    """Number of the first file; 0 for a still."""

    paths: tuple[Path, ...]
    """One file for each frame; where the sequence has a gap that is held, the file before it again."""


def parse_pattern(path: Path) -> Pattern | None:
    """Read `shot.%04d.png`, `shot.%d.png`, `shot.####.exr` or `shot.@@@@.dpx` (one mark for each digit).

    Args:
        path: only the last part may hold the number; `%%` stands for a percent sign.

    Returns:
        None where the name is no pattern: it has no place for a number, its ending is not that of an image, or a
        file of exactly this name exists (as `take#2.png` may).

    Raises:
        InputError: the name has two places for a number.
    """
    return None if not is_image_name(path.name) or path.is_file() else _parse_name(path.parent, path.name)


def find_images(path: Path, *, hold: bool = False) -> ImageFiles:
    """Find the images that a pattern, a folder or the name of a still stands for.

    Args:
        path: a pattern, a folder with one sequence or one still, or an image file. Numbers may start anywhere.
        hold: repeat the frame before a gap instead of refusing the sequence.

    Raises:
        MissingFileError: there is no such file or folder, or no image in it.
        SequenceGapError: numbers are missing, with `hold` more than `MAX_HELD` in a row.
        InputError: the folder holds more than one sequence (lists them).
    """
    if path.is_dir():
        return _collect(_only_sequence(path), hold=hold)
    pattern = parse_pattern(path)
    if pattern is not None:
        return _collect(pattern, hold=hold)
    if not path.exists():
        raise MissingFileError(f"{path}: no such file or folder{_similar(path)}")
    return ImageFiles(_as_still(path), 0, (path,))


def output_pattern(path: Path | str, like: VideoInfo) -> Pattern:
    """Tell how the images of an output are called.

    Args:
        path: a pattern; the name of a still; or a folder, which is what exists as one, ends with "/" or has no ending.
            In a folder the images are called as the source's; those of a video "frame.%06d.png".
        like: the source.

    Raises:
        CodecError: the ending is not that of an image.
    """
    folder = Path(path)
    if _is_folder(path):
        if like.container not in ("sequence", "still") or not is_image_name(like.path.name):
            return Pattern(folder, "frame.", 6, ".png")
        source = parse_pattern(like.path) or _as_still(like.path)
        return replace(source, folder=folder)
    format_of(folder)
    name = folder.name
    # A file called like the pattern itself does not make the pattern a still.
    return _parse_name(folder.parent, name) or _as_still(folder)


def is_image_output(path: Path | str) -> bool:
    """Tell whether an output's path stands for images: a folder (see `output_pattern`), or an image's ending."""
    return _is_folder(path) or is_image_name(Path(path).name)


def refuse_inputs(path: Path | str, like: VideoInfo, *, inputs: Iterable[Path] = ()) -> None:
    """Refuse an output that would be written over a file that the run reads.

    Args:
        path: the output.
        like: the source that the output follows; itself an input.
        inputs: further files or patterns, as `VideoInfo.path` gives them.

    Raises:
        OutputExistsError: they share a file.
    """
    out = output_pattern(path, like) if is_image_output(path) else _as_still(Path(path))
    for source in (like.path, *inputs):
        pattern = parse_pattern(source) or _as_still(source)
        if out.may_name(pattern.path(0)) or pattern.may_name(out.path(0)):
            raise OutputExistsError(f"{path}: is also an input; choose another output")


def sequences_in(folder: Path) -> list[Pattern]:
    """Return the sequences and stills of a folder, sorted by name. Hidden files and other kinds of files do not count.

    The number of a file is the last one in its name, without the ending.
    """
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    patterns = []
    for entry in folder.iterdir():
        if entry.name.startswith(".") or not is_image_name(entry.name) or entry.is_dir():
            continue
        match = _LAST_NUMBER.fullmatch(entry.stem)
        if match:
            groups[match["prefix"], match["suffix"] + entry.suffix].append(match["number"])
        else:
            patterns.append(Pattern(folder, entry.stem, 0, entry.suffix))
    for (prefix, suffix), numbers in groups.items():
        patterns += [Pattern(folder, prefix, digits, suffix) for digits in _fillings(numbers)]
    return sorted(patterns, key=lambda pattern: pattern.label)


def _is_folder(path: Path | str) -> bool:
    return Path(path).is_dir() or str(path).endswith("/") or not Path(path).suffix


def _as_still(path: Path) -> Pattern:
    return Pattern(path.parent, path.stem, 0, path.suffix)


def _parse_name(folder: Path, name: str) -> Pattern | None:
    found = list(_PLACEHOLDER.finditer(name))
    if not found:
        return None
    if len(found) > 1:
        raise InputError(f"{folder / name}: has {len(found)} places for a frame number; leave one")
    match = found[0]
    if match["marks"]:
        return Pattern(folder, name[: match.start()], len(match["marks"]), name[match.end() :])
    before, after = (part.replace("%%", "%") for part in (name[: match.start("printf")], name[match.end("printf") :]))
    return Pattern(folder, before, int((match["digits"] or "1")[:9]), after)


def _fillings(numbers: list[str]) -> set[int]:
    """Tell to how many digits the numbers of one prefix are filled up: more than one where sequences are mixed."""
    filled = {len(number) for number in numbers if number.startswith("0") and number != "0"}
    plain = {len(number) for number in numbers if not number.startswith("0") or number == "0"}
    if not filled:
        # 1001 ... 1100 could be either; as four digits they sort by name everywhere.
        return {min(plain)} if len(plain) == 1 else {1}
    return filled | ({1} if plain and min(plain) < min(filled) else set())


def _only_sequence(folder: Path) -> Pattern:
    found = sequences_in(folder)
    if not found:
        raise MissingFileError(f"{folder}: holds no images ({', '.join(IMAGE_SUFFIXES)})")
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
                f"{pattern.path(number)}: {number - previous - 1} frames before it are missing, and up to {MAX_HELD} "
                "are held; move the file away if it is not of this sequence"
            )
        paths += [pattern.path(previous)] * (number - previous - 1) + [pattern.path(number)]
    return ImageFiles(pattern, first, tuple(paths))


def _describe_gap(pattern: Pattern, numbers: list[int], num_missing: int) -> str:
    first = next(a + 1 for a, b in itertools.pairwise(numbers) if b != a + 1)
    several = "" if num_missing == 1 else f", the first of {num_missing} missing frames"
    return (
        f"{pattern.path(first)}: frame {first} is missing{several}; "
        'render it, or repeat the frame before it with --missing hold (missing="hold")'
    )


def _similar(path: Path) -> str:
    """Name what the folder does hold, where that may be what was meant."""
    if not path.parent.is_dir():
        return f" (there is no folder {path.parent})"
    labels = [pattern.label for pattern in sequences_in(path.parent)]
    return f"; the folder holds {', '.join(labels[:3])}" + (", ..." if len(labels) > 3 else "") if labels else ""


def _escape(text: str) -> str:
    return text.replace("%", "%%")
