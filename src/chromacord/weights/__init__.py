"""Weights of learned methods: two files each, `<name>.safetensors` (float16) and its card, `<name>.toml`.

Weights that are shipped lie in this package; those of a user's own training, and those imported from checkpoints that
others published (float32: they must give what their authors' code gives), may lie anywhere.
"""

import hashlib
import os
from collections.abc import Mapping, Sequence
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from chromacord.errors import InputError, OutputError, UnreadableFileError
from chromacord.parsing import at_home, parse_errors, read_file
from chromacord.weights.cards import Card, Figures, ImportedCard, TrainingData, parse_card

__all__ = [
    "Card",
    "Figures",
    "ImportedCard",
    "TrainingData",
    "card",
    "fit",
    "fit_part",
    "list_weights",
    "load_into",
    "packed",
    "renamed",
    "save",
    "state_dict",
]

FOLDER: Traversable = resources.files(__name__)
"""Where shipped weights lie."""

_SUFFIX, _CARD_SUFFIX = ".safetensors", ".toml"

MAX_BYTES = 1 << 30
"""Of a file of weights that is read: eight times the largest network that was published for this task."""

_LONGEST = 200
"""Characters of a key that a message names."""

_SHOWN = 3
"""Keys that a message names."""


def list_weights() -> tuple[str, ...]:
    """Return the names of the shipped weights, sorted."""
    names = [each.name for each in FOLDER.iterdir()]
    return tuple(sorted(name.removesuffix(_CARD_SUFFIX) for name in names if name.endswith(_CARD_SUFFIX)))


def card(name: str) -> Card:
    """Read the card of shipped weights.

    Raises:
        InputError: there are no weights of that name, or their card cannot be used.
    """
    if name not in list_weights():
        raise InputError(f"there are no weights {name!r}; {_choice()}")
    file = FOLDER / f"{name}{_CARD_SUFFIX}"
    found = parse_card(file.read_bytes(), where=str(file))
    if found.name != name:
        raise InputError(f"{file}: the key 'name' must be {name!r}, like the file, got {found.name!r}")
    return found


def state_dict(source: str | Path) -> dict[str, Tensor]:
    """Read weights.

    Args:
        source: the name of shipped weights, or the path of a .safetensors file.

    Returns:
        Tensors by key: floats of any width as float32, others as they are.

    Raises:
        InputError: there are no weights of that name.
        MissingFileError: there is no such file.
        UnreadableFileError: the file is damaged.
    """
    is_shipped = isinstance(source, str) and source in list_weights()
    content = _read_shipped(str(source)) if is_shipped else _read_file(at_home(source))
    # RuntimeError and TypeError: of numbers that torch does not know, or in another number than the shape says.
    own = (SafetensorError, RuntimeError, TypeError)
    with parse_errors(source, *own, said="cannot be read as safetensors", remedy="copy or save it anew"):
        stored = safetensors.torch.load(content)
    return {key: tensor.float() if tensor.is_floating_point() else tensor for key, tensor in stored.items()}


def load_into(module: nn.Module, source: str | Path) -> None:
    """Give a module its weights; they must fit in every key and shape.

    Args:
        module: is changed.
        source: the name of shipped weights, or the path of a .safetensors file.

    Raises:
        InputError: the weights cannot be read, or are those of another module; names what does not fit.
    """
    fit(module, state_dict(source), source=source)


def fit(
    module: nn.Module, state: Mapping[str, Tensor], *, source: str | Path, names: Mapping[str, str] | None = None
) -> None:
    """Give a module tensors that were read already; they must fit in every key and shape.

    Args:
        module: is changed.
        state: tensors by key. Any shape.
        source: where they come from, for the message.
        names: the key in `state` for each key of the module, where others named them; None: they are the same.

    Raises:
        InputError: they are those of another module; names what does not fit, by the keys of `state`.
    """
    keys = names if names is not None else {key: key for key in module.state_dict()}
    try:
        module.load_state_dict(renamed(state, module, keys))
    except InputError as error:
        raise InputError(f"{source}: {error}") from error


def renamed(state: Mapping[str, Tensor], module: nn.Module, names: Mapping[str, str]) -> dict[str, Tensor]:
    """Give tensors that others named the keys of a module; they must fit in every key and shape.

    Args:
        state: tensors by their keys. Any shape.
        module: says which keys and shapes there must be.
        names: the key in `state` for each key of the module.

    Returns:
        Floats of any width as float32, others as they are.

    Raises:
        InputError: they are those of another module, or hold NaN or infinity; names what does not fit, by the keys of
            `state`.
    """
    wanted = module.state_dict()
    faults = {
        "missing": [names[key] for key in wanted if names[key] not in state],
        "unexpected": sorted(state.keys() - {names[key] for key in wanted}),
        "of another shape": [
            f"{names[key]} {tuple(state[names[key]].shape)} for {tuple(tensor.shape)}"
            for key, tensor in wanted.items()
            if names[key] in state and state[names[key]].shape != tensor.shape
        ],
    }
    said = [f"{what}: {_first(found)}" for what, found in faults.items() if found]
    if said:
        kind = type(module).__name__
        raise InputError(f"does not fit {kind} ({'; '.join(said)}); give weights that were trained for it")
    # Not before: a file of 1 kB may hold a tensor of one number that is repeated to a thousand million.
    return {key: _usable(names[key], state[names[key]]) for key in wanted}


