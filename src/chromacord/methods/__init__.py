"""Harmonization methods by name."""

import ast
import inspect
from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from chromacord.errors import INSTALL_TORCH, InputError, MissingTorchError, one_of
from chromacord.methods.base import Method
from chromacord.methods.spec import check_options, describe_options, parse_spec
from chromacord.parsing import at_home, reason_of, shown
from chromacord.weights import Card, card, list_weights

DEFAULT_METHOD = "shotgrade"

_CLASSES = {
    "identity": "chromacord.methods.identity.Identity",
    "reinhard": "chromacord.methods.reinhard.Reinhard",
    "mkl": "chromacord.methods.mkl.MKL",
    "histogram": "chromacord.methods.histogram.Histogram",
    "poisson": "chromacord.methods.poisson.Poisson",
    "shotgrade": "chromacord.methods.shotgrade.ShotGrade",
    "iih": "chromacord.lab.methods.iih.IIH",
    "issam": "chromacord.lab.methods.issam.ISSAM",
    "huang2019": "chromacord.lab.methods.huang2019.Huang2019",
    "dovenet": "chromacord.lab.methods.dovenet.DoveNet",
    "rainnet": "chromacord.lab.methods.rainnet.RainNet",
    "co2net": "chromacord.lab.methods.co2net.CO2Net",
    "chen2024": "chromacord.lab.methods.chen2024.Chen2024",
}
"""Module of each method's class. Those in `chromacord.lab` need torch."""


class _Methods(Mapping[str, type[Method]]):
    """Method classes by name; a module is imported when its class is first accessed."""

    def __getitem__(self, name: str) -> type[Method]:
        if lacks_torch(name):
            raise MissingTorchError(f"method {name!r}")
        module, _, kind = _CLASSES[name].rpartition(".")
        method: type[Method] = getattr(import_module(module), kind)
        return method

    def __iter__(self) -> Iterator[str]:
        return iter(_CLASSES)

    def __len__(self) -> int:
        return len(_CLASSES)

    def __contains__(self, name: object) -> bool:
        return name in _CLASSES


def lacks_torch(name: str) -> bool:
    """Whether a method needs torch, and torch is not installed.

    Args:
        name: a key of `METHODS`.
    """
    return _is_of_torch(name) and find_spec("torch") is None


def _is_of_torch(name: str) -> bool:
    return _CLASSES[name].startswith("chromacord.lab.")


METHODS: Mapping[str, type[Method]] = _Methods()
"""Every method's class by name."""


class MethodInfo(NamedTuple):
    """Properties by which users choose a method."""

    name: str
    description: str
    """One-line description."""

    is_global: bool
    """Whether its colour change is the same everywhere in the picture, so that a .cube file can represent it."""

    is_learned: bool
    has_weights: bool
    """Whether it runs without further files: it is not learned, or its weights ship."""

    install: str = ""
    """Command that installs its missing dependencies; "" if none are missing."""


def list_methods() -> tuple[MethodInfo, ...]:
    """Describe every method, in the order of `METHODS`."""
    return tuple(_describe_unread(name) if _is_of_torch(name) else _describe(name, METHODS[name]) for name in METHODS)


def _describe(name: str, method: type[Method]) -> MethodInfo:
    weights = _default_weights(method)
    has_weights = weights is None or weights in list_weights()
    is_global, is_learned = method.fitted != "field", weights is not None
    return MethodInfo(name, _first_line(method.__doc__), is_global, is_learned, has_weights)


def _describe_unread(name: str) -> MethodInfo:
    """Describe a torch method from its source: torch may be missing, and importing it takes 2 s.

    All of these methods are learned, load weights of their own name, and have a global grade fitted to their pixels.
    """
    module, _, kind = _CLASSES[name].rpartition(".")
    found = find_spec(module)
    assert found is not None
    assert found.origin is not None
    body = ast.parse(Path(found.origin).read_bytes()).body
    text = next(ast.get_docstring(each) for each in body if isinstance(each, ast.ClassDef) and each.name == kind)
    is_missing = lacks_torch(name)
    has_weights = name in list_weights()
    return MethodInfo(name, _first_line(text), True, True, has_weights, INSTALL_TORCH if is_missing else "")


def _first_line(text: str | None) -> str:
    return (text or "").strip().splitlines()[0].rstrip(".")


def methods_with_weights() -> tuple[str, ...]:
    """Return the names of the methods that run without further files, in the order of `METHODS`."""
    return tuple(info.name for info in list_methods() if info.has_weights and not info.install)


