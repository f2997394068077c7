"""Made networks with the signatures of published models, described as the documentation describes those."""

import re
from pathlib import Path

import numpy as np
import pytest

from chromacord.errors import InputError
from chromacord.matte.model import MattingModel, load_model
from chromacord.matte.model_config import MAX_SIDE, ModelConfig, read_config
from chromacord.types import FloatArray, Size
from tests.matte import networks

DOCS = Path(__file__).parents[2] / "docs" / "matte.md"


def described(path: Path) -> Path:
    """Write the documentation's description of a model beside it; return the model."""
    blocks = re.findall(r"```toml\n# (\S+)\n(.*?)```", DOCS.read_text(), flags=re.DOTALL)
    path.with_suffix(".toml").write_text(dict(blocks)[path.with_suffix(".toml").name])
    return path


def picture(height: int, width: int) -> FloatArray:
    """Return a picture whose grey rises from 0.1 to 0.9 from left to right, and its channels differ."""
    grey = np.linspace(0.1, 0.9, width, dtype=np.float32)
    return np.ascontiguousarray(np.broadcast_to(grey[:, None] * np.float32([1.1, 1, 0.9]), (height, width, 3)))


@pytest.mark.parametrize("size", [(64, 96), (65, 33), (1080, 1920)])
def test_rvm_keeps_its_states_inside_a_shot(tmp_path: Path, size: tuple[int, int]) -> None:
    model = load_model(described(networks.rvm(tmp_path / "rvm.onnx")), None, Size(*size))
    grey = picture(*size).mean(axis=2)
    assert model.is_recurrent
    for count in (1, 2, 3):
        found = model.matte(picture(*size))
        assert found.shape == size
        assert np.abs(found - (grey / 2 + networks.STEP * count)).mean() < 0.02, count
    model.restart()
    assert np.abs(model.matte(picture(*size)) - (grey / 2 + networks.STEP)).mean() < 0.02


@pytest.mark.parametrize("size", [(64, 96), (700, 521), (33, 40), (1, 1)])
def test_modnet_gets_multiples_of_32(tmp_path: Path, size: tuple[int, int]) -> None:
    model = load_model(described(networks.modnet(tmp_path / "modnet.onnx")), None, Size(*size))
    assert np.abs(model.matte(picture(*size)) - picture(*size).mean(axis=2)).mean() < 0.01


def test_isnet_is_stretched_to_its_own_range(tmp_path: Path) -> None:
    model = load_model(described(networks.isnet(tmp_path / "isnet.onnx")), None, Size(90, 120))
    expected = (picture(90, 120).mean(axis=2) - 0.1) / 0.8
    assert np.abs(model.matte(picture(90, 120)) - expected).max() < 0.01


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (ModelConfig(), 0.5),
        (ModelConfig(values="logits"), 1 / (1 + np.exp(-0.5))),
        (ModelConfig(mean=(0.5, 0.5, 0.5), deviation=(0.5, 0.5, 0.5), values="logits"), 0.5),
        (ModelConfig(output="c", channel=0), 0.3),
        (ModelConfig(output="c", channel=0, channels="bgr"), 0.2),
    ],
)
def test_values_and_channels_mean_what_is_said(tmp_path: Path, config: ModelConfig, expected: float) -> None:
    model = MattingModel(networks.scaled(tmp_path / "m.onnx", 1.0), config)
    plain = np.full((20, 30, 3), np.float32([0.6, 0.5, 0.4]))
    assert model.matte(plain) == pytest.approx(np.full((20, 30), expected), abs=1e-5)


@pytest.mark.parametrize(
    ("gain", "config", "told"),
    [
        (
            9.0,
            ModelConfig(),
            "output has values from 4.5 to 4.5, coverage goes from 0 to 1; choose the coverage's output",
        ),
        (-1.0, ModelConfig(), "frame 0: its output holds values that are not finite"),
        (1.0, ModelConfig(output="c"), "its output 1x3x20x30 has 3 channels; set channel"),
        (1.0, ModelConfig(output="c", channel=3), "has no channel 3"),
        (1.0, ModelConfig(output="z"), "has no output 'z'; choose one of y, c"),
        (1.0, ModelConfig(input="z"), "fails at 30x20, frame 0: input 'z' is not found; docs/matte.md"),
    ],
)
def test_what_is_no_matte_is_refused(tmp_path: Path, gain: float, config: ModelConfig, told: str) -> None:
    path = networks.scaled(tmp_path / "m.onnx", gain)
    with pytest.raises(InputError, match=re.escape(told)) as caught:
        MattingModel(path, config).matte(np.full((20, 30, 3), 0.5, np.float32))
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(str(path))


