"""Load weights into torch modules, and save them in the format that ships."""

import hashlib
import math
import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor, nn

from chromacord.errors import InputError, OutputError, one_of
from chromacord.weights import SUFFIX, check_fit, damaged, first_keys, read_arrays


def state_dict(source: str | Path) -> dict[str, Tensor]:
    """Read weights. See `chromacord.weights.read_arrays`.

    Args:
        source: the name of shipped weights, or the path of a .safetensors file.

    Returns:
        Tensors by key: floats of any width as float32, others as they are.

    Raises:
        InputError: there are no weights of that name.
        MissingFileError: there is no such file.
        UnreadableFileError: the file is damaged.
    """
    return {key: torch.from_numpy(values) for key, values in read_arrays(source).items()}


def load_into(module: nn.Module, source: str | Path) -> None:
    """Load weights into a module; every key and shape must match.

    Args:
        module: modified in place.
        source: the name of shipped weights, or the path of a .safetensors file.

    Raises:
        InputError: the weights cannot be read, or belong to another module; names the mismatch.
    """
    fit(module, state_dict(source), source=source)


def fit(
    module: nn.Module, state: Mapping[str, Tensor], *, source: str | Path, names: Mapping[str, str] | None = None
) -> None:
    """Load tensors into a module; every key and shape must match.

    Args:
        module: modified in place.
        state: tensors by key. Any shape.
        source: the tensors' origin, for error messages.
        names: maps each key of the module to its key in `state`; None if they are the same.

    Raises:
        InputError: the tensors belong to another module; names the mismatch by the keys of `state`.
    """
    keys = names if names is not None else {key: key for key in module.state_dict()}
    try:
        module.load_state_dict(renamed(state, module, keys))
    except InputError as error:
        raise InputError(f"{source}: {error}") from error


def renamed(state: Mapping[str, Tensor], module: nn.Module, names: Mapping[str, str]) -> dict[str, Tensor]:
    """Rename published tensors to the keys of a module; every key and shape must match.

    Args:
        state: tensors by their published keys. Any shape.
        module: defines the required keys and shapes.
        names: maps each key of the module to its key in `state`.

    Returns:
        Floats of any width as float32, others as they are.

    Raises:
        InputError: the tensors belong to another module, or hold NaN or infinity; names the mismatch by the keys of
            `state`.
    """
    wanted, found = (
        {key: tuple(tensor.shape) for key, tensor in each.items()} for each in (module.state_dict(), state)
    )
    check_fit(found, wanted, names, network=type(module).__name__)
    # Only after shapes were checked: a 1 kB file may hold one number expanded to a tensor of a billion.
    return {key: _usable(names[key], state[names[key]]) for key in wanted}


def fit_part(module: nn.Module, state: Mapping[str, Tensor], *, source: str | Path) -> None:
    """Load tensors into complete parts of a module; other parts keep their values.

    A part is a direct child of the module. Incomplete parts are refused: they belong to another network, and the rest
    would stay untrained.

    Args:
        module: modified in place.
        state: tensors by key, all of them keys of the module. Any shape.
        source: the tensors' origin, for error messages.

    Raises:
        InputError: `state` is empty, a key or shape does not match the module, a part is incomplete, or a tensor holds
            NaN or infinity; names the first.
    """
    whole = module.state_dict()
    others = sorted(key for key, tensor in state.items() if key not in whole or whole[key].shape != tensor.shape)
    parts = {_part(key) for key in state}
    lacking = [key for key in whole if _part(key) in parts and key not in state]
    if others or lacking or not state:
        kind = type(module).__name__
        what = "is empty"
        if others:
            what = f"has {first_keys(others)}, which this method lacks or has in another shape"
        elif lacking:
            what = f"lacks {first_keys(lacking)}"
        raise InputError(f"{source}: is not part of {kind}: {what}; give weights that were trained for a part of it")
    try:
        module.load_state_dict({**whole, **{key: _usable(key, tensor) for key, tensor in state.items()}})
    except InputError as error:
        raise InputError(f"{source}: {error}") from error


def mean(
    states: Mapping[str, Mapping[str, Tensor]], shares: Sequence[float], *, kept: Collection[str] = ()
) -> dict[str, Tensor]:
    """Average weights of one network: often better than any of them, if training took them from common weights.

    Args:
        states: tensors by key, by their origin for error messages. Any shape.
        shares: of each in the mean, relative to their sum.
        kept: keys to take from the first, unaveraged.

    Raises:
        InputError: they belong to different networks, shares do not fit, or a key does not exist.
    """
    first, *others = states.items()
    if len(shares) != len(states) or not all(share >= 0 for share in shares) or not 0 < sum(shares) < math.inf:
        raise InputError(
            f"shares: {len(states)} weights need {len(states)} numbers of 0 or more, one above 0, "
            f"got {', '.join(f'{share:g}' for share in shares) or 'none'}"
        )
    wanted = _shapes(first[1])
    for source, state in others:
        try:
            check_fit(_shapes(state), wanted, {key: key for key in wanted}, network=first[0])
        except InputError as error:
            raise InputError(f"{source}: {error}") from error
    for key in kept:
        if key not in first[1]:
            raise InputError(f"{first[0]}: {one_of(key, first[1])}, got {key!r}")
    parts = [share / sum(shares) for share in shares]
    averaged = dict(first[1])
    for key, tensor in averaged.items():
        if key not in kept and tensor.is_floating_point():
            each = torch.stack([part * state[key] for part, state in zip(parts, states.values(), strict=True)])
            averaged[key] = each.sum(dim=0)
    return averaged


def save(state: Mapping[str, Tensor], path: Path) -> str:
    """Save weights as they ship, with floats as float16. The file appears complete or not at all.

    Args:
        state: tensors by key. Any shape.
        path: a .safetensors file; replaced if it exists.

    Returns:
        The file's SHA-256 for the card, 64 hexadecimal digits.

    Raises:
        InputError: a tensor holds NaN, or values that float16 cannot hold; names it.
        OutputError: the file cannot be written.
    """
    if path.suffix != SUFFIX:
        raise InputError(f"{path}: weights are saved as {SUFFIX}; use this extension")
    content = packed(state)
    # The process id distinguishes concurrent runs. The name is hidden so that an unfinished file is never mistaken for
    # a complete one.
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
    """Serialize weights as .safetensors; equal weights give equal bytes.

    Args:
        state: tensors by key. Any shape.
        dtype: the type to store floats in.

    Raises:
        InputError: a tensor holds NaN, or values outside the type's range; names it.
    """
    return safetensors.torch.save({key: _cast(key, tensor, dtype) for key, tensor in state.items()})


def _shapes(state: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    return {key: tuple(tensor.shape) for key, tensor in state.items()}


def _usable(key: str, tensor: Tensor) -> Tensor:
    """Return floats as float32; refuse values outside its range."""
    if not tensor.is_floating_point():
        return tensor
    cast = tensor.float()
    if not cast.isfinite().all():
        raise damaged(key)
    return cast


def _cast(key: str, tensor: Tensor, dtype: torch.dtype) -> Tensor:
    # Always copy: safetensors refuses tensors that share memory.
    cast = tensor.detach().to("cpu", dtype if tensor.is_floating_point() else tensor.dtype, copy=True)
    if not cast.isfinite().all():
        name, most, largest = str(dtype).removeprefix("torch."), torch.finfo(dtype).max, tensor.abs().max().item()
        raise InputError(f"{key}: {name} holds finite values up to {most:g}, got {largest:g}; train or scale it again")
    return cast.contiguous()


def _part(key: str) -> str:
    return key.partition(".")[0]
