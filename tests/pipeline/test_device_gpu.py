"""A GPU renders, analyses and decodes what the CPU does; skipped where there is none."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tests.clips import make_clip
from tests.pipeline.footage import decoded, make_composite, make_mask
from tests.pipeline.scenes import SIZE, describe, masked, noise_frame, soft_disc
from tests.pipeline.test_device_render import ALL_FORMATS, LAYERS, in_corner
from tests.pipeline.test_render import TRANSFORMS

import chromacord as cc
from chromacord.io import open_source
from chromacord.pipeline.device_proxy import device_proxy
from chromacord.pipeline.device_render import DeviceRenderer
from chromacord.pipeline.proxy import proxy
from chromacord.pipeline.render import Renderer
from chromacord.types import Frame, Size

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]

CUDA = torch.device("cuda")


def check(expected: Frame, made: Frame) -> None:
    for one, other in zip(expected.planes, made.planes, strict=True):
        if one.dtype == np.float32:
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
        else:
            assert np.abs(one.astype(int) - other.astype(int)).max() <= 1


@pytest.mark.parametrize("kind", TRANSFORMS)
@pytest.mark.parametrize("layout", ALL_FORMATS)
def test_every_format_is_rendered_as_on_the_cpu(layout: str, kind: str) -> None:
    info = describe(ALL_FORMATS[layout], Size(45, 63))
    renderer = DeviceRenderer(info, device=CUDA)
    for seed, weights in enumerate((soft_disc(info.size), in_corner(info.size))):
        shown = masked(info, weights, seed=seed)
        check(Renderer(info).render(shown, TRANSFORMS[kind]), renderer.render(shown, TRANSFORMS[kind]))


@pytest.mark.parametrize("layers", LAYERS)
def test_layers_are_rendered_as_on_the_cpu(layers: str) -> None:
    foreground, background = (describe(pixel_format) for pixel_format in LAYERS[layers])
    shown = masked(background)._replace(foreground=noise_frame(foreground, seed=2))
    made = DeviceRenderer(background, foreground, device=CUDA).render(shown, TRANSFORMS["lut"])
    check(Renderer(background, foreground).render(shown, TRANSFORMS["lut"]), made)


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["420 8 bit", "rgb 16 bit"])
def test_compiled_kernels_render_as_on_the_cpu(layout: str) -> None:
    info = describe(ALL_FORMATS[layout])
    renderer = DeviceRenderer(info, device=CUDA, fuse_after=0)
    for seed, weights in enumerate((soft_disc(), soft_disc(soft=9), in_corner(SIZE))):
        shown = masked(info, weights, seed=seed)
        check(Renderer(info).render(shown, TRANSFORMS["lut"]), renderer.render(shown, TRANSFORMS["lut"]))


def test_proxies_equal_those_of_the_cpu() -> None:
    info = describe(ALL_FORMATS["420 10 bit"], Size(96, 128))
    frame, size = noise_frame(info), Size(37, 53)
    expected = torch.from_numpy(proxy(frame, info, size)).permute(2, 0, 1)
    torch.testing.assert_close(device_proxy(frame, info, size, CUDA).cpu(), expected, rtol=0, atol=2e-4)


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv422p10le"])
@pytest.mark.parametrize("method", [info.name for info in cc.list_methods() if info.has_weights])
def test_a_whole_run_gives_the_cpus_frames(tmp_path: Path, pix_fmt: str, method: str) -> None:
    composite = make_composite(tmp_path / "comp.mkv", pix_fmt, codec="ffv1")
    mask = make_mask(tmp_path / "mask.mkv")
    for device in ("cpu", "cuda"):
        cc.harmonize_video(composite, mask=mask, output=tmp_path / f"{device}.mkv", method=method, device=device)
    bound = 1 if pix_fmt == "yuv420p" else 4
    for one, other in zip(decoded(tmp_path / "cpu.mkv"), decoded(tmp_path / "cuda.mkv"), strict=True):
        assert all(np.abs(a.astype(int) - b.astype(int)).max() <= bound for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize(("codec", "pix_fmt"), [("libx264", "yuv420p"), ("libx265", "yuv420p10le")])
def test_the_gpus_decoder_gives_the_processors_samples_and_times(tmp_path: Path, codec: str, pix_fmt: str) -> None:
    clip = make_clip(tmp_path / "clip.mp4", codec=codec, pix_fmt=pix_fmt, size=Size(180, 320), num_frames=12)
    pairs = zip(open_source(clip).frames(), open_source(clip, device="cuda").frames(), strict=True)
    for one, other in pairs:
        assert (one.pts, one.duration) == (other.pts, other.duration)
        for before, after in zip(one.planes, other.planes, strict=True):
            np.testing.assert_array_equal(before, after)
