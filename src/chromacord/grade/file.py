"""Grade files: JSON that renders exactly and can be edited by hand.

    {"format": "chromacord grade", "version": 2, "method": "mkl", "consistency": "smooth", "rate": "25", "frames": 75,
     "shots": [{"start": 0, "stop": 75, "strength": 1.0,
                "parametric": {"exposure": 0.31, "temperature": -12.0, "tint": 2.5, "contrast": 1.04, "pivot": 0.4894,
                               "black": 0.004, "saturation": 0.95},
                "keys": [{"frame": 0, "weight": 0.21, "residual": {"kind": "affine", ...}}, ...]}]}

The `parametric` numbers state a shot's grade in familiar units: stops, mired (above 0 is warmer), CC (above 0 is
towards magenta), an exponent around a pivot, the new value of black, and a factor (see `chromacord.Parametric`). A
key's `residual` is the rest of its grade, which stays when the numbers are edited. It is one of

* `{"kind": "identity"}`: nothing
* `{"kind": "affine", "grid": [1, 1], "matrices": [[[r, g, b, offset], [...], [...]], ...]}`: one 3x4 matrix, added to
  the parametric one, for each node of the grid, row by row; with a grid of 1 x 1 it holds for the whole picture
* `{"kind": "lut3d", "size": 17, "values": [[r, g, b], ...]}`: the value added at each node; red fastest, as in .cube

A key may have a `confidence` in 0 to 1, the estimated probability that its grade improves the match; rendering ignores
it.
A value of 2147483647 for "frames" means a clip of any length.

Colours are display-referred R'G'B' in [0, 1], as in SDR video. The renderer interpolates between keys; `strength`
weakens a shot, as one number or as {"tone": 0.5, "colour": 1.0}.

In version 1, which can be read too, shots have no `parametric` numbers, and keys have a complete `transform` instead of
a residual.
"""

import json
import math
import re
from dataclasses import asdict, fields
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from chromacord.color.parameters.parametric import Parametric
from chromacord.color.transforms import AffineField, ColorTransform, Identity, Lut3d
from chromacord.errors import GradeFileError, UnreadableFileError
from chromacord.grade.by_hand import Hand, Strength, as_strength
from chromacord.grade.keys import Grade, Key, Shot, check_consistency
from chromacord.grade.parts import joined, parametric_part, residual_of
from chromacord.parsing import parse_json, read_file, reason_of, shown
from chromacord.types import FloatArray

FORMAT, VERSION = "chromacord grade", 2
_READ = (1, VERSION)
DIGITS = 6
"""Number of decimals: a hundredth of a 16-bit step."""

MAX_BYTES = 1 << 30
"""Size limit of grade files: half an hour of moving LUTs with 17 nodes per side, at 100 kB per key."""

_END = 2**31
"""Exclusive upper bound of frame numbers."""

_RATE = re.compile(r"\d{1,12}(\.\d{1,18}|/0*[1-9]\d{0,11})?", re.ASCII)
_REMEDY = "write one with --grade-out, or name a LUT or a CDL (.cube, .clf, .cdl)"


def grade_text(grade: Grade) -> str:
    """Return a grade as JSON, one key per line."""
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
        lines.append(_shot_text(shot) + ("," if number + 1 < len(grade.shots) else ""))
    return "\n".join([*lines, "]}"]) + "\n"


def _shot_text(shot: Shot) -> str:
    # The format stores a strength for each shot, but no other manual changes, so those are applied to the keys.
    stored = shot if shot.hand.only_weakens else shot.settled
    base = parametric_part(stored.keys)
    head: dict[str, Any] = {
        "start": stored.start,
        "stop": stored.stop,
        "strength": _strength_to_json(stored.hand.strength),
    }
    if stored.keys:
        head["parametric"] = asdict(base)
    keys = ",\n".join("  " + json.dumps(_key_to_json(key, base)) for key in stored.keys)
    return f'{json.dumps(head)[:-1]}, "keys": [\n{keys}\n]}}'


def _strength_to_json(strength: Strength) -> float | dict[str, float]:
    return strength.tone if strength.tone == strength.colour else asdict(strength)


def read_grade(path: Path) -> Grade:
    """Read a grade file.

    Raises:
        MissingFileError: there is no such file.
        GradeFileError: it is not a grade file, or a value in it is invalid (says which key of which shot).
    """
    try:
        content = read_file(path, limit=MAX_BYTES, remedy=_REMEDY, missing=_REMEDY)
    except UnreadableFileError as error:
        raise GradeFileError(str(error)) from error
    data = parse_json(content, where=path, remedy=_REMEDY, kind=GradeFileError)
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise GradeFileError(f"{path}: is not a chromacord grade file; {_REMEDY}")
    # True equals 1 in Python, so JSON's true would pass as version 1.
    if data.get("version") not in _READ or isinstance(data["version"], bool):
        known = " and ".join(map(str, _READ))
        raise GradeFileError(f"{path}: has version {shown(data.get('version'))}, this chromacord reads {known}")
    place = ["the head"]
    try:
        return _grade_from_json(data, place)
    # The parser does not check types; these are the exceptions that wrong ones cause.
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        reason = f"{path}: {place[0]}: {reason_of(error)}"
        raise GradeFileError(f"{reason}; correct it, or write the file again with --grade-out") from error


