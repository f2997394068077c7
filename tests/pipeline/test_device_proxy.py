"""The proxies of torch devices against the CPU's, on the CPU as a torch device."""

import numpy as np
import pytest
import torch
from tests.pipeline.scenes import describe, noise_frame, soft_disc
from tests.pipeline.test_device_render import ALL_FORMATS, CPU

from chromacord.pipeline.device_proxy import device_proxy, device_weights
from chromacord.pipeline.masks import Mask
from chromacord.pipeline.proxy import proxy
from chromacord.types import Alpha, PixelFormat, Size

SIZES = {"by a whole factor": Size(48, 64), "by a fraction": Size(37, 53), "larger": Size(150, 210)}


@pytest.mark.parametrize("target", SIZES)
@pytest.mark.parametrize("layout", ALL_FORMATS)
def test_proxies_equal_those_of_the_cpu(layout: str, target: str) -> None:
    info = describe(ALL_FORMATS[layout], Size(96, 128))
    frame = noise_frame(info)
    made = device_proxy(frame, info, SIZES[target], CPU)
    expected = torch.from_numpy(proxy(frame, info, SIZES[target])).permute(2, 0, 1)
    torch.testing.assert_close(made, expected, rtol=0, atol=2e-4)


@pytest.mark.parametrize("alpha", [Alpha.NONE, Alpha.PREMULTIPLIED])
def test_proxies_of_light_equal_those_of_the_cpu(alpha: Alpha) -> None:
    info = describe(PixelFormat("rgb", 32, is_float=True, alpha=alpha), scene_linear=True)
    frame = noise_frame(info)
    if alpha is not Alpha.NONE:
        frame.planes[3][...] = 0.5
    made = device_proxy(frame, info, Size(24, 31), CPU)
    expected = torch.from_numpy(proxy(frame, info, Size(24, 31))).permute(2, 0, 1)
    torch.testing.assert_close(made, expected, rtol=0, atol=2e-4)


def test_proxies_of_large_frames_differ_by_the_rounding_of_the_cpus_first_step() -> None:
    info = describe(ALL_FORMATS["420 8 bit"], Size(384, 512))
    frame = noise_frame(info)
    made = device_proxy(frame, info, Size(48, 64), CPU)
    expected = torch.from_numpy(proxy(frame, info, Size(48, 64))).permute(2, 0, 1)
    torch.testing.assert_close(made, expected, rtol=0, atol=2 / 255)
    assert float((made - expected).abs().mean()) < 0.4 / 255


def test_masks_equal_those_of_the_cpu() -> None:
    plane = np.rint(soft_disc(Size(90, 120)) * 255).astype(np.uint8)
    mask = Mask.from_plane(plane, black=16, white=235)
    made = device_weights(mask, Size(32, 32), CPU)
    torch.testing.assert_close(made, torch.from_numpy(mask.scaled(Size(32, 32)))[None], rtol=0, atol=1e-5)