def _default_weights(method: type[Method]) -> str | None:
    """Return a learned method's default for `weights`; None for other methods."""
    parameter = inspect.signature(method).parameters.get("weights")
    return None if parameter is None else parameter.default


def lacks_weights(name: str) -> bool:
    """Whether a method is learned, ships without weights, and its name does not specify others.

    Args:
        name: as for `load_method`.

    Raises:
        InputError: the method does not exist.
    """
    spec = parse_spec(name)
    if spec.name not in METHODS:
        raise InputError(f"there is no method {shown(spec.name)}; {one_of(spec.name, METHODS)}")
    if "weights" in spec.options:
        return False
    return _default_weights(METHODS[spec.name]) not in (None, *list_weights())


def list_cards() -> tuple[Card, ...]:
    """Return the cards of shipped weights in the order of their methods in `METHODS`, others last."""
    order = [*METHODS, *sorted({card(name).method for name in list_weights()} - METHODS.keys())]
    cards = [card(name) for name in list_weights()]
    return tuple(sorted(cards, key=lambda each: (order.index(each.method), each.name)))


def with_weights(name: str, weights: str) -> str:
    """Add weights to a method's options: "issam:weights=FILE".

    Args:
        name: a learned method, with or without options.
        weights: the name of shipped weights, or a path.

    Raises:
        InputError: the method takes no weights, already has some, or the path cannot be written as an option.
    """
    spec = parse_spec(name)
    if "weights" in spec.options:
        raise InputError(f"method {shown(name)}: already names its weights; omit --weights")
    if spec.name in METHODS and "weights" not in inspect.signature(METHODS[spec.name]).parameters:
        raise InputError(f"method {shown(spec.name)}: is not learned and takes no weights; omit --weights")
    return f"{name}:weights={_option_value(weights)}"


def _option_value(weights: str) -> str:
    # The result is parsed like a name that a user typed, where a colon begins the next option.
    if ":" in weights or weights != weights.strip() or not weights:
        raise InputError(
            f"--weights {weights!r}: option values cannot contain a colon, or spaces at the ends; rename the file"
        )
    return weights


_WEIGHTS = ("weights", "backbone_weights")
"""Options of methods that name shipped weights or a file."""


def weights_files(name: str) -> tuple[Path, ...]:
    """Return the weights files in a method's name, without shipped ones."""
    options = parse_spec(name).options
    named = [str(options[option]) for option in _WEIGHTS if option in options]
    return tuple(at_home(weights) for weights in named if weights not in list_weights())


def with_absolute_paths(name: str) -> str:
    """Return a method's name with absolute paths of weights files.

    Raises:
        InputError: an absolute path cannot be written as an option.
    """
    method, *parts = name.split(":")
    for place, part in enumerate(parts):
        option, _, weights = (piece.strip() for piece in part.partition("="))
        if option in _WEIGHTS and weights not in list_weights():
            parts[place] = f"{option}={_option_value(str(at_home(weights).absolute()))}"
    return ":".join([method, *parts])


def load_method(name: str, **options: Any) -> Method:
    """Build a method in evaluation mode, with its weights.

    Args:
        name: a key of `METHODS`, optionally with options: "mkl:max_gain=2".
        **options: further keyword arguments of the method's class.

    Raises:
        InputError: the method does not exist, has no such option, or rejects a value; or it ships without weights and
            none are given.
    """
    if not isinstance(name, str):
        raise InputError(f"there is no method {shown(name)}; give a name of `list_methods()`")
    is_without_weights, spec = lacks_weights(name), parse_spec(name)
    twice = sorted(spec.options.keys() & options.keys())
    if twice:
        raise InputError(f"{shown(name)}: gives the option {shown(twice[0])}, which is also an argument; remove one")
    method, merged = METHODS[spec.name], {**spec.options, **options}
    check_options(spec.name, method, merged)
    if "weights" not in merged and is_without_weights:
        raise InputError(
            f"method {spec.name!r}: this version of chromacord ships no weights {_default_weights(method)!r}; "
            "train them (`chromacord train`) or import published ones (`chromacord weights import`), and name the "
            f"file: {spec.name}:weights=PATH.safetensors"
        )
    try:
        # torch builds modules in training mode; `on` sets evaluation mode, in which batch norms keep their
        # statistics.
        return method(**merged).on("cpu")
    except InputError:
        raise
    # torch raises RuntimeError for impossible shapes and for lack of memory.
    except (ArithmeticError, MemoryError, RuntimeError, TypeError, ValueError) as error:
        raise InputError(
            f"method {shown(name)} cannot be built: {reason_of(error)}; {describe_options(method)}"
        ) from error
