"""Checkpoints that others published: files that `torch.save` wrote, of any layout."""

from io import BytesIO
from pathlib import Path
from pickle import UnpicklingError

import torch
from torch import Tensor

from chromacord.errors import MissingFileError, UnreadableFileError

SUFFIXES = (".pth", ".pt", ".pytorch", ".ckpt")

_WRAPPERS = ("params_ema", "params", "state_dict", "model")
"""Keys that trainers put the tensors under, the better ones first."""

DAMAGE = (RuntimeError, TypeError, EOFError, OSError, ValueError, LookupError, AttributeError, UnpicklingError)
"""What torch raises for a file that is none of its own: it depends on where the damage is."""


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a checkpoint. Nothing in it is executed.

    Args:
        path: of a file that `torch.save` wrote: tensors by key, or such a table under one of the usual names.

    Returns:
        Tensors by key: floats of any width as float32, others as they are.

    Raises:
        MissingFileError: there is no such file.
        UnreadableFileError: it is damaged, or holds no table of tensors.
    """
    if not path.is_file():
        raise MissingFileError(f"{path}: there is no such file; name a checkpoint")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UnreadableFileError(f"{path}: cannot be read: {error.strerror}; check the file") from error
    try:
        found = torch.load(BytesIO(content), map_location="cpu", weights_only=True)
    except DAMAGE as error:
        # What torch says of it runs over many lines.
        raise UnreadableFileError(f"{path}: is no checkpoint of tensors, or damaged; download it anew") from error
    if isinstance(found, dict):
        wrapped = (found[key] for key in _WRAPPERS if isinstance(found.get(key), dict))
        found = next(wrapped, found)
    if not isinstance(found, dict) or not all(isinstance(value, Tensor) for value in found.values()):
        raise UnreadableFileError(f"{path}: holds no table of tensors; give a file that holds only weights")
    return {str(key): value.float() if value.is_floating_point() else value for key, value in found.items()}
