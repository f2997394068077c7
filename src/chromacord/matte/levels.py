"""Coverage stretched between the levels that count as none and as full."""

from typing import NamedTuple, Self

import numpy as np

from chromacord.errors import InputError
from chromacord.parsing import parse_numbers, shown
from chromacord.types import FloatArray


class Levels(NamedTuple):
    """The coverage that becomes 0, and the one that becomes 1."""

    black: float
    white: float

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read "BLACK,WHITE".

        Raises:
            InputError: it is something else, out of range, or in the wrong order.
        """
        match parse_numbers(text):
            case (black, white) if 0 <= black < white <= 1:
                return cls(black, white)
        raise InputError(
            f"--clip {shown(text)}: is not BLACK,WHITE; give two numbers from 0 to 1, the smaller first: 0.1,0.9"
        )

    def stretch(self, coverage: FloatArray) -> FloatArray:
        """Return coverage stretched from these levels to 0 and 1, and clipped. Any shape."""
        stretched: FloatArray = ((coverage - self.black) * (1 / (self.white - self.black))).astype(np.float32)
        return stretched.clip(0, 1)
