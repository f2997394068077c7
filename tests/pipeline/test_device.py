"""Whole runs on a torch device: with what a GPU's run does, on the CPU as a torch device."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tests.pipeline.footage import decoded, make_composite, make_mask
from tests.pipeline.scenes import Shade
from tests.pipeline.test_device_render import CPU
from tests.pipeline.test_render import FORMATS, describe

import chromacord as cc
from chromacord.lab.torch_method import full_precision
from chromacord.pipeline import job, look
from chromacord.pipeline.device import find_device, open_renderer
from chromacord.pipeline.device_proxy import device_proxies
from chromacord.pipeline.device_render import DeviceRenderer
from chromacord.pipeline.render import Renderer


def through_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make runs on the CPU take the way of a GPU."""
    monkeypatch.setattr(
        job, "open_renderer", lambda info, foreground, device: DeviceRenderer(info, foreground, device=CPU)
    )
    monkeypatch.setattr(
        look,
        "_proxies",
        lambda frame, mask, info, size, device: device_proxies(frame, mask, info, size, "cpu"),
    )


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv422p10le", "gbrp16le"])
@pytest.mark.parametrize("method", ["mkl", "shotgrade", Shade()], ids=["mkl", "shotgrade", "field"])
def test_a_run_through_torch_gives_the_cpus_frames(
    tmp_path: Path, pix_fmt: str, method: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    composite = make_composite(tmp_path / "comp.mkv", pix_fmt, codec="ffv1", num_frames=3)
    mask = make_mask(tmp_path / "mask.mkv", num_frames=3)
    cc.harmonize_video(composite, mask=mask, output=tmp_path / "cpu.mkv", method=method)
    through_torch(monkeypatch)
    cc.harmonize_video(composite, mask=mask, output=tmp_path / "torch.mkv", method=method)
    bound = {"yuv420p": 255, "yuv422p10le": 1023, "gbrp16le": 65535}[pix_fmt] / 255
    source, expected, made = (decoded(tmp_path / f"{name}.mkv") for name in ("comp", "cpu", "torch"))
    assert len(source) == len(made) == 3
    for before, one, other in zip(source, expected, made, strict=True):
        assert all(np.abs(a.astype(int) - b.astype(int)).max() <= bound for a, b in zip(one, other, strict=True))
        assert any((a != b).any() for a, b in zip(before, other, strict=True))


def test_a_device_that_is_not_there_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(cc.ChromacordError, match="there is no device 'tpu'"):
        cc.harmonize_video("none.mp4", mask="none.mp4", output=tmp_path / "out.mp4", device="tpu")
    if torch.cuda.is_available():
        return
    with pytest.raises(cc.ChromacordError, match="torch finds none on this machine"):
        cc.harmonize_video("none.mp4", mask="none.mp4", output=tmp_path / "out.mp4", device="cuda")
    pair = np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8), np.uint8)
    with pytest.raises(cc.ChromacordError, match="torch finds none on this machine"):
        next(cc.harmonize_frames([pair], "mkl", device="cuda"))


def test_the_device_chooses_the_renderer() -> None:
    info = describe(FORMATS["420 8 bit"])
    assert isinstance(open_renderer(info, device=find_device("cpu")), Renderer)
    assert isinstance(open_renderer(info, device="cuda"), DeviceRenderer)


def test_convolutions_keep_their_precision_while_a_method_runs() -> None:
    before = torch.backends.cudnn.allow_tf32
    with full_precision():
        assert not torch.backends.cudnn.allow_tf32
    assert torch.backends.cudnn.allow_tf32 == before
