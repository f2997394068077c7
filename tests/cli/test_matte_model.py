"""A matting model of the user's own, as a command."""

from pathlib import Path

import numpy as np
import pytest

from chromacord.types import Size
from tests.cli.conftest import Run
from tests.clips import make_clip
from tests.footage import decoded, times
from tests.matte import networks
from tests.matte.test_model import described

SIZE = Size(72, 96)
CUT, LENGTH = 6, 12


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Make two shots of noise: grey 60, then 150."""
    frames = []
    for index in range(LENGTH):
        generator = np.random.default_rng(int(index >= CUT))
        luma = (60 if index < CUT else 150) + generator.integers(-20, 20, SIZE)
        chroma = [np.full(SIZE, code, np.uint8) for code in ((100, 140) if index < CUT else (140, 110))]
        frames.append([luma.astype(np.uint8), *chroma])
    return make_clip(tmp_path / "shots.mkv", codec="ffv1", pix_fmt="yuv444p", size=SIZE, frames=frames)


def test_a_recurrent_model_starts_anew_at_each_cut(run: Run, clip: Path, tmp_path: Path) -> None:
    model = described(networks.rvm(tmp_path / "rvm.onnx"))
    done = run("matte", clip, "--model", model, "-o", tmp_path / "mask.mkv")
    assert (done.code, done.err) == (0, "")
    assert ": 12 frames, model rvm.onnx, covers " in done.out
    assert times(tmp_path / "mask.mkv") == times(clip)
    levels = np.array([planes[0].mean() / 255 for planes in decoded(tmp_path / "mask.mkv")])
    grey = levels - networks.STEP * np.array([*range(1, CUT + 1)] * 2)
    assert np.ptp(grey[:CUT]) < 0.01
    assert np.ptp(grey[CUT + 1 : -3]) < 0.01


def test_a_description_can_be_elsewhere(run: Run, clip: Path, tmp_path: Path) -> None:
    model = described(networks.modnet(tmp_path / "modnet.onnx"))
    model.with_suffix(".toml").rename(tmp_path / "other.toml")
    words = ("matte", clip, "--model", model, "-o", tmp_path / "mask.mkv")
    told = run(*words)
    assert (told.code, told.err.count("\n")) == (2, 1)
    assert "modnet.toml: no such file (did you mean modnet.onnx?); describe the model in it, or give" in told.err
    assert run(*words, "--model-config", tmp_path / "other.toml").code == 0
    assert len(decoded(tmp_path / "mask.mkv")) == LENGTH


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--model", "none.onnx"), "none.toml: no such file"),
        (("--model", "modnet.onnx", "--key", "green"), "--key and --model are several ways"),
        (("--key", "green", "--model-config", "a.toml"), "--model-config: describes a model"),
        (("--model", "modnet.onnx", "--clip", "0,1"), "not of --model; leave it out"),
        (("--model", ""), "--model is empty"),
        (("--model", "shots.mkv", "--model-config", "modnet.toml"), "shots.mkv: cannot be loaded by OpenCV"),
    ],
)
def test_what_cannot_be_is_one_line(run: Run, clip: Path, tmp_path: Path, words: tuple[str, ...], told: str) -> None:
    described(networks.modnet(tmp_path / "modnet.onnx"))
    words = tuple(str(tmp_path / word) if "." in word else word for word in words)
    done = run("matte", clip, *words, "-o", tmp_path / "mask.mkv")
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert told in done.err
    assert not (tmp_path / "mask.mkv").exists()


def test_a_model_is_not_overwritten(run: Run, clip: Path, tmp_path: Path) -> None:
    model = described(networks.modnet(tmp_path / "modnet.onnx"))
    before = model.with_suffix(".toml").read_bytes()
    done = run("matte", clip, "--model", model, "-o", model.with_suffix(".toml"), "--force")
    assert done.code == 2
    assert model.with_suffix(".toml").read_bytes() == before
