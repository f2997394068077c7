"""Read and write .cube files: 3D LUTs as exchanged by grading tools (Adobe, "Cube LUT Specification 1.0", 2013).

These functions convert text; callers read and write files. The table's order, red fastest, is that of `Lut3d`.
"""

from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import StringIO
from typing import NamedTuple

import numpy as np

from chromacord.color.transforms import LARGEST, Lut3d
from chromacord.errors import InputError
from chromacord.parsing import shown
from chromacord.types import FloatArray

SIZES = range(2, 130)
"""Supported nodes per side. The specification allows 256, but grading tools support 129 at most."""

_KEYWORDS = ("TITLE", "LUT_3D_SIZE", "DOMAIN_MIN", "DOMAIN_MAX", "LUT_3D_INPUT_RANGE")
_MAX_LINES = SIZES[-1] ** 3 + 100_000
_MAX_LENGTH = 10_000
"""Maximum characters per line; both limits bound what a small archive can unpack to."""

_LEAST_DOMAIN = 1e-6

_Row = tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Cube:
    """Content of a .cube file; calling it maps colours, taking the domain into account."""

    lut: Lut3d
    """LUT of one picture; its lattice spans the domain, not [0, 1]."""

    title: str = ""
    domain_min: _Row = (0.0, 0.0, 0.0)
    domain_max: _Row = (1.0, 1.0, 1.0)

    def __call__(self, image: FloatArray) -> FloatArray:
        """Map every pixel; input outside the domain is clamped to it. Shape (N, 3, H, W)."""
        low, high = (np.array(corner, np.float32)[:, None, None] for corner in (self.domain_min, self.domain_max))
        lut = self.lut.with_parameters(np.repeat(self.lut.parameters, len(image), axis=0))
        return lut((image - low) / (high - low))


class _Line(NamedTuple):
    """A line that is neither empty nor a comment."""

    number: int
    words: list[str]


def cube_text(lut: Lut3d, *, title: str, size: int = 33) -> str:
    """Format a LUT as .cube text. Values are not clamped.

    Args:
        lut: for one picture.
        title: title shown by tools; line breaks and quotation marks are replaced.
        size: nodes per side to write. A multiple of the LUT's own steps, plus 1, is lossless.

    Raises:
        ValueError: the LUT holds several maps, or values that are not finite.
    """
    values = lut.to_lut(size).parameters
    if len(values) != 1 or not np.isfinite(values).all():
        raise ValueError("a .cube file holds one map of finite values")
    shown = " ".join(title.replace('"', "'").split())
    rows = values[0].reshape(3, -1).T.tolist()
    head = f'TITLE "{shown}"\nLUT_3D_SIZE {size}\nDOMAIN_MIN 0.0 0.0 0.0\nDOMAIN_MAX 1.0 1.0 1.0\n'
    # Eight decimals: their rounding error of 5e-9 is three thousand times below a code of 16 bits.
    return head + "".join(f"{red:.8f} {green:.8f} {blue:.8f}\n" for red, green, blue in rows)


def parse_cube(content: str | bytes, *, name: str) -> Cube:
    """Parse the content of a .cube file.

    Args:
        content: text, or bytes in UTF-8 or Latin-1 (titles and comments of older tools).
        name: name of the file in messages.

    Raises:
        InputError: it is not a 3D .cube file; names the line if possible.
    """
    head: dict[str, _Line] = {}
    # Four bytes a number: a list of Python floats would take 200 MB for a LUT with 129 nodes per side, an array
    # takes 26.
    table, last = array("f"), 0
    for line in _lines(content if isinstance(content, str) else _decode(content), name):
        if _begins_number(line.words[0]):
            table.extend(_parse_row(line, line.words, name))
            last = line.number
        else:
            head[_keyword(line, name)] = line
    title, size, low, high = _parse_head(head, name)
    if len(table) != 3 * size**3:
        raise InputError(
            f"{name} has {len(table) // 3} rows of colours up to line {last}, but LUT_3D_SIZE {size} needs {size**3}; "
            "the file is truncated or its size line is wrong"
        )
    values = np.frombuffer(table, np.float32).reshape(size**3, 3).T
    return Cube(Lut3d(values.reshape(1, 3, size, size, size)), title, low, high)


