"""The text of .cube files: 3D LUTs as grading tools exchange them (Adobe, "Cube LUT Specification 1.0", 2013).

Text in, text out; reading and writing files is the caller's. The table's order, red fastest, is that of `Lut3d`.
"""

import math
import re
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from chromacord.color.transforms import Lut3d
from chromacord.errors import InputError

SIZES = range(2, 130)
"""Nodes a side that are read and written. The specification goes to 256, grading tools stop at 129 and before."""

_LINE_BREAK = re.compile("\r\n|\r|\n")  # str.splitlines would also break at control characters in Latin-1 titles

_Row = tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Cube:
    """What a .cube file holds. As a function it maps colours, its domain included."""

    lut: Lut3d
    """For one picture; its lattice spans the domain, not [0, 1]."""

    title: str = ""
    domain_min: _Row = (0.0, 0.0, 0.0)
    domain_max: _Row = (1.0, 1.0, 1.0)

    def __call__(self, image: Tensor) -> Tensor:
        """Map every pixel; input outside the domain is clamped to it. Shape (N, 3, H, W)."""
        low, high = (image.new_tensor(corner)[:, None, None] for corner in (self.domain_min, self.domain_max))
        lut = self.lut.with_parameters(self.lut.parameters.to(image).expand(len(image), -1, -1, -1, -1))
        return lut((image - low) / (high - low))


class _Line(NamedTuple):
    """A line that says something: neither empty nor a comment."""

    number: int
    words: list[str]


def cube_text(lut: Lut3d, *, title: str, size: int = 33) -> str:
    """Return the .cube text of a LUT. Values are not clamped.

    Args:
        lut: for one picture.
        title: what tools show; line breaks and quotation marks are replaced.
        size: nodes a side to write. A multiple of the LUT's own steps, plus 1, loses nothing.

    Raises:
        ValueError: the LUT holds several maps, or values that are not finite.
    """
    values = lut.to_lut(size).parameters.detach().cpu()
    if len(values) != 1 or not values.isfinite().all():
        raise ValueError("a .cube file holds one map of finite values")
    shown = " ".join(title.replace('"', "'").split())
    rows = values[0].flatten(1).T.tolist()
    head = f'TITLE "{shown}"\nLUT_3D_SIZE {size}\nDOMAIN_MIN 0.0 0.0 0.0\nDOMAIN_MAX 1.0 1.0 1.0\n'
    return head + "".join(f"{red:.8f} {green:.8f} {blue:.8f}\n" for red, green, blue in rows)


def parse_cube(content: str | bytes, *, name: str) -> Cube:
    """Read the content of a .cube file.

    Args:
        content: text, or bytes in UTF-8 or Latin-1 (titles and comments of older tools).
        name: what to call the file in messages.

    Raises:
        InputError: it is no 3D .cube file; the line is named where there is one.
    """
    text = content if isinstance(content, str) else _decode(content)
    head: list[_Line] = []
    table: list[_Line] = []
    for number, line in enumerate(_LINE_BREAK.split(text), start=1):
        words = line.split()
        if words and not words[0].startswith("#"):
            (table if _begins_number(words[0]) else head).append(_Line(number, words))
    title, size, low, high = _parse_head(head, name)
    return Cube(_parse_table(table, size, name), title, low, high)


def _decode(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _begins_number(word: str) -> bool:
    """Tell a row of the table from a keyword; "nan" is taken for a number, so that it is refused as one."""
    return not word[0].isalpha() or word.lower() in ("nan", "inf", "infinity")


def _parse_head(head: list[_Line], name: str) -> tuple[str, int, _Row, _Row]:
    """Return title, size and domain."""
    title, size, low, high = "", 0, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    for line in head:
        keyword = line.words[0]
        if keyword == "TITLE":
            title = " ".join(line.words[1:]).strip('"')
        elif keyword == "LUT_3D_SIZE":
            size = _parse_size(line, name)
        elif keyword == "DOMAIN_MIN":
            low = _parse_row(line, line.words[1:], name)
        elif keyword == "DOMAIN_MAX":
            high = _parse_row(line, line.words[1:], name)
        elif keyword == "LUT_3D_INPUT_RANGE" and len(line.words) == 3:
            bottom, top = (_parse_number(line, word, name) for word in line.words[1:])
            low, high = (bottom, bottom, bottom), (top, top, top)
        elif keyword.startswith("LUT_1D"):
            raise InputError(f"{name} line {line.number}: this is a 1D LUT; a 3D LUT (LUT_3D_SIZE) is needed")
        else:
            raise InputError(f"{name} line {line.number}: unknown keyword {keyword!r}; is this a .cube file?")
    if not size:
        raise InputError(f"{name} has no LUT_3D_SIZE line; a 3D .cube file is needed")
    if any(bottom >= top for bottom, top in zip(low, high, strict=True)):
        raise InputError(f"{name}: DOMAIN_MIN {low} must lie below DOMAIN_MAX {high} in every channel")
    return title, size, low, high


def _parse_size(line: _Line, name: str) -> int:
    word = line.words[1] if len(line.words) == 2 else ""
    if not word.isdecimal() or int(word) not in SIZES:
        raise InputError(
            f"{name} line {line.number}: LUT_3D_SIZE must be one number from {SIZES[0]} to {SIZES[-1]}, "
            f"got {' '.join(line.words[1:])!r}"
        )
    return int(word)


def _parse_number(line: _Line, word: str, name: str) -> float:
    try:
        value = float(word)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{name} line {line.number}: {word!r} is not a finite number")
    return value


def _parse_row(line: _Line, words: list[str], name: str) -> _Row:
    if len(words) != 3:
        raise InputError(f"{name} line {line.number}: expected three numbers, got {' '.join(words)!r}")
    red, green, blue = (_parse_number(line, word, name) for word in words)
    return red, green, blue


def _parse_table(table: list[_Line], size: int, name: str) -> Lut3d:
    """Return the LUT; rows beyond the last one, or too few, are named with the line where they end."""
    try:
        rows = [tuple(map(float, line.words)) for line in table]
    except ValueError:
        rows = []
    if not all(len(row) == 3 and math.isfinite(sum(row)) for row in rows) or len(rows) != len(table):
        rows = [_parse_row(line, line.words, name) for line in table]  # slower; raises and names the line
    if len(rows) != size**3:
        last = table[-1].number if table else 0
        raise InputError(
            f"{name} has {len(rows)} rows of colours up to line {last}, but LUT_3D_SIZE {size} needs {size**3}; "
            "the file is cut off or its size line is wrong"
        )
    values = torch.tensor(rows, dtype=torch.float32).T.reshape(1, 3, size, size, size)
    return Lut3d(values.contiguous())
