"""Harmonization methods, by the name that users give."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any, NamedTuple

from chromacord.errors import InputError
from chromacord.methods.base import Method

DEFAULT_METHOD = "poisson"

_CLASSES = {
    "identity": "Identity",
    "reinhard": "Reinhard",
    "mkl": "MKL",
    "histogram": "Histogram",
    "poisson": "Poisson",
}
"""The class in the module of the same name."""


class _Methods(Mapping[str, type[Method]]):
    """The classes by name; a module is imported when its class is asked for, not before."""

    def __getitem__(self, name: str) -> type[Method]:
        method: type[Method] = getattr(import_module(f"{__name__}.{name}"), _CLASSES[name])
        return method

    def __iter__(self) -> Iterator[str]:
        return iter(_CLASSES)

    def __len__(self) -> int:
        return len(_CLASSES)

    def __contains__(self, name: object) -> bool:
        return name in _CLASSES


METHODS: Mapping[str, type[Method]] = _Methods()
"""Every method's class, by its name."""


class MethodInfo(NamedTuple):
    """What a user chooses a method by."""

    name: str
    description: str
    """One line: what the method does."""

    is_global: bool
    """Whether its change of colour is the same everywhere in the picture, so that a .cube file can hold it."""


def list_methods() -> tuple[MethodInfo, ...]:
    """Describe every method, in the order of `METHODS`."""
    infos = []
    for name, method in METHODS.items():
        first_line = (method.__doc__ or "").strip().splitlines()[0]
        infos.append(MethodInfo(name, first_line.rstrip("."), method.fitted != "field"))
    return tuple(infos)


def load_method(name: str, **options: Any) -> Method:
    """Build a method, ready to harmonize: in evaluation mode, with its weights.

    Args:
        name: a key of `METHODS`.
        **options: keyword arguments of the method's class.

    Raises:
        InputError: there is no method of that name, or it has no such option.
    """
    if name not in METHODS:
        raise InputError(f"there is no method {name!r}; choose one of {', '.join(METHODS)}")
    try:
        return METHODS[name](**options).eval()
    except TypeError as error:
        raise InputError(f"method {name!r} cannot be built with the options {sorted(options)}: {error}") from error
