"""Matches a foreground to another picture than its own background: a hero frame, another shot."""

from contextlib import closing
from pathlib import Path
from typing import Self

import cv2
import numpy as np

from chromacord.analysis.observe import turned_upright
from chromacord.color.alpha import over
from chromacord.color.management.clip_space import Spaces, settle
from chromacord.io import open_source
from chromacord.io.orientation import Orientation
from chromacord.masks.proxy import proxy
from chromacord.methods.base import Method, Prediction, State
from chromacord.types import Device, FloatArray, Size

_LARGEST = 512
"""Longer side of a reference."""


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


def read_reference(path: Path, spaces: Spaces) -> FloatArray:
    """Return the first frame of a file as SDR video, upright, no larger than methods need.

    Args:
        path: a picture or a clip.
        spaces: what the user says of colour spaces: the composite's, for a file that says nothing.

    Raises:
        ChromacordError: the file cannot be read.
    """
    source = open_source(path)
    info, found = settle(source.info, Spaces(config=spaces.config))
    if found.known_by == "assumed" and spaces.composite is not None:
        info, _ = settle(source.info, spaces)
    with closing(source.frames()) as frames:
        frame = next(frames)
    scale = min(1.0, _LARGEST / max(info.size))
    size = Size(max(1, round(info.size.height * scale)), max(1, round(info.size.width * scale)))
    upright = turned_upright(proxy(frame, info, size).transpose(2, 0, 1), Orientation.of(info))
    return np.ascontiguousarray(upright.transpose(1, 2, 0))
