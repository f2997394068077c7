"""The description of a user's matting model in TOML: its inputs, and the meaning of its output."""

from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Literal

from chromacord.errors import InputError
from chromacord.parsing import parse_toml, read_file
from chromacord.typed_tables import build
from chromacord.types import Size

MAX_BYTES = 1 << 16
MAX_SIDE = 8192
"""Maximum side of a model's input picture, in pixels."""

_MAX_AXES, _MAX_VALUES = 5, 1 << 26
"""Limits of a state."""

_GUIDE = "docs/matte.md has examples"


@dataclass(frozen=True)
class StateTensor:
    """A tensor that a recurrent model returns for one frame and takes as input for the next."""

    input: str
    output: str

    shape: tuple[int, ...] = (1, 1, 1, 1)
    """Shape of the zeros at the start of a shot."""

    def __post_init__(self) -> None:
        """Check the shape."""
        if not 1 <= len(self.shape) <= _MAX_AXES or not all(1 <= length <= MAX_SIDE for length in self.shape):
            raise InputError(f"shape must be 1 to {_MAX_AXES} lengths from 1 to {MAX_SIDE}, got {list(self.shape)}")
        if prod(self.shape) > _MAX_VALUES:
            raise InputError(f"shape has {prod(self.shape):,} values; the limit is {_MAX_VALUES:,}")


@dataclass(frozen=True)
class NumberInput:
    """A scalar input. Exactly one of `value` and `longest` must be given."""

    input: str
    value: float | None = None

    longest: int | None = None
    """The number is the ratio of this many pixels to the picture's longest side, at most 1."""

    def __post_init__(self) -> None:
        """Check that the number is known."""
        if (self.value is None) == (self.longest is None):
            raise InputError("needs a value or longest, and not both")
        if self.longest is not None and self.longest < 1:
            raise InputError(f"longest must be at least 1, got {self.longest}")

    def of(self, size: Size) -> float:
        """Return the number for a picture's size."""
        if self.longest is None:
            assert self.value is not None
            return self.value
        return min(1.0, self.longest / max(size))


@dataclass(frozen=True)
class ModelConfig:
    """Inputs and output of a matting model."""

    input: str = ""
    """Name of the picture's input; empty: the first."""

    output: str = ""
    """Name of the output with the coverage; empty: the first."""

    channel: int | None = None
    """Channel of the output, if it has several."""

    values: Literal["coverage", "logits", "relative"] = "coverage"
    """Meaning of the output: coverage in [0, 1], logits, or values of which each picture's minimum means 0 and the
    maximum 1."""

    channels: Literal["rgb", "bgr"] = "rgb"
    layout: Literal["nchw", "nhwc"] = "nchw"

    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Subtracted from R'G'B' in [0, 1], in the order of `channels`."""

    deviation: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """Divisor after the subtraction."""

    size: tuple[int, int] | None = None
    """Height and width to which pictures are scaled. None: the picture's own, limited by the next fields."""

    longest: int | None = None
    """Larger pictures are reduced until their longest side has this many pixels."""

    shortest: int | None = None
    """Larger pictures are reduced until their shortest side has this many pixels."""

    multiple: int = 1
    """Sides are rounded down to a multiple of this."""

    states: tuple[StateTensor, ...] = ()
    numbers: tuple[NumberInput, ...] = ()

    def __post_init__(self) -> None:
        """Check the ranges, and that names are given where several inputs need them."""
        if not all(self.deviation):
            raise InputError("deviation must not be 0")
        limits = {"longest": self.longest, "shortest": self.shortest}
        given = {name: value for name, value in limits.items() if value is not None}
        if self.size is not None and (given or self.multiple != 1):
            raise InputError("size fixes the size; leave out longest, shortest and multiple")
        if len(given) > 1:
            raise InputError("longest and shortest limit the same; give one of them")
        sides = {"size": self.size or (), "multiple": (self.multiple,), **{name: (given[name],) for name in given}}
        for name, lengths in sides.items():
            if not all(1 <= length <= MAX_SIDE for length in lengths):
                raise InputError(f"{name} must be from 1 to {MAX_SIDE} pixels, got {', '.join(map(str, lengths))}")
        if self.channel is not None and self.channel < 0:
            raise InputError(f"channel must be at least 0, got {self.channel}")
        names = [*(state.input for state in self.states), *(number.input for number in self.numbers)]
        if names and not self.input:
            raise InputError("input is missing: a model with states or numbers needs the name of the picture's input")
        if len({self.input, *names}) <= len(names):
            raise InputError("two inputs have the same name; each needs its own")

    def working_size(self, size: Size) -> Size:
        """Return the size at which the model sees a picture.

        Args:
            size: size of the picture.

        Raises:
            InputError: a side is longer than `MAX_SIDE`.
        """
        if self.size is not None:
            return Size(*self.size)
        scale = 1.0
        if self.longest is not None:
            scale = min(1.0, self.longest / max(size))
        if self.shortest is not None:
            scale = min(1.0, self.shortest / min(size))
        sides = [max(1, int(round(side * scale) / self.multiple)) * self.multiple for side in size]
        if max(sides) > MAX_SIDE:
            raise InputError(f"a picture of {sides[1]}x{sides[0]} is too large for a model; set longest to {MAX_SIDE}")
        return Size(*sides)


def read_config(model: Path, config: Path | None) -> ModelConfig:
    """Read the description of a model.

    Args:
        model: the .onnx file, for the default path.
        config: the TOML file. None: the file of the same name beside the model.

    Raises:
        InputError: there is none, it cannot be read, or a key or value is invalid.
    """
    path = model.with_suffix(".toml") if config is None else config
    content = read_file(path, limit=MAX_BYTES, missing=f"describe the model in it, or give --model-config; {_GUIDE}")
    return build(ModelConfig, parse_toml(content, where=path), where=str(path))
