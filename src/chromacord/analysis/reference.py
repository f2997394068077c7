"""Match a foreground to a reference picture instead of its own background: a hero frame, or another shot."""

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
"""Maximum side of a reference; larger ones are reduced."""


class MatchedTo(Method):
    """Wraps a method so that it sees a reference picture in place of each frame's background."""

    def __init__(self, method: Method, reference: FloatArray) -> None:
        """Wrap a method.

        Args:
            method: the method that decides.
            reference: display-referred RGB in [0, 1], upright, of any size. Shape (H, W, 3).
        """
        self.window, self.working_size, self.fitted = method.window, method.working_size, method.fitted
        self._method, self._reference = method, reference

    def harmonize(self, composite: FloatArray, mask: FloatArray, state: State = None) -> Prediction:
        """See `Method.harmonize`; the result's background is the reference."""
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
    """Return the first frame of a file as SDR video, upright, reduced to the size that methods need.

    Args:
        path: a picture or a clip.
        spaces: the user's colour spaces; the composite's applies to files that state none.

    Raises:
        ChromacordError: the file cannot be read.
    """
    source = open_source(path)
    info, found = settle(source.info, Spaces(config=spaces.config))
    # The option names the composite's space. It holds for a reference of the same footage, but must not
    # override what another file says of itself.
    if found.known_by == "assumed" and spaces.composite is not None:
        info, _ = settle(source.info, spaces)
    with closing(source.frames()) as frames:
        frame = next(frames)
    scale = min(1.0, _LARGEST / max(info.size))
    size = Size(max(1, round(info.size.height * scale)), max(1, round(info.size.width * scale)))
    upright = turned_upright(proxy(frame, info, size).transpose(2, 0, 1), Orientation.of(info))
    return np.ascontiguousarray(upright.transpose(1, 2, 0))
