"""Read published checkpoints: `torch.save` files of any layout."""

import re
import struct
import warnings
import zipfile
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor

from chromacord.errors import InputError, UnreadableFileError
from chromacord.lab.weight_files import state_dict
from chromacord.parsing import DAMAGE, at_home, read_file, shown

SUFFIXES = (".pth", ".pt", ".pytorch", ".ckpt")

_WRAPPERS = ("params_ema", "params", "state_dict", "model_state_dict", "model", "network", "net", "generator")
"""Keys under which trainers store the tensors; preferred ones first."""

_PARALLEL = "module."
"""Prefix that `nn.DataParallel` and `DistributedDataParallel` put before every key."""

MAX_BYTES = 4 << 30

_REFUSED: tuple[type[Exception], ...] = (
    *DAMAGE,
    AssertionError,
    AttributeError,
    ImportError,
    OSError,
    RuntimeError,
    TypeError,
    UnpicklingError,
    struct.error,
)
"""Exceptions of torch for files that are damaged or not its own; which one depends on where the damage is."""


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a checkpoint without executing any code in it.

    Args:
        path: a file written by `torch.save`: tensors by key, or such a dict under one of the usual names.

    Returns:
        Tensors by key, without the "module." prefix of multi-device training. They are returned as stored: a tensor of
        huge shape may be an expanded view of few numbers, so compare shapes (`renamed`) before copying it.

    Raises:
        MissingFileError: there is no such file.
        UnreadableFileError: the file is damaged, would execute code, or holds no dict of dense real tensors.
    """
    path = at_home(path)
    found = load_plain(path, said="is damaged, or not a checkpoint of tensors", remedy="download it again")
    if isinstance(found, dict):
        wrapped = (found[key] for key in _WRAPPERS if isinstance(found.get(key), dict))
        found = next(wrapped, found)
    if isinstance(found, dict):
        found = {key: value for key, value in found.items() if key != "_metadata"}  # versions of torch's own layers
    if not isinstance(found, dict) or not found or not all(isinstance(value, Tensor) for value in found.values()):
        raise UnreadableFileError(f"{path}: holds no table of tensors; give a file that holds only weights")
    if odd := [shown(str(key))[1:-1] for key, value in found.items() if not _is_plain(value)]:
        raise UnreadableFileError(
            f"{path}: {odd[0]} is sparse, quantized, complex or has no values; give dense real tensors"
        )
    tensors = {str(key): value for key, value in found.items()}
    while all(key.startswith(_PARALLEL) for key in tensors):
        tensors = {key.removeprefix(_PARALLEL): value for key, value in tensors.items()}
    return tensors


def weights_of(
    source: str | Path, from_published: Callable[[Mapping[str, Tensor]], dict[str, Tensor]]
) -> dict[str, Tensor]:
    """Read weights of either kind: ours, or a published checkpoint.

    Args:
        source: the name of shipped weights, or the path of a .safetensors file or of one that `torch.save` wrote.
        from_published: renames a checkpoint's tensors to our keys. Any shape.

    Returns:
        Tensors by our keys, floats as float32. Only checkpoints are checked for belonging to the network.

    Raises:
        InputError: the file cannot be read, or the checkpoint belongs to another network.
    """
    if not str(source).endswith(SUFFIXES):
        return state_dict(source)
    checkpoint = read_checkpoint(Path(source))
    try:
        return from_published(checkpoint)
    except InputError as error:
        raise InputError(f"{source}: {error}") from error


def _is_plain(value: Tensor) -> bool:
    """Whether a tensor is dense and real, and has values."""
    is_dense = value.layout == torch.strided and not value.is_meta
    return is_dense and not (value.is_quantized or value.is_complex())


def load_plain(path: Path, *, said: str, remedy: str) -> Any:
    """Unpickle a `torch.save` file that holds only tensors and plain values, without executing any code in it.

    Args:
        path: the file.
        said: the error message's description of a file that torch refuses.
        remedy: the error message's advice for such a file.

    Raises:
        MissingFileError: there is no such file.
        UnreadableFileError: it is damaged, unpacks to more than its size, or would execute code.
    """
    content = read_file(path, limit=MAX_BYTES, missing="name a checkpoint")
    _check_members(content, path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the pickle version and missing keys of old files
            return torch.load(BytesIO(content), map_location="cpu", weights_only=True)
    except _REFUSED as error:
        # torch's message has many lines: extract the name.
        if asked := re.search(r"[Uu]nsupported (?:global: GLOBAL|GLOBAL|class) ([\w.]+)", str(error)):
            raise UnreadableFileError(
                f"{path}: would run Python code ({asked[1][:80]}), which is refused; give a file of weights alone"
            ) from error
        raise UnreadableFileError(f"{path}: {said}; {remedy}") from error


def _check_members(content: bytes, path: Path) -> None:
    """Refuse archives with compressed members: torch writes none, and would allocate whatever size they declare."""
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            is_packed = sum(member.file_size for member in archive.infolist()) > len(content)
    except (zipfile.BadZipFile, RuntimeError, ValueError):
        # Old format, damaged, or a version that zipfile does not know (RuntimeError): torch decides.
        return
    if is_packed:
        raise UnreadableFileError(
            f"{path}: unpacks to more than its size, so it is not a checkpoint; download it again"
        )
