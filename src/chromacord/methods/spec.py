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
"""Maximum width of a network's layers: four times that of the widest published network."""

_MOST = {"width": MAX_WIDTH, "lut_size": 65}
_MOST_OF_OTHERS = 4096
_LONGEST = 18
"""Maximum digits of an integer option; longer ones parse as floats, which integer options reject."""

Scalar = bool | int | float | str

_INTEGER = re.compile(r"[+-]?\d+")
_FLOAT = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


class Spec(NamedTuple):
    """A parsed method name."""

    name: str
    """The part before the options, not checked against known methods."""

    options: Mapping[str, Scalar]


def parse_spec(text: str) -> Spec:
    """Parse `NAME` or `NAME:option=value:option=value`.

    Values follow TOML: booleans, integers, floats with a point or an exponent; anything else is text without quotes.

    Raises:
        InputError: an option is malformed or given twice.
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
    """Return the part before the options, for any text."""
    return text.partition(":")[0].strip()


def check_options(name: str, method: type[Method], options: Mapping[str, object]) -> None:
    """Check options against the signature of a method's constructor.

    Raises:
        InputError: an option does not exist or has the wrong type; lists all options of the method.
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
    """Refuse absurd sizes and non-finite floats: memory is allocated for what an option asks."""
    if not is_float and not 0 <= value <= most:
        raise InputError(f"{what} must lie in 0..{most}, got {shown(value)}")
    if abs(value) == math.inf:
        raise InputError(f"{what} must be a finite number, got {value}")


def describe_options(method: type[Method]) -> str:
    """List the options of a method with their types and defaults, for messages."""
    known = _parameters(method).values()
    return f"its options are {', '.join(str(each) for each in known)}" if known else "it has none"


def _parameters(method: type[Method]) -> dict[str, inspect.Parameter]:
    # torch modules without a constructor have nn.Module's signature, *args and **kwargs.
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    signature = inspect.signature(method, eval_str=True)
    return {name: each for name, each in signature.parameters.items() if each.kind in named}


def _scalar(text: str) -> Scalar:
    if text in ("true", "false"):
        return text == "true"
    if _INTEGER.fullmatch(text) and len(text) <= _LONGEST:
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text
