"""Where a run calculates: the processor, or a GPU, which needs torch. Nothing of it is imported for the processor."""

from importlib.util import find_spec
from typing import Protocol, cast, get_args

from chromacord.color.transforms import ColorTransform
from chromacord.errors import InputError, MissingTorchError
from chromacord.pipeline.masks import MaskedFrame
from chromacord.pipeline.render import Renderer
from chromacord.types import Device, Frame, VideoInfo


class FrameRenderer(Protocol):
    """Applies transforms to the frames of one clip."""

    def render(self, masked: MaskedFrame, transform: ColorTransform | None) -> Frame:
        """Return the harmonized frame. See `chromacord.pipeline.render.Renderer.render`."""


def find_device(name: str) -> Device:
    """Return the device of this name.

    Raises:
        InputError: there is no such device here.
    """
    if name not in get_args(Device):
        raise InputError(f"there is no device {name!r}; choose one of {', '.join(get_args(Device))}")
    if name == "cuda":
        if find_spec("torch") is None:
            raise MissingTorchError("device cuda")
        import torch

        if not torch.cuda.is_available():
            raise InputError("device cuda: torch finds none on this machine; use cpu, or install torch for CUDA")
    return cast(Device, name)


def open_renderer(info: VideoInfo, foreground: VideoInfo | None = None, *, device: Device = "cpu") -> FrameRenderer:
    """Return what renders a clip on a device.

    Args:
        info: of the composite.
        foreground: of the foreground's own clip, where it came as a layer.
        device: the CPU has code of its own, which is faster there.
    """
    if device == "cpu" or info.space is not None:  # OpenColorIO's processors run there
        return Renderer(info, foreground)
    import torch

    from chromacord.pipeline.device_render import DeviceRenderer

    return DeviceRenderer(info, foreground, device=torch.device(device))
