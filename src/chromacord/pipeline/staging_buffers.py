"""Rectangles of planes on their way to a torch device and back: one buffer and one copy each way, kept for all frames.

Samples travel as they are stored (8 or 16 bits, floats only where the file holds floats). On CUDA the host's side is
pinned memory, so that the copies do not wait.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from chromacord.types import Plane, Size

_ALIGNMENT = 16
"""Bytes: where each plane begins, so that every type of sample may lie there."""


class Slot(NamedTuple):
    """Room for one plane."""

    size: Size
    dtype: np.dtype[np.generic]

    @property
    def num_bytes(self) -> int:
        """Bytes of the plane, up to where the next may begin."""
        exact = self.size.height * self.size.width * self.dtype.itemsize
        return -(-exact // _ALIGNMENT) * _ALIGNMENT


class StagingBuffer:
    """Memory for some planes on both sides. It grows to the largest set of planes that was asked for, and stays."""

    def __init__(self, device: torch.device) -> None:
        """Prepare without taking memory.

        Args:
            device: the other side; where it is the CPU, both sides are one.
        """
        self._device = device
        self._host = self._there = torch.empty(0, dtype=torch.uint8)
        self._num_bytes = 0
        self.host: list[Plane] = []
        """The planes on the host, to be filled or read."""

        self.there: list[Tensor] = []
        """The same planes on the device. Shape (height, width) each."""

    def lay_out(self, slots: Sequence[Slot]) -> None:
        """Make room for these planes, in place of those before."""
        self._num_bytes = sum(slot.num_bytes for slot in slots)
        if self._num_bytes > len(self._host):
            on_cuda = self._device.type == "cuda"
            self._host = torch.empty(self._num_bytes, dtype=torch.uint8, pin_memory=on_cuda)
            self._there = (
                self._host if self._device.type == "cpu" else torch.empty_like(self._host, device=self._device)
            )
        self.host = [view.numpy() for view in _views(self._host, slots)]
        self.there = _views(self._there, slots)

    def upload(self) -> None:
        """Start the copy from the host; what runs on the device afterwards sees it done."""
        self._copy(self._there, self._host)

    def download(self) -> None:
        """Copy to the host, and wait until it and all work before it are done."""
        self._copy(self._host, self._there)
        if self._device.type == "cuda":
            torch.cuda.current_stream(self._device).synchronize()

    def _copy(self, target: Tensor, source: Tensor) -> None:
        if target is not source:
            target[: self._num_bytes].copy_(source[: self._num_bytes], non_blocking=True)


def _views(buffer: Tensor, slots: Sequence[Slot]) -> list[Tensor]:
    views, start = [], 0
    for slot in slots:
        exact = slot.size.height * slot.size.width * slot.dtype.itemsize
        kind = torch.from_numpy(np.empty(0, slot.dtype)).dtype
        views.append(buffer[start : start + exact].view(kind).view(slot.size))
        start += slot.num_bytes
    return views


def fill(target: Plane, part: Plane) -> None:
    """Copy a rectangle, and repeat its last row and column where the target is larger.

    Args:
        target: Shape (height, width).
        part: at most as large.
    """
    height, width = part.shape
    target[:height, :width] = part
    target[:height, width:] = part[:, -1:]
    target[height:] = target[height - 1]
