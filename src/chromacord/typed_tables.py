"""Check values against the declared types of dataclasses and constructors: recipes, cards, options."""

import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from numbers import Integral, Real
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

from chromacord.errors import InputError
from chromacord.parsing import shown

Built = TypeVar("Built")

END = 10**18
"""Exclusive upper bound of numbers."""

_WORDS: Mapping[object, str] = {
    int: "a whole number",
    float: "a number",
    str: "text",
    bool: "true or false",
    Mapping: "a table",
    Path: "a path",
}


def build(kind: type[Built], values: Mapping[str, Any], *, where: str, place: str = "") -> Built:
    """Build a dataclass from a TOML table.

    Args:
        kind: a dataclass of plain values and of tuples of such dataclasses. Its `__post_init__` may raise `InputError`.
        values: values by field name; lists become tuples, and tables in them dataclasses.
        where: name of the file in errors.
        place: prefix of the keys in errors, for a nested table.

    Raises:
        InputError: a key is missing, unknown, of the wrong type or out of range; names it.
    """
    known = {each.name: each for each in fields(kind)}  # type: ignore[arg-type]
    if unknown := sorted(values.keys() - known.keys()):
        names = shown(", ".join(unknown))[1:-1]
        raise InputError(f"{where}: {place}{names} is not known; choose one of {', '.join(known)}")
    required = [name for name, each in known.items() if each.default is MISSING and each.default_factory is MISSING]
    if missing := [name for name in required if name not in values]:
        raise InputError(f"{where}: {place}{', '.join(missing)} is missing; add it")
    plain = {
        name: _built(known[name].type, value, where=where, place=f"{place}{name}") for name, value in values.items()
    }
    try:
        check_fields(kind, plain)
        return kind(**plain)
    except InputError as error:
        raise InputError(f"{where}: {place}{error}") from error


def _built(declared: Any, value: object, *, where: str, place: str) -> object:
    """Convert the tables of a list to the declared dataclass."""
    inner = get_args(declared)
    if not isinstance(value, list) or not inner or not is_dataclass(inner[0]):
        return _as_tuple(value)
    kind: Any = inner[0]
    return tuple(
        build(kind, each, where=where, place=f"{place}[{number}].") if isinstance(each, dict) else each
        for number, each in enumerate(value)
    )


def check_fields(kind: type[Any], values: Mapping[str, Any]) -> None:
    """Check values against the types of a dataclass's fields.

    Args:
        kind: the dataclass.
        values: values by field name; lists are accepted as tuples.

    Raises:
        InputError: a value has the wrong type; names the field and the type.
    """
    for each in fields(kind):
        if each.name not in values:
            continue
        value = values[each.name]
        if not fits(_as_tuple(value), each.type):
            given = list(value) if isinstance(value, tuple) else value
            raise InputError(f"{each.name} must be {in_words(each.type)}, got {shown(given)}")
        if (stray := _stray_number(value)) is not None:
            raise InputError(f"{each.name} must be a finite number of at most 18 digits, got {shown(stray)}")


def fits(value: object, declared: Any) -> bool:
    """Whether a value has a declared type. Integers are accepted as floats, but booleans are not numbers.

    Args:
        value: anything.
        declared: a type, union, tuple, mapping or `Literal`; `Any` and missing annotations accept everything.
    """
    origin, inner = get_origin(declared), get_args(declared)
    if declared in (Any, inspect.Parameter.empty):
        return True
    if origin in (Union, UnionType):
        return any(fits(value, each) for each in inner)
    if origin is Literal:
        return isinstance(value, str | int) and value in inner
    if origin is tuple:
        kinds = inner[:1] * len(value) if inner[-1] is Ellipsis and isinstance(value, tuple) else inner
        return isinstance(value, tuple) and len(value) == len(kinds) and all(map(fits, value, kinds))
    if origin is Sequence:
        if not isinstance(value, Sequence) or isinstance(value, str | bytes):
            return False
        return all(fits(each, inner[0]) for each in value)
    if origin is Mapping:
        return isinstance(value, Mapping) and all(fits(each, inner[1]) for each in value.values())
    # In Python a boolean is an integer; in a recipe `steps = true` is a slip.
    if isinstance(value, bool):
        return declared in (bool, object)
    return isinstance(value, {float: Real, int: Integral}.get(declared, origin or declared))


def in_words(declared: Any) -> str:
    """Describe a field's type for users who write TOML.

    Args:
        declared: the type.
    """
    origin, inner = get_origin(declared), get_args(declared)
    if origin in (Union, UnionType):
        return " or ".join(in_words(each) for each in inner if each is not NoneType)
    if origin is Literal:
        return f"one of {', '.join(inner)}"
    if origin is tuple:
        item = in_words(inner[0]).removeprefix("a ")
        return f"a list of {item}s" if inner[-1] is Ellipsis else f"a list of {len(inner)} {item}s"
    if origin is Sequence:
        return f"a list of {in_words(inner[0]).removeprefix('a ')}s"
    if origin is Mapping and inner[1] is not Any:
        return f"a table with {in_words(inner[1])} for each key"
    article = "an" if declared.__name__[0] in "AEIOU" else "a"
    return _WORDS.get(origin or declared) or f"{article} {declared.__name__}"


def _as_tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def _stray_number(value: object) -> float | None:
    """Return a number that is not finite or too long, in a value or its items; None if there is none."""
    values = value.values() if isinstance(value, Mapping) else value if isinstance(value, tuple | list) else (value,)
    numbers: Iterator[Any] = (each for each in values if isinstance(each, Real))
    return next((each for each in numbers if not abs(each) < END), None)