def _decode(content: bytes) -> str:
    try:
        # Some Windows tools write a byte order mark, which would become part of the first keyword.
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        # Latin-1 gives every byte a character, so this never fails; only titles and comments can be affected.
        return content.decode("latin-1")


def _lines(text: str, name: str) -> Iterator[_Line]:
    """Yield lines that are neither empty nor comments, one at a time to bound memory."""
    # str.splitlines would also break at control characters in Latin-1 titles.
    stream, number = StringIO(text, newline=None), 0
    while line := stream.readline(_MAX_LENGTH + 1):
        number += 1
        if len(line) > _MAX_LENGTH or number > _MAX_LINES:
            what = f"has more than {_MAX_LINES:,} lines" if number > _MAX_LINES else "is too long"
            raise InputError(f"{name} line {number}: {what}; is this a .cube file?")
        words = line.split()
        if words and not words[0].startswith("#"):
            yield _Line(number, words)


def _begins_number(word: str) -> bool:
    """Whether a word starts a table row; "nan" counts as a number, so that it is refused as one."""
    return not word[0].isalpha() or word.lower() in ("nan", "inf", "infinity")


def _keyword(line: _Line, name: str) -> str:
    keyword = line.words[0]
    if keyword.startswith("LUT_1D"):
        raise InputError(f"{name} line {line.number}: this is a 1D LUT; a 3D LUT (LUT_3D_SIZE) is needed")
    if keyword not in _KEYWORDS or (keyword == "LUT_3D_INPUT_RANGE" and len(line.words) != 3):
        raise InputError(f"{name} line {line.number}: unknown keyword {shown(keyword)}; is this a .cube file?")
    return keyword


def _parse_head(head: Mapping[str, _Line], name: str) -> tuple[str, int, _Row, _Row]:
    """Return title, size and domain."""
    low, high = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    title = " ".join(head["TITLE"].words[1:]).strip('"') if "TITLE" in head else ""
    size = _parse_size(head["LUT_3D_SIZE"], name) if "LUT_3D_SIZE" in head else 0
    if line := head.get("LUT_3D_INPUT_RANGE"):
        bottom, top = (_parse_number(line, word, name) for word in line.words[1:])
        low, high = (bottom, bottom, bottom), (top, top, top)
    if line := head.get("DOMAIN_MIN"):
        low = _parse_row(line, line.words[1:], name)
    if line := head.get("DOMAIN_MAX"):
        high = _parse_row(line, line.words[1:], name)
    if not size:
        raise InputError(f"{name} has no LUT_3D_SIZE line; a 3D .cube file is needed")
    if any(top - bottom < _LEAST_DOMAIN for bottom, top in zip(low, high, strict=True)):
        raise InputError(f"{name}: DOMAIN_MIN {low} must lie below DOMAIN_MAX {high} in every channel")
    return title, size, low, high


def _parse_size(line: _Line, name: str) -> int:
    word = line.words[1] if len(line.words) == 2 else ""
    # The length is checked first because int() raises an error of its own beyond 4,300 digits.
    if not word.isdecimal() or len(word) > 9 or int(word) not in SIZES:
        raise InputError(
            f"{name} line {line.number}: LUT_3D_SIZE must be one number from {SIZES[0]} to {SIZES[-1]}, "
            f"got {shown(' '.join(line.words[1:]))}"
        )
    return int(word)


def _parse_number(line: _Line, word: str, name: str) -> float:
    try:
        value = float(word)
    except ValueError:
        # Fails the test below, so that text, NaN and numbers that are too large share one message.
        value = LARGEST * 2
    # Not `abs(value) > LARGEST`: that is false for NaN.
    if not abs(value) <= LARGEST:
        raise InputError(f"{name} line {line.number}: {shown(word)} is not a finite number up to {LARGEST:g}")
    return value


def _parse_row(line: _Line, words: list[str], name: str) -> _Row:
    if len(words) != 3:
        raise InputError(f"{name} line {line.number}: expected three numbers, got {shown(' '.join(words))}")
    red, green, blue = (_parse_number(line, word, name) for word in words)
    return red, green, blue
