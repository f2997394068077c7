"""Weights of learned methods: two files each, `<name>.safetensors` (float16) and its card, `<name>.toml`.

Shipped weights are in this package. A user's own weights, and imported published checkpoints (in float32, because they
must reproduce their authors' results), may be anywhere. This module reads them as arrays; `chromacord.lab.weight_files`
loads them into torch modules and saves them.
"""

import hashlib
import os
from collections.abc import Mapping, Sequence
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, deserialize

from chromacord.errors import InputError, UnreadableFileError, one_of
from chromacord.parsing import at_home, parse_errors, read_file
from chromacord.weights.cards import Card, Figures, ImportedCard, TrainingData, parse_card

__all__ = [
    "Card",
    "Figures",
    "ImportedCard",
    "TrainingData",
    "card",
    "check_fit",
    "damaged",
    "first_keys",
    "list_weights",
    "read_arrays",
]

Shapes = Mapping[str, tuple[int, ...]]
"""The shape of each tensor, by its key."""

FOLDER: Traversable = resources.files(__name__)
"""Location of shipped weights."""

SUFFIX, _CARD_SUFFIX = ".safetensors", ".toml"

MAX_BYTES = 1 << 30
"""Size limit of a weights file: eight times the largest network published for this task."""

_LONGEST = 200
"""Maximum characters of a key in messages."""

_SHOWN = 3
"""Maximum number of keys in messages."""

_TYPES: Mapping[str, npt.DTypeLike] = {
    "BOOL": np.bool_,
    "F64": np.float64,
    "F32": np.float32,
    "F16": np.float16,
    **{f"I{bits}": f"int{bits}" for bits in (8, 16, 32, 64)},
    **{f"U{bits}": f"uint{bits}" for bits in (8, 16, 32, 64)},
}
"""Number types by their name in safetensors; bfloat16, which numpy lacks, is handled separately."""


def list_weights() -> tuple[str, ...]:
    """Return the names of the shipped weights, sorted."""
    names = [each.name for each in FOLDER.iterdir()]
    return tuple(sorted(name.removesuffix(_CARD_SUFFIX) for name in names if name.endswith(_CARD_SUFFIX)))


def card(name: str) -> Card:
    """Read the card of shipped weights.

    Raises:
        InputError: the weights do not exist, or their card is invalid.
    """
    if name not in list_weights():
        raise InputError(f"there are no weights {name!r}; {_choice(name)}")
    file = FOLDER / f"{name}{_CARD_SUFFIX}"
    found = parse_card(file.read_bytes(), where=str(file))
    if found.name != name:
        raise InputError(f"{file}: the key 'name' must be {name!r}, like the file, got {found.name!r}")
    return found


def read_arrays(source: str | Path) -> dict[str, npt.NDArray[Any]]:
    """Read weights.

    Args:
        source: the name of shipped weights, or the path of a .safetensors file.

    Returns:
        Arrays by key: floats of any width as float32, others as they are.

    Raises:
        InputError: there are no weights of that name.
        MissingFileError: there is no such file.
        UnreadableFileError: the file is damaged.
    """
    is_shipped = isinstance(source, str) and source in list_weights()
    content = _read_shipped(str(source)) if is_shipped else _read_file(at_home(source))
    # Unknown number types, or a count that differs from the shape.
    own = (SafetensorError, LookupError, TypeError, ValueError)
    with parse_errors(source, *own, said="cannot be read as safetensors", remedy="copy or save it again"):
        return {key: _array(**stored) for key, stored in deserialize(content)}  # type: ignore[no-untyped-call]


def _array(dtype: str, shape: Sequence[int], data: bytes) -> npt.NDArray[Any]:
    if dtype == "BF16":  # the upper half of a float32
        return (np.frombuffer(data, np.uint16).astype(np.uint32) << 16).view(np.float32).reshape(shape)
    values = np.frombuffer(data, _TYPES[dtype]).reshape(shape)
    if not np.issubdtype(values.dtype, np.floating):
        return values.copy()
    with np.errstate(over="ignore"):  # infinity is reported when weights are loaded into a network
        return values.astype(np.float32)


def check_fit(found: Shapes, wanted: Shapes, names: Mapping[str, str], *, network: str) -> None:
    """Check that weights match a network in every key and shape.

    Args:
        found: shapes of the weights.
        wanted: shapes of the network.
        names: maps each key of the network to its key in `found`.
        network: name of the network in the message.

    Raises:
        InputError: they do not match; names the mismatch by the keys of `found`.
    """
    faults = {
        "missing": [names[key] for key in wanted if names[key] not in found],
        "unexpected": sorted(found.keys() - {names[key] for key in wanted}),
        "of another shape": [
            f"{names[key]} {found[names[key]]} for {shape}"
            for key, shape in wanted.items()
            if names[key] in found and found[names[key]] != shape
        ],
    }
    said = [f"{what}: {first_keys(keys)}" for what, keys in faults.items() if keys]
    if said:
        raise InputError(f"does not fit {network} ({'; '.join(said)}); give weights that were trained for it")


def damaged(key: str) -> InputError:
    """Return the error for a tensor with NaN, infinity, or values outside float32's range.

    Args:
        key: key of the tensor.
    """
    return InputError(
        f"{first_keys([key])} holds NaN or infinity; the file is damaged or its training failed; use other weights"
    )


def first_keys(keys: Sequence[str]) -> str:
    """Format the first of several keys for a message.

    Args:
        keys: keys as in the file.
    """
    more = len(keys) - _SHOWN
    # A file's keys may contain anything, including line breaks.
    return ", ".join(repr(key[:_LONGEST])[1:-1] for key in keys[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _read_shipped(name: str) -> bytes:
    file, expected = FOLDER / f"{name}{SUFFIX}", card(name).sha256
    content = file.read_bytes() if file.is_file() else b""
    # A wheel that was cut short or edited would otherwise give plausible, wrong grades.
    if hashlib.sha256(content).hexdigest() != expected:
        state = "is damaged, its SHA-256 is not that of its card" if content else "is missing or empty"
        raise UnreadableFileError(f"{file}: {state}; reinstall chromacord")
    return content


def _read_file(path: Path) -> bytes:
    if path.suffix != SUFFIX and os.path.isfile(path):  # noqa: PTH113 - Path.is_file raises on overlong names
        raise InputError(
            f"{path}: is not a {SUFFIX} file; import a published checkpoint with `chromacord weights import`; for a "
            f"training run, use RUN/NAME{SUFFIX}"
        )
    if path.suffix != SUFFIX:
        raise InputError(f"there are no weights {str(path)!r}; {_choice(str(path))}")
    return read_file(path, limit=MAX_BYTES, missing=_choice(path.stem))


def _choice(given: str) -> str:
    names = list_weights()
    return f"{one_of(given, names)}, or give a {SUFFIX} file" if names else f"none are shipped, give a {SUFFIX} file"
