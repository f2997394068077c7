"""Matches a foreground to another picture than its own background: a hero frame, another shot."""

from typing import Self

import cv2
import numpy as np

from chromacord.color.alpha import over
from chromacord.methods.base import Method, Prediction, State
from chromacord.types import Device, FloatArray


class MatchedTo(Method):
    """Another method that sees a reference picture in place of each frame's background."""

    def __init__(self, method: Method, reference: FloatArray) -> None:
        """Prepare.

        Args:
            method: decides.
            reference: display-referred RGB in [0, 1], upright, of any size. Shape (H, W, 3).
        """
        self.window, self.working_size, self.fitted = method.window, method.working_size, method.fitted
        self._method, self._reference = method, reference

    def harmonize(self, composite: FloatArray, mask: FloatArray, state: State = None) -> Prediction:
        """See `Method.harmonize`; the background of what comes back is the reference."""
        return self._method.harmonize(self._over_reference(composite, mask), mask, state)

    def decide(self, composite: FloatArray, mask: FloatArray, state: State = None) -> Prediction:
        """See `Method.decide`."""
        return self._method.decide(self._over_reference(composite, mask), mask, state)

    def on(self, device: Device) -> Self:
        """See `Method.on`."""
        return type(self)(self._method.on(device), self._reference)

    def _over_reference(self, composite: FloatArray, mask: FloatArray) -> FloatArray:
        height, width = composite.shape[-2:]
        fitted = cv2.resize(self._reference, (width, height), interpolation=cv2.INTER_AREA)
        laid: FloatArray = over(composite, np.ascontiguousarray(fitted.transpose(2, 0, 1), np.float32), mask)
        return laid
