"""Where methods run."""

from pathlib import Path

import numpy as np
import pytest
import torch

import chromacord as cc
from chromacord.lab.torch_method import full_precision


def test_a_device_that_is_not_there_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(cc.ChromacordError, match="device must be one of cpu, cuda, got 'tpu'"):
        cc.harmonize_video("none.mp4", mask="none.mp4", output=tmp_path / "out.mp4", device="tpu")
    if torch.cuda.is_available():
        return
    with pytest.raises(cc.ChromacordError, match="torch finds none on this machine"):
        cc.harmonize_video("none.mp4", mask="none.mp4", output=tmp_path / "out.mp4", device="cuda")
    pair = np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8), np.uint8)
    with pytest.raises(cc.ChromacordError, match="torch finds none on this machine"):
        next(cc.harmonize_frames([pair], "mkl", device="cuda"))


def test_convolutions_keep_their_precision_while_a_method_runs() -> None:
    before = torch.backends.cudnn.allow_tf32
    with full_precision():
        assert not torch.backends.cudnn.allow_tf32
    assert torch.backends.cudnn.allow_tf32 == before
