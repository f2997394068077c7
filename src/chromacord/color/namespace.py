"""Write a colour formula once for NumPy arrays and torch tensors, without importing torch."""

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


def where(condition: Any, chosen: Values, other: Values) -> Values:
    """Return the values of one array where a condition holds, else those of another. Any shape.

    Args:
        condition: booleans of the same kind of array.
        chosen: taken where it holds.
        other: taken elsewhere.
    """
    found: Values = namespace(chosen).where(condition, chosen, other)
    return found
