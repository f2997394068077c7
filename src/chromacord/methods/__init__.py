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
"""Where each method's class is. Those of `chromacord.lab` need torch."""


class _Methods(Mapping[str, type[Method]]):
    """The classes by name; a module is imported when its class is asked for, not before."""

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
    """Whether a method runs in torch, and that is not installed.

    Args:
        name: a key of `METHODS`.
    """
    return _is_of_torch(name) and find_spec("torch") is None


def _is_of_torch(name: str) -> bool:
    return _CLASSES[name].startswith("chromacord.lab.")


METHODS: Mapping[str, type[Method]] = _Methods()
"""Every method's class, by its name."""


class MethodInfo(NamedTuple):
    """What a user chooses a method by."""

    name: str
    description: str
    """One line: what the method does."""

    is_global: bool
    """Whether its change of colour is the same everywhere in the picture, so that a .cube file can hold it."""

    is_learned: bool
    has_weights: bool
    """Whether it can be used as it is: it is not learned, or its weights are shipped."""

    install: str = ""
    """The command that installs what it needs and lacks; "" where nothing is missing."""


def list_methods() -> tuple[MethodInfo, ...]:
    """Describe every method, in the order of `METHODS`."""
    return tuple(_describe_unread(name) if _is_of_torch(name) else _describe(name, METHODS[name]) for name in METHODS)


def _describe(name: str, method: type[Method]) -> MethodInfo:
    weights = _default_weights(method)
    has_weights = weights is None or weights in list_weights()
    is_global, is_learned = method.fitted != "field", weights is not None
    return MethodInfo(name, _first_line(method.__doc__), is_global, is_learned, has_weights)


def _describe_unread(name: str) -> MethodInfo:
    """Describe a method of torch without an import: it may not be there, and takes 2 s.

    All of them are learned, load weights of their own name, and have a global grade fitted to their pixels.
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
    """Return the names of the methods that can be used as they are, in the order of `METHODS`."""
    return tuple(info.name for info in list_methods() if info.has_weights and not info.install)


def _default_weights(method: type[Method]) -> str | None:
    """Return what a learned method's constructor loads if nothing is said; None for methods that are not learned."""
    parameter = inspect.signature(method).parameters.get("weights")
    return None if parameter is None else parameter.default


def lacks_weights(name: str) -> bool:
    """Whether a method is learned, none of its weights ship with this version, and its name does not say others.

    Args:
        name: what `load_method` takes.

    Raises:
        InputError: there is no such method.
    """
    spec = parse_spec(name)
    if spec.name not in METHODS:
        raise InputError(f"there is no method {shown(spec.name)}; {one_of(spec.name, METHODS)}")
    if "weights" in spec.options:
        return False
    return _default_weights(METHODS[spec.name]) not in (None, *list_weights())


def list_cards() -> tuple[Card, ...]:
    """Return the cards of the weights that are shipped, in the order of their methods in `METHODS`, others last."""
    order = [*METHODS, *sorted({card(name).method for name in list_weights()} - METHODS.keys())]
    cards = [card(name) for name in list_weights()]
    return tuple(sorted(cards, key=lambda each: (order.index(each.method), each.name)))


def with_weights(name: str, weights: str) -> str:
    """Return the name of a method with weights among its options: "issam:weights=FILE".

    Args:
        name: of a learned method, with options if wanted.
        weights: the name of shipped weights, or a path.

    Raises:
        InputError: the method takes none, or `name` says which already, or no option can hold the path.
    """
    spec = parse_spec(name)
    if "weights" in spec.options:
        raise InputError(f"method {shown(name)}: already names its weights; omit --weights")
    if spec.name in METHODS and "weights" not in inspect.signature(METHODS[spec.name]).parameters:
        raise InputError(f"method {shown(spec.name)}: is not learned and takes no weights; omit --weights")
    if ":" in weights or weights != weights.strip() or not weights:
        raise InputError(
            f"--weights {weights!r}: option values cannot contain a colon, or spaces at the ends; rename the file"
        )
    return f"{name}:weights={weights}"


def weights_file(name: str) -> Path | None:
    """Return the file that a method's name says its weights are in; None where it names none, or shipped ones."""
    weights = parse_spec(name).options.get("weights")
    return None if weights is None or weights in list_weights() else at_home(str(weights))


def load_method(name: str, **options: Any) -> Method:
    """Build a method, ready to harmonize: in evaluation mode, with its weights.

    Args:
        name: a key of `METHODS`, and options behind it if wanted: "mkl:max_gain=2".
        **options: more keyword arguments of the method's class.

    Raises:
        InputError: there is no method of that name, it has no such option, or an option cannot have that value; or
            no weights are shipped for it and none are named.
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
            f"method {spec.name!r}: there are no weights {_default_weights(method)!r} with this version of chromacord; "
            "train them (`chromacord train`) or import published ones (`chromacord weights import`), and name the "
            f"file: {spec.name}:weights=PATH.safetensors"
        )
    try:
        return method(**merged).on("cpu")
    except InputError:
        raise
    # RuntimeError is torch's, for shapes that cannot be and memory that is not there.
    except (ArithmeticError, MemoryError, RuntimeError, TypeError, ValueError) as error:
        raise InputError(
            f"method {shown(name)} cannot be built: {reason_of(error)}; {describe_options(method)}"
        ) from error
