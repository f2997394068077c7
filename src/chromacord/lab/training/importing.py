"""Convert published checkpoints to full-precision .safetensors files with cards."""

import os
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from chromacord.errors import InputError
from chromacord.io.writing.staging import StagedFile, check_output, commit_all, output_errors
from chromacord.lab.flow.spynet import SHIPPED, SPyNet
from chromacord.lab.networks.lookup import encoder_from_published
from chromacord.lab.published import SUFFIXES, weights_of
from chromacord.lab.torch_method import TorchMethod
from chromacord.lab.weight_files import packed
from chromacord.methods import METHODS
from chromacord.parsing import at_home
from chromacord.weights import ImportedCard

_SUFFIX, _CARD_SUFFIX = ".safetensors", ".toml"

_PARTS: Mapping[str, Callable[[Mapping[str, Tensor]], dict[str, Tensor]]] = {"shotgrade": encoder_from_published}
"""Methods whose published checkpoints hold only a part of the weights, from which training starts."""


class Imported(NamedTuple):
    """The result of an import."""

    weights: Path
    card: Path
    use: str
    """How to use the weights, on the command line or in a recipe."""

    num_values: int


def import_published(method: str, file: Path, output: Path | None = None, *, force: bool = False) -> Imported:
    """Convert a published checkpoint to our format, with a card beside it.

    Floats keep full precision, because half precision would change results compared with the authors' code.

    Args:
        method: a method with published checkpoints, or "spynet".
        file: a `torch.save` file. No code in it is executed.
        output: the .safetensors file, with or without suffix. None: beside `file`, with its stem.
        force: overwrite existing files.

    Raises:
        InputError: the method does not exist or has no published checkpoints; or the file cannot be read, or belongs to
            another network.
        OutputError: a file exists and `force` is not set, or it cannot be written.
    """
    convert, file = _converter(method), at_home(file)
    if not str(file).endswith(SUFFIXES):
        raise InputError(f"{file}: does not look like a checkpoint; give a file that ends in {', '.join(SUFFIXES)}")
    weights = _weights_path(file, output)
    card = weights.with_suffix(_CARD_SUFFIX)
    for path in (weights, card):
        check_output(path, force=force, inputs=[file])
    state = weights_of(file, convert)
    try:
        content = packed(state, dtype=torch.float32)
    except InputError as error:
        raise InputError(f"{file}: {error}") from error
    if method == SHIPPED:
        use = f'flow_weights = "{weights}" in a recipe'
    elif method in _PARTS:
        use = f'start = "{weights}" in a recipe'
    else:
        use = f"--method {method}:weights={weights}{_torch_methods()[method].needed_options(state)}"
    num_values = sum(value.numel() for value in state.values())
    text = ImportedCard(
        name=_readable(weights.stem),
        method=method,
        use=_readable(use),
        file=_readable(file.name),
        file_sha256=sha256(file.read_bytes()).hexdigest(),
        sha256=sha256(content).hexdigest(),
        num_values=num_values,
    ).toml()
    _write({weights: content, card: text.encode()}, force=force)
    return Imported(weights, card, use, num_values)


def importable() -> tuple[str, ...]:
    """Return methods with published checkpoints, in the order of `METHODS`, followed by SPyNet."""
    default = TorchMethod.from_published.__func__  # type: ignore[attr-defined]
    methods = {
        name: each
        for name, each in _torch_methods().items()
        if each.from_published.__func__ is not default  # type: ignore[attr-defined]
    }
    return (*(name for name in METHODS if name in methods or name in _PARTS), SHIPPED)


def _torch_methods() -> dict[str, type[TorchMethod]]:
    return {name: each for name, each in METHODS.items() if issubclass(each, TorchMethod)}


def _converter(method: str) -> Callable[[Mapping[str, Tensor]], dict[str, Tensor]]:
    if method not in importable():
        what = "no checkpoints of it were published" if method in METHODS else "there is no such method"
        raise InputError(f"method {method!r}: {what}; choose one of {', '.join(importable())}")
    if method in _PARTS:
        return _PARTS[method]
    return SPyNet.from_published if method == SHIPPED else _torch_methods()[method].from_published


def _weights_path(file: Path, output: Path | None) -> Path:
    if output is None:
        return file.with_suffix(_SUFFIX)
    # Not with_suffix, which would treat "issam.v2" as a name with a suffix.
    return output if output.suffix == _SUFFIX else output.with_name(output.name + _SUFFIX)


def _readable(name: str) -> str:
    """Return text that UTF-8 can encode: file names may contain any bytes."""
    return os.fsencode(name).decode(errors="replace")


def _write(files: Mapping[Path, bytes], *, force: bool) -> None:
    """Write all files or none."""
    staged = [StagedFile(path, force=force) for path in files]
    try:
        for each, content in zip(staged, files.values(), strict=True):
            with output_errors(each.path):
                each.temporary.write_bytes(content)
        commit_all(staged)
    finally:
        for each in staged:
            each.discard()
