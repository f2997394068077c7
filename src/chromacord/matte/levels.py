"""Stretch coverage between a black and a white level."""

from typing import NamedTuple, Self

import numpy as np

from chromacord.errors import InputError
from chromacord.parsing import parse_numbers, shown
from chromacord.types import FloatArray


class Levels(NamedTuple):
    """Coverage that becomes 0, and coverage that becomes 1."""

    black: float
    white: float

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse "BLACK,WHITE".

        Raises:
            InputError: the text is something else, or the levels are out of range or in the wrong order.
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
