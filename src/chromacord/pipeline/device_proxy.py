"""What methods look at, made on a torch device: the same small pictures as proxy.py's, to a rounding."""

import numpy as np
import torch
from torch import Tensor

from chromacord.color.alpha import unpremultiply
from chromacord.color.curves import linear_to_srgb
from chromacord.color.spaces import code_to_rgb
from chromacord.color.transforms import stretch_weights
from chromacord.pipeline.area import area_weights
from chromacord.pipeline.masks import Mask
from chromacord.types import Alpha, Device, FloatArray, Frame, Plane, Size, VideoInfo


def device_proxies(
    frame: Frame, mask: Mask, info: VideoInfo, size: Size, device: Device
) -> tuple[FloatArray, FloatArray]:
    """Return a frame and its mask, small, as `device_proxy` and `device_weights` make them.

    Args:
        frame: planes as decoded.
        mask: its weights.
        info: of the frame's source.
        size: height and width of the results.
        device: where they are made.

    Returns:
        RGB and weights in [0, 1]. Shape (3, height, width), (1, height, width).
    """
    place = torch.device(device)
    rgb, weights = device_proxy(frame, info, size, place), device_weights(mask, size, place)
    return rgb.cpu().numpy(), weights.cpu().numpy()


def device_proxy(frame: Frame, info: VideoInfo, size: Size, device: torch.device) -> Tensor:
    """Return a frame at another size as display-referred R'G'B'. See `chromacord.pipeline.proxy.proxy`.

    Args:
        frame: planes as decoded.
        info: of the frame's source.
        size: height and width of the result.
        device: where it is made.

    Returns:
        RGB in [0, 1]. Shape (3, height, width).
    """
    planes = [_scaled(plane, size, device) for plane in frame.planes]
    if info.pixel_format.num_colors == 1:
        planes = [planes[0]] * 3 + planes[1:]
    codes = torch.stack(planes[:3])
    if info.pixel_format.alpha is Alpha.PREMULTIPLIED:
        codes = unpremultiply(codes, planes[-1] / info.pixel_format.max_code)
    decode = code_to_rgb(info.colorimetry, info.size, info.pixel_format)
    matrix, offset = (torch.from_numpy(part).to(device, torch.float32) for part in decode)
    rgb = torch.einsum("ij,jhw->ihw", matrix, codes) + offset[:, None, None]
    if info.colorimetry.scene_linear:
        rgb = linear_to_srgb(rgb.clamp_min(0))
    return rgb.clamp(0, 1)


def device_weights(mask: Mask, size: Size, device: torch.device) -> Tensor:
    """Return a mask at another size, area-averaged, in [0, 1]. Shape (1, height, width)."""
    ramp = (_scaled(mask.plane, size, device) - mask.black) * (1 / (mask.white - mask.black))
    return ramp.clamp(0, 1)[None]


def _scaled(plane: Plane, size: Size, device: torch.device) -> Tensor:
    """Resize a plane, averaged when it shrinks, bilinear when it grows: products with what each pixel weighs."""
    height, width = plane.shape
    there = torch.tensor(np.ascontiguousarray(plane), device=device).float()
    shrinks = size.height <= height and size.width <= width
    weights = area_weights if shrinks else _linear_weights
    rows, columns = (
        torch.from_numpy(weights(before, after)).to(device)
        for before, after in ((height, size.height), (width, size.width))
    )
    return rows @ (there @ columns.mT)


def _linear_weights(length: int, target: int) -> FloatArray:
    return stretch_weights(length, target, 0, target)
