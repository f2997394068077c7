"""Parse method names with options, such as `mkl:max_gain=2`."""

import inspect
import math
import re
from collections.abc import Mapping
from typing import NamedTuple

from chromacord.errors import InputError, did_you_mean
from chromacord.methods.base import Method
from chromacord.parsing import shown
from chromacord.typed_tables import fits

MAX_WIDTH = 256
"""Channels at a picture's own side: four times those of the widest network that was published."""

_MOST = {"width": MAX_WIDTH, "lut_size": 65}
_MOST_OF_OTHERS = 4096
_LONGEST = 18
"""Digits of a whole number; one of more is read as a float, which no option of whole numbers takes."""

Scalar = bool | int | float | str

_INTEGER = re.compile(r"[+-]?\d+")
_FLOAT = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


class Spec(NamedTuple):
    """A method as it was named."""

    name: str
    """The part before the options; not checked against the known methods."""

    options: Mapping[str, Scalar]


def parse_spec(text: str) -> Spec:
    """Read `NAME` or `NAME:option=value:option=value`.

    Values are read like those of TOML: true and false, whole numbers, numbers with a point or an exponent; anything
    else is text, without quotation marks.

    Raises:
        InputError: an option is not written so, or stands there twice.
    """
    name, *rest = (part.strip() for part in text.split(":"))
    options: dict[str, Scalar] = {}
    for part in rest:
        option, equals, value = (piece.strip() for piece in part.partition("="))
        if not (option and equals and value):
            raise InputError(f"{shown(text)}: {shown(part)} is not an option; write NAME:option=value:option=value")
        if option in options:
            raise InputError(f"{shown(text)}: gives the option {shown(option)} twice; remove one")
        options[option] = _scalar(value)
    return Spec(name, options)


def base_name(text: str) -> str:
    """Return what stands before the options, of any text."""
    return text.partition(":")[0].strip()


def check_options(name: str, method: type[Method], options: Mapping[str, object]) -> None:
    """Refuse options that a method does not have, and values of another type than its constructor states.

    Raises:
        InputError: names the option, and all that the method has.
    """
    known = _parameters(method)
    for option, value in options.items():
        if option not in known:
            what = f"method {shown(name)} has no option {shown(option)}{did_you_mean(option, known)}"
            raise InputError(f"{what}; {describe_options(method)}")
        if not fits(value, known[option].annotation):
            raise InputError(
                f"method {shown(name)}: the option {shown(option)} cannot be {shown(value)}; {describe_options(method)}"
            )
        is_float = fits(0.5, known[option].annotation)
        if isinstance(value, int | float) and not isinstance(value, bool):
            _check_bounds(
                f"method {shown(name)}: the option {shown(option)}",
                value,
                _MOST.get(option, _MOST_OF_OTHERS),
                is_float=is_float,
            )


def _check_bounds(what: str, value: float, most: int, *, is_float: bool) -> None:
    """Refuse sizes that no network has, and floats that are not finite: what an option asks for is allocated."""
    if not is_float and not 0 <= value <= most:
        raise InputError(f"{what} must lie in 0..{most}, got {shown(value)}")
    if abs(value) == math.inf:
        raise InputError(f"{what} must be a finite number, got {value}")


def describe_options(method: type[Method]) -> str:
    """Return, for messages, the options of a method with their types and defaults."""
    known = _parameters(method).values()
    return f"its options are {', '.join(str(each) for each in known)}" if known else "it has none"


def _parameters(method: type[Method]) -> dict[str, inspect.Parameter]:
    # Where a module of torch has no constructor of its own, the signature is nn.Module's *args and **kwargs.
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    signature = inspect.signature(method, eval_str=True)
    return {name: each for name, each in signature.parameters.items() if each.kind in named}


def _scalar(text: str) -> Scalar:
    if text in ("true", "false"):
        return text == "true"
    if _INTEGER.fullmatch(text) and len(text) <= _LONGEST:
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text