def fit_part(module: nn.Module, state: Mapping[str, Tensor], *, source: str | Path) -> None:
    """Give a module tensors for some of its parts, each of them whole; the others stay as they are.

    A part is what a module holds under one name: half of it would be another network's, and the rest never trained.

    Args:
        module: is changed.
        state: tensors by key, of which the module has all. Any shape.
        source: where they come from, for the message.

    Raises:
        InputError: there are none, or the module does not have one of them, or in another shape, or a part lacks some,
            or one holds NaN or infinity; names the first.
    """
    whole = module.state_dict()
    others = sorted(key for key, tensor in state.items() if key not in whole or whole[key].shape != tensor.shape)
    parts = {_part(key) for key in state}
    lacking = [key for key in whole if _part(key) in parts and key not in state]
    if others or lacking or not state:
        kind = type(module).__name__
        what = "is empty"
        if others:
            what = f"has {_first(others)}, which it has not, or in another shape"
        elif lacking:
            what = f"lacks {_first(lacking)}"
        raise InputError(f"{source}: is no part of {kind}: {what}; give weights that were trained for a part of it")
    try:
        module.load_state_dict({**whole, **{key: _usable(key, tensor) for key, tensor in state.items()}})
    except InputError as error:
        raise InputError(f"{source}: {error}") from error


def save(state: Mapping[str, Tensor], path: Path) -> str:
    """Write weights as they are shipped: floats as float16, whole or not at all.

    Args:
        state: tensors by key. Any shape.
        path: a .safetensors file; replaced if it exists.

    Returns:
        The file's SHA-256 for the card, 64 hexadecimal digits.

    Raises:
        InputError: a tensor holds NaN, or values that float16 cannot hold; names it.
        OutputError: the file cannot be written.
    """
    if path.suffix != _SUFFIX:
        raise InputError(f"{path}: weights are saved as {_SUFFIX}; end the name so")
    content = packed(state)
    # The process's number keeps two runs apart; the name is hidden, so that nobody takes a part for the whole.
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror}; nothing was kept") from error
    finally:
        temporary.unlink(missing_ok=True)
    return hashlib.sha256(content).hexdigest()


def packed(state: Mapping[str, Tensor], *, dtype: torch.dtype = torch.float16) -> bytes:
    """Return what a .safetensors file of weights holds; equal weights give equal bytes.

    Args:
        state: tensors by key. Any shape.
        dtype: of its floats.

    Raises:
        InputError: a tensor holds NaN, or values that the type cannot hold; names it.
    """
    return safetensors.torch.save({key: _cast(key, tensor, dtype) for key, tensor in state.items()})


def _usable(key: str, tensor: Tensor) -> Tensor:
    """Return floats as float32, and refuse those that it cannot hold."""
    if not tensor.is_floating_point():
        return tensor
    cast = tensor.float()
    if not cast.isfinite().all():
        raise InputError(
            f"{_first([key])} holds NaN or infinity; the file is damaged, or its training failed: give another"
        )
    return cast


def _cast(key: str, tensor: Tensor, dtype: torch.dtype) -> Tensor:
    # A copy in any case: safetensors refuses tensors that share memory.
    cast = tensor.detach().to("cpu", dtype if tensor.is_floating_point() else tensor.dtype, copy=True)
    if not cast.isfinite().all():
        name, most, largest = str(dtype).removeprefix("torch."), torch.finfo(dtype).max, tensor.abs().max().item()
        raise InputError(f"{key}: {name} holds finite values up to {most:g}, got {largest:g}; train or scale it anew")
    return cast.contiguous()


def _read_shipped(name: str) -> bytes:
    file, expected = FOLDER / f"{name}{_SUFFIX}", card(name).sha256
    content = file.read_bytes() if file.is_file() else b""
    if hashlib.sha256(content).hexdigest() != expected:
        state = "is damaged, its SHA-256 is not that of its card" if content else "is missing or empty"
        raise UnreadableFileError(f"{file}: {state}; install chromacord anew")
    return content


def _read_file(path: Path) -> bytes:
    if path.suffix != _SUFFIX and os.path.isfile(path):  # noqa: PTH113 - of a name that is too long is_file raises
        raise InputError(
            f"{path}: is no {_SUFFIX} file; bring a published checkpoint in with `chromacord weights import`, and of a "
            f"run of training take RUN/NAME{_SUFFIX}"
        )
    if path.suffix != _SUFFIX:
        raise InputError(f"there are no weights {str(path)!r}; {_choice()}")
    return read_file(path, limit=MAX_BYTES, missing=_choice())


def _choice() -> str:
    names = ", ".join(list_weights())
    return f"choose one of {names}, or give a {_SUFFIX} file" if names else f"none are shipped, give a {_SUFFIX} file"


def _part(key: str) -> str:
    return key.partition(".")[0]


def _first(keys: Sequence[str]) -> str:
    more = len(keys) - _SHOWN
    # Keys of a file may hold anything, line breaks too.
    return ", ".join(repr(key[:_LONGEST])[1:-1] for key in keys[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
