"""Write a colour formula once for NumPy arrays and torch tensors, without importing torch."""

import sys
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from torch import Tensor

Values = TypeVar("Values", npt.NDArray[Any], "Tensor")
"""Arrays of one kind: the argument's type determines the result's."""


def namespace(values: object) -> Any:
    """Return the module whose functions accept an array: numpy or torch.

    Args:
        values: an array or a tensor. Any shape.
    """
    return np if isinstance(values, np.ndarray | np.generic) else sys.modules["torch"]


def where(condition: Any, chosen: Values, other: Values) -> Values:
    """Select between two arrays by a condition. Any shape.

    Args:
        condition: booleans of the same kind of array.
        chosen: selected where the condition holds.
        other: selected elsewhere.
    """
    found: Values = namespace(chosen).where(condition, chosen, other)
    return found