def _grade_from_json(data: dict[str, Any], place: list[str]) -> Grade:
    """Build the grade; `place[0]` always names the part being read, for error messages."""
    check_consistency(_text(data["consistency"]))
    rate, num_frames = _rate(data["rate"]), _whole(data["frames"])
    shots: list[Shot] = []
    for number, shot in enumerate(data["shots"], start=1):
        place[0] = f"shot {number}"
        keys = []
        start, stop, strength = _whole(shot["start"]), _whole(shot["stop"]), _strength(shot.get("strength", 1))
        base = _parametric(shot.get("parametric", {})) if data["version"] == VERSION else None
        if start >= stop or (shots and start < shots[-1].stop):
            raise ValueError(f"start {start} and stop {stop} must increase, and not overlap the previous shot")
        for key in shot["keys"]:
            place[0] = f"shot {number}, the key of frame {shown(key.get('frame', '?'))}"
            keys.append(_key_from_json(key, base))
        place[0] = f"shot {number}"
        # Equal only if the numbers increase and none is repeated.
        if [key.index for key in keys] != sorted({key.index for key in keys}):
            raise ValueError("the frames of the keys must increase")
        if len({(key.transform.kind, key.transform.parameters.shape) for key in keys}) > 1:
            raise ValueError("all keys of a shot need transforms of one kind and size")
        shots.append(Shot(start, stop, tuple(keys), Hand(strength)))
    return Grade(tuple(shots), _text(data["method"]), data["consistency"], rate, num_frames)


def _strength(value: object) -> Strength:
    if not isinstance(value, dict):
        return as_strength(_number(value))
    _check_names(value, Strength)
    return Strength(**{name: _number(part) for name, part in value.items()})


def _parametric(value: object) -> Parametric:
    if not isinstance(value, dict):
        raise ValueError(f"expected parametric numbers by their names, got {shown(value)}")
    _check_names(value, Parametric)
    return Parametric(**{name: _number(part) for name, part in value.items()}).checked()


def _check_names(value: dict[str, Any], kind: type[Parametric] | type[Strength]) -> None:
    known = [each.name for each in fields(kind)]
    if unknown := [name for name in value if name not in known]:
        raise ValueError(f"{shown(unknown[0])} is not known; choose one of {', '.join(known)}")


def _whole(value: object) -> int:
    """Return a frame number or a count."""
    number = _number(value)
    # The range comes first, because int() of NaN or infinity raises other errors.
    if not 0 <= number < _END or number != int(number):
        raise ValueError(f"expected a whole number of 0 or more, got {shown(value)}")
    return int(number)


def _number(value: object) -> float:
    # bool is a subclass of int, so JSON's true would pass as 1.
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"expected a number, got {shown(value)}")
    return float(value)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"expected text, got {shown(value)}")
    return value


def _rate(value: object) -> Fraction:
    """Parse a rate, as a number or a fraction. `Fraction` alone would not terminate on "1e999999999"."""
    written = str(value)
    if isinstance(value, bool) or not _RATE.fullmatch(written) or not (rate := Fraction(written)):
        raise ValueError(f"rate must be frames a second above 0, such as 25 or 24000/1001, got {shown(value)}")
    return rate


def _key_to_json(key: Key, base: Parametric) -> dict[str, Any]:
    known = {} if key.confidence is None else {"confidence": round(key.confidence, DIGITS)}
    # A foreground of a few pixels may get a weight of 0 here; `mean_of` allows for that.
    weight = round(key.weight, DIGITS)
    return {
        "frame": key.index,
        "weight": weight,
        **known,
        "residual": _transform_to_json(residual_of(key.transform, base)),
    }


def _key_from_json(data: dict[str, Any], base: Parametric | None) -> Key:
    confidence = None if data.get("confidence") is None else _number(data["confidence"])
    if confidence is not None and not 0 <= confidence <= 1:
        raise ValueError(f"confidence must lie in 0..1, got {confidence}")
    if base is None:
        transform = _transform_from_json(data["transform"])
    else:
        transform = joined(_transform_from_json(data["residual"]), base)
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
    if numbers.dtype.kind not in "biuf":  # text, null, or integers beyond 64 bits
        raise ValueError(f"expected {wanted} numbers, got something else")
    with np.errstate(over="ignore"):  # `Key` refuses infinity
        return numbers.astype(np.float32)


def _rounded(values: Any) -> Any:
    """Round nested lists, because JSON would write up to 17 digits."""
    if isinstance(values, list):
        return [_rounded(value) for value in values]
    return round(values, DIGITS) if math.isfinite(values) else values
