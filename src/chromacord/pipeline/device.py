"""Where a run calculates: the processor, or a GPU."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, Protocol, get_args

import torch

from chromacord.color.transforms import ColorTransform
from chromacord.errors import InputError
from chromacord.pipeline.device_render import DeviceRenderer
from chromacord.pipeline.masks import MaskedFrame
from chromacord.pipeline.render import Renderer
from chromacord.types import Frame, VideoInfo

Device = Literal["cpu", "cuda"]

CPU = torch.device("cpu")


class FrameRenderer(Protocol):
    """Applies transforms to the frames of one clip."""

    def render(self, masked: MaskedFrame, transform: ColorTransform | None) -> Frame:
        """Return the harmonized frame. See `chromacord.pipeline.render.Renderer.render`."""


def find_device(name: str) -> torch.device:
    """Return the device of this name.

    Raises:
        InputError: there is no such device here.
    """
    if name not in get_args(Device):
        raise InputError(f"there is no device {name!r}; choose one of {', '.join(get_args(Device))}")
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError("device cuda: torch finds none on this machine; use cpu, or install torch for CUDA")
    return torch.device(name)


def open_renderer(info: VideoInfo, foreground: VideoInfo | None = None, *, device: torch.device = CPU) -> FrameRenderer:
    """Return what renders a clip on a device.

    Args:
        info: of the composite.
        foreground: of the foreground's own clip, where it came as a layer.
        device: the CPU has code of its own, which is faster there.
    """
    return Renderer(info, foreground) if device.type == "cpu" else DeviceRenderer(info, foreground, device=device)


@contextmanager
def full_precision() -> Iterator[None]:
    """Keep a GPU's convolutions at 24 bits: cuDNN takes 11 where it may (TF32), which shifts colours."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before