@pytest.mark.parametrize("content", [b"", b"hello", b"\x08\x08"])
def test_what_is_no_model_is_one_line(tmp_path: Path, content: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "m.onnx").write_bytes(content)
    (tmp_path / "m.toml").write_text("")
    with pytest.raises(InputError, match=r"m.onnx: cannot be loaded by OpenCV: .*") as caught:
        load_model(tmp_path / "m.onnx", None, Size(8, 8))
    assert "\n" not in str(caught.value)
    assert "/io/opencv" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_a_model_that_crashes_opencv_does_not_end_the_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    networks.scaled(tmp_path / "m.onnx", 1.0)
    (tmp_path / "m.toml").write_text("")
    monkeypatch.setattr("chromacord.matte.model._TRIAL", "import os; os.abort()")
    with pytest.raises(InputError, match=r"m.onnx: crashes OpenCV \(signal 6\); check the file"):
        load_model(tmp_path / "m.onnx", None, Size(8, 8))


def test_models_that_are_too_large_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = networks.scaled(tmp_path / "m.onnx", 1.0)
    monkeypatch.setattr("chromacord.matte.model.MAX_BYTES", 100)
    with pytest.raises(InputError, match=r"m\.onnx: is larger than the limit of 100 bytes"):
        MattingModel(path, ModelConfig())


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("colour = 1", "colour is not known; choose one of input, output, channel"),
        ('values = "alpha"', "values must be one of coverage, logits, relative"),
        ("deviation = [1, 0, 1]", "deviation must not be 0"),
        ("mean = [1]", "mean must be a list of 3 numbers"),
        ("size = [0, 5]", "size must be from 1 to 8192 pixels, got 0, 5"),
        ("size = [9, 9]\nlongest = 5", "size fixes the size; leave out longest"),
        ("longest = 5\nshortest = 5", "longest and shortest limit the same"),
        ("multiple = 0", "multiple must be from 1"),
        ("channel = -1", "channel must be at least 0"),
        ('[[states]]\ninput = "a"\noutput = "b"', "input is missing: a model with states"),
        ('input = "a"\n[[states]]\ninput = "a"\noutput = "b"', "two inputs have the same name"),
        ('input = "x"\n[[states]]\ninput = "a"\noutput = "b"\nshape = [8000, 8000, 8000]', "the limit is 67,108,864"),
        ('input = "x"\n[[states]]\ninput = "a"\noutput = "b"\nshape = []', "states[0].shape must be 1 to 5 lengths"),
        ('input = "x"\n[[states]]\ninput = "a"', "states[0].output is missing"),
        ('input = "x"\n[[numbers]]\ninput = "a"', "numbers[0].needs a value or longest"),
        ('input = "x"\n[[numbers]]\ninput = "a"\nlongest = 0', "longest must be at least 1"),
        ("mean = ", "cannot be read as TOML"),
    ],
)
def test_descriptions_are_checked(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "m.toml").write_text(text)
    with pytest.raises(InputError, match=re.escape(told)) as caught:
        read_config(tmp_path / "m.onnx", None)
    assert str(caught.value).startswith(f"{tmp_path}/m.toml: ")


def test_a_model_needs_a_description(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"m.toml: no such file; describe the model in it, or give --model-config"):
        read_config(tmp_path / "m.onnx", None)


@pytest.mark.parametrize(
    ("config", "size", "expected"),
    [
        (ModelConfig(), Size(1080, 1920), Size(1080, 1920)),
        (ModelConfig(size=(320, 300)), Size(1080, 1920), Size(320, 300)),
        (ModelConfig(longest=512), Size(1080, 1920), Size(288, 512)),
        (ModelConfig(longest=512), Size(100, 200), Size(100, 200)),
        (ModelConfig(shortest=512, multiple=32), Size(1080, 1920), Size(512, 896)),
        (ModelConfig(multiple=32), Size(5, 100), Size(32, 96)),
    ],
)
def test_pictures_are_scaled_as_described(config: ModelConfig, size: Size, expected: Size) -> None:
    assert config.working_size(size) == expected


def test_pictures_beyond_any_model_are_refused() -> None:
    with pytest.raises(InputError, match=f"set longest to {MAX_SIDE}"):
        ModelConfig().working_size(Size(100, MAX_SIDE + 1))
