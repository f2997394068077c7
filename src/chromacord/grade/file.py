"""Grades as JSON: exact enough to render again, plain enough to edit by hand.

    {"format": "chromacord grade", "version": 1, "method": "mkl", "consistency": "smooth", "rate": "25", "frames": 75,
     "shots": [{"start": 0, "stop": 75, "strength": 1.0,
                "keys": [{"frame": 0, "weight": 0.21, "transform": {"kind": "affine", ...}}, ...]}]}

A transform is one of

* `{"kind": "identity"}`
* `{"kind": "affine", "grid": [1, 1], "matrices": [[[r, g, b, offset], [...], [...]], ...]}`: one 3x4 matrix for each
  node of the grid, row by row; with a grid of 1 x 1 it holds for the whole picture
* `{"kind": "lut3d", "size": 17, "values": [[r, g, b], ...]}`: red fastest, as in a .cube file

A key may have a `confidence` in 0 to 1: how far the method trusted it. It is not needed to render.
"frames" of 2147483647 stand for a clip of any length.

Colours are display-referred R'G'B' in [0, 1]. Between two keys the render blends them; `strength` weakens a shot.
"""

import json
import math
import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from chromacord.color.transforms import AffineField, ColorTransform, Identity, Lut3d
from chromacord.errors import GradeFileError, UnreadableFileError
from chromacord.grade.keys import Grade, Key, Shot, check_consistency
from chromacord.parsing import parse_json, read_file, reason_of, shown
from chromacord.types import FloatArray

FORMAT, VERSION = "chromacord grade", 1
DIGITS = 6
"""Decimals that are written: a hundredth of a 16-bit step."""

MAX_BYTES = 1 << 30
"""Of a grade file that is read: half an hour of moving LUTs of 17 nodes a side, whose keys have 100 kB each."""

_END = 2**31
"""Numbers of frames lie below."""

_RATE = re.compile(r"\d{1,12}(\.\d{1,18}|/0*[1-9]\d{0,11})?", re.ASCII)
_REMEDY = "write one with --grade-out, or name a LUT or a CDL (.cube, .clf, .cdl)"


def grade_text(grade: Grade) -> str:
    """Return a grade as JSON, one key a line."""
    head = {
        "format": FORMAT,
        "version": VERSION,
        "method": grade.method,
        "consistency": grade.consistency,
        "rate": str(grade.rate),
        "frames": grade.num_frames,
    }
    lines = [json.dumps(head)[:-1] + ', "shots": [']
    for number, shot in enumerate(grade.shots):
        opening = json.dumps({"start": shot.start, "stop": shot.stop, "strength": shot.strength})
        keys = ",\n".join("  " + json.dumps(_key_to_json(key)) for key in shot.keys)
        end = "," if number + 1 < len(grade.shots) else ""
        lines.append(f'{opening[:-1]}, "keys": [\n{keys}\n]}}{end}')
    return "\n".join([*lines, "]}"]) + "\n"


def read_grade(path: Path) -> Grade:
    """Read a grade file.

    Raises:
        MissingFileError: there is no such file.
        GradeFileError: it is no grade file, or something in it cannot be used (says which key of which shot).
    """
    try:
        content = read_file(path, limit=MAX_BYTES, remedy=_REMEDY, missing=_REMEDY)
    except UnreadableFileError as error:
        raise GradeFileError(str(error)) from error
    data = parse_json(content, where=path, remedy=_REMEDY, kind=GradeFileError)
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise GradeFileError(f"{path}: is not a chromacord grade file; {_REMEDY}")
    if data.get("version") != VERSION:
        raise GradeFileError(f"{path}: has version {shown(data.get('version'))}, this chromacord reads {VERSION}")
    place = ["the head"]
    try:
        return _grade_from_json(data, place)
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        reason = f"{path}: {place[0]}: {reason_of(error)}"
        raise GradeFileError(f"{reason}; correct it, or write the file again with --grade-out") from error


