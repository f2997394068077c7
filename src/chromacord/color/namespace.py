"""Colour functions that take arrays of numpy as well as tensors of torch: one formula, no import of torch."""

import sys
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from torch import Tensor

Values = TypeVar("Values", npt.NDArray[Any], "Tensor")
"""Arrays of one kind: what goes in decides what comes out."""


def namespace(values: object) -> Any:
    """Return the module whose functions take an array: numpy or torch.

    Args:
        values: an array or a tensor. Any shape.
    """
    return np if isinstance(values, np.ndarray | np.generic) else sys.modules["torch"]