def _grade_from_json(data: dict[str, Any], place: list[str]) -> Grade:
    """Build the grade; `place[0]` always says which part is being read, for the error message."""
    check_consistency(_text(data["consistency"]))
    rate, num_frames = _rate(data["rate"]), _whole(data["frames"])
    shots: list[Shot] = []
    for number, shot in enumerate(data["shots"], start=1):
        place[0] = f"shot {number}"
        keys = []
        start, stop, strength = _whole(shot["start"]), _whole(shot["stop"]), _number(shot.get("strength", 1))
        if start >= stop or (shots and start < shots[-1].stop):
            raise ValueError(f"start {start} and stop {stop} must increase, and not overlap the previous shot")
        if not 0 <= strength <= 1:
            raise ValueError(f"strength must lie in 0..1, got {strength}")
        for key in shot["keys"]:
            place[0] = f"shot {number}, the key of frame {shown(key.get('frame', '?'))}"
            keys.append(_key_from_json(key))
        place[0] = f"shot {number}"
        if [key.index for key in keys] != sorted({key.index for key in keys}):
            raise ValueError("the frames of the keys must increase")
        if len({(key.transform.kind, key.transform.parameters.shape) for key in keys}) > 1:
            raise ValueError("all keys of a shot need transforms of one kind and size")
        shots.append(Shot(start, stop, tuple(keys), strength))
    return Grade(tuple(shots), _text(data["method"]), data["consistency"], rate, num_frames)


def _whole(value: object) -> int:
    """Return the number of a frame, or how many of something there are."""
    number = _number(value)
    if not 0 <= number < _END or number != int(number):
        raise ValueError(f"expected a whole number from 0 on, got {shown(value)}")
    return int(number)


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"expected a number, got {shown(value)}")
    return float(value)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"expected text, got {shown(value)}")
    return value


def _rate(value: object) -> Fraction:
    """Return a rate, written as a number or a fraction. Not all that `Fraction` takes: "1e999999999" has no end."""
    written = str(value)
    if isinstance(value, bool) or not _RATE.fullmatch(written) or not (rate := Fraction(written)):
        raise ValueError(f"rate must be frames a second above 0, such as 25 or 24000/1001, got {shown(value)}")
    return rate


def _key_to_json(key: Key) -> dict[str, Any]:
    known = {} if key.confidence is None else {"confidence": round(key.confidence, DIGITS)}
    weight = round(key.weight, DIGITS)
    return {"frame": key.index, "weight": weight, **known, "transform": _transform_to_json(key.transform)}


def _key_from_json(data: dict[str, Any]) -> Key:
    confidence = None if data.get("confidence") is None else _number(data["confidence"])
    if confidence is not None and not 0 <= confidence <= 1:
        raise ValueError(f"confidence must lie in 0..1, got {confidence}")
    transform = _transform_from_json(data["transform"])
    return Key(_whole(data["frame"]), _number(data.get("weight", 1)), transform, confidence)


def _transform_to_json(transform: ColorTransform) -> dict[str, Any]:
    values = transform.parameters[0].astype(np.float64)
    if isinstance(transform, Lut3d):
        nodes = values.reshape(3, -1).T
        return {"kind": transform.kind, "size": transform.size, "values": _rounded(nodes.tolist())}
    if isinstance(transform, AffineField):
        grid = list(values.shape[-2:])
        matrices = values.reshape(3, 4, -1).transpose(2, 0, 1)
        return {"kind": transform.kind, "grid": grid, "matrices": _rounded(matrices.tolist())}
    return {"kind": transform.kind}


def _transform_from_json(data: dict[str, Any]) -> ColorTransform:
    kind = data["kind"]
    if kind == Identity.kind:
        return Identity.for_frames(1)
    if kind == Lut3d.kind:
        size = _whole(data["size"])
        nodes = _numbers(data["values"], (size**3, 3))
        return Lut3d(np.ascontiguousarray(nodes.T).reshape(1, 3, size, size, size))
    if kind == AffineField.kind:
        height, width = (_whole(length) for length in data["grid"])
        matrices = _numbers(data["matrices"], (height * width, 3, 4))
        return AffineField(np.ascontiguousarray(matrices.transpose(1, 2, 0)).reshape(1, 3, 4, height, width))
    raise ValueError(f"transform kind {shown(kind)} is not known")


def _numbers(values: object, shape: tuple[int, ...]) -> FloatArray:
    wanted = " x ".join(map(str, shape))
    try:
        numbers = np.array(values)
    except (OverflowError, TypeError, ValueError):
        raise ValueError(f"expected {wanted} numbers, got something else") from None
    if numbers.shape != shape:
        raise ValueError(f"expected {wanted} numbers, got {' x '.join(map(str, numbers.shape))}")
    if numbers.dtype.kind not in "biuf":  # text, null, or whole numbers without end
        raise ValueError(f"expected {wanted} numbers, got something else")
    with np.errstate(over="ignore"):  # `Key` refuses infinity
        return numbers.astype(np.float32)


def _rounded(values: Any) -> Any:
    """Round nested lists; JSON would spell all 17 digits otherwise."""
    if isinstance(values, list):
        return [_rounded(value) for value in values]
    return round(values, DIGITS) if math.isfinite(values) else values
