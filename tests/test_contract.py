"""What every method promises. A method that is added to METHODS is tested here without another line."""

import copy
import inspect

import cv2
import numpy as np
import pytest
import torch

from chromacord.color.transforms import ColorTransform
from chromacord.lab.layers.nonlocal_block import NonLocal
from chromacord.lab.torch_method import TensorPrediction, TorchMethod
from chromacord.methods import METHODS, list_methods, load_method, methods_with_weights
from chromacord.methods.base import Method, as_frames
from chromacord.types import FloatArray, Size

ANY_SIZE = Size(40, 56)


SMALL = {"width": 4, "working_side": 32}
"""Options of methods that have them, the first one alone: other sides and fewer channels change nothing of what is
promised. Shipped weights fix the width, but not the side."""


@pytest.fixture(scope="module", params=list(METHODS))
def method(request: pytest.FixtureRequest) -> Method:
    torch.manual_seed(0)
    is_trained = request.param in methods_with_weights()
    parameters = inspect.signature(METHODS[request.param]).parameters
    names = [name for name in SMALL if name in parameters and not (is_trained and name == "width")]
    options = {name: SMALL[name] for name in names[:1]}
    if is_trained:
        return load_method(request.param, **options)
    return moved(load_method(request.param, weights=None, **options))


@torch.no_grad()
def moved(method: Method) -> Method:
    """Change all parameters slightly: before training, zeros block the gradients of earlier layers."""
    assert isinstance(method, TorchMethod)
    for value in method.parameters():
        value.add_(0.02 * torch.randn(value.shape))
    return method


def clips(method: Method, num_clips: int = 2, *, hops: int = 1) -> tuple[FloatArray, FloatArray]:
    """Smooth pictures with a little grain, and a soft disc as mask, that differ in every frame."""
    height, width = method.working_size or ANY_SIZE
    window = method.window
    length = window.past + window.hop * hops + window.future
    random = np.random.default_rng(1)
    coarse = random.random((num_clips * length, 6, 7, 3), np.float32)
    smooth = np.stack([cv2.resize(each, (width, height), interpolation=cv2.INTER_CUBIC) for each in coarse])
    grain = np.float32(0.02) * random.standard_normal(smooth.shape, np.float32)
    composite = (0.6 * smooth + 0.2 + grain).clip(0, 1).transpose(0, 3, 1, 2)
    rows, columns = np.linspace(-1, 1, height)[:, None], np.linspace(-1, 1, width)
    shift = np.linspace(-0.2, 0.2, num_clips * length)[:, None, None]
    disc = (4 * (0.7 - np.hypot(rows - shift, columns + shift))).clip(0, 1).astype(np.float32)
    pictures = (composite, disc[:, None])
    return tuple(np.ascontiguousarray(each).reshape(num_clips, length, *each.shape[1:]) for each in pictures)  # type: ignore[return-value]


def center(method: Method, frames: FloatArray) -> FloatArray:
    """A window's output frames."""
    return frames[:, method.window.past : frames.shape[1] - method.window.future]


def test_the_result_has_the_shape_range_and_type_of_the_frames_that_come_out(method: Method) -> None:
    composite, mask = clips(method)
    harmonized = method.harmonize(composite, mask).harmonized
    assert harmonized.shape == center(method, composite).shape
    assert harmonized.dtype == np.float32
    assert 0 <= harmonized.min() <= harmonized.max() <= 1


def test_a_batch_of_two_equals_two_calls(method: Method) -> None:
    composite, mask = clips(method)
    both = method.harmonize(composite, mask)
    for number in range(2):
        one = method.harmonize(composite[number : number + 1], mask[number : number + 1])
        np.testing.assert_allclose(both.harmonized[number : number + 1], one.harmonized, atol=1e-4)


def test_frames_of_a_longer_window_come_out_as_they_do_alone(method: Method) -> None:
    if method.window.length > 1:
        pytest.skip("the method looks at neighbouring frames")
    composite, mask = clips(method, 1, hops=3)
    together = method.harmonize(composite, mask).harmonized
    alone = method.harmonize(composite.swapaxes(0, 1), mask.swapaxes(0, 1)).harmonized.swapaxes(0, 1)
    np.testing.assert_allclose(together, alone, atol=1e-4)


def test_a_state_of_none_is_a_fresh_start(method: Method) -> None:
    composite, mask = clips(method)
    first = method.harmonize(composite, mask)
    method.harmonize(composite[..., ::-1], mask[..., ::-1])
    again = method.harmonize(composite, mask)
    np.testing.assert_allclose(again.harmonized, first.harmonized, atol=0)


def test_the_transform_gives_the_harmonized_foreground(method: Method) -> None:
    composite, mask = clips(method)
    prediction = method.harmonize(composite, mask)
    if prediction.transform is None:
        pytest.skip("the method gives pixels only")
    assert isinstance(prediction.transform, ColorTransform)
    frames, weight = as_frames(center(method, composite)), as_frames(center(method, mask))
    error = np.abs(prediction.transform(frames).clip(0, 1) - as_frames(prediction.harmonized))
    foreground = error[np.broadcast_to(weight > 0, error.shape)]
    assert foreground.max() <= 2 / 255
    assert foreground.mean() <= 0.5 / 255


def test_the_transform_has_one_map_for_each_frame_and_is_not_clamped(method: Method) -> None:
    composite, mask = clips(method)
    transform = method.harmonize(composite, mask).transform
    if transform is None:
        pytest.skip("the method gives pixels only")
    assert len(transform.parameters) == len(as_frames(center(method, composite)))
    assert np.isfinite(transform.parameters).all()


def test_gradients_reach_every_parameter(method: Method) -> None:
    if not isinstance(method, TorchMethod):
        pytest.skip("the method is no module of torch")
    method = copy.deepcopy(method)  # whose statistics change while it trains
    parameters = dict(method.named_parameters())
    # What is added to all keys of a window adds the same to all its logits, which a softmax ignores: the gradient is 0
    # up to rounding, so the result is inconclusive.
    blocks = [name for name, module in method.named_modules() if isinstance(module, NonLocal)]
    keys = {f"{name}.phi.bias" for name in blocks}
    assert keys <= parameters.keys()
    composite, mask = clips(method)
    prediction: TensorPrediction = method.train()(torch.from_numpy(composite), torch.from_numpy(mask))
    weight = torch.from_numpy(center(method, mask))
    (weight * (prediction.harmonized - 0.3).square()).sum().backward()  # type: ignore[no-untyped-call]
    unreached = [name for name, value in parameters.items() if value.grad is None or not value.grad.abs().sum() > 0]
    assert [name for name in unreached if name not in keys] == []


def test_nothing_is_written_to_the_method_or_its_input(method: Method) -> None:
    composite, mask = clips(method)
    before = {name: copy.deepcopy(value) for name, value in vars(method).items()}
    state = method.state_dict() if isinstance(method, TorchMethod) else {}
    numbers = {name: value.clone() for name, value in state.items()}
    given = composite.copy(), mask.copy()
    method.harmonize(composite, mask)
    assert np.array_equal(composite, given[0])
    assert np.array_equal(mask, given[1])
    assert vars(method).keys() == before.keys()
    assert all(torch.equal(value, numbers[name]) for name, value in state.items())
    plain = [name for name in before if not name.startswith("_")]
    assert all(vars(method)[name] == before[name] for name in plain)


@pytest.mark.parametrize("fill", [0.0, 1.0])
def test_an_empty_or_full_mask_returns_the_composite(method: Method, fill: float) -> None:
    composite, mask = clips(method)
    prediction = method.harmonize(composite, np.full_like(mask, fill))
    np.testing.assert_allclose(prediction.harmonized, center(method, composite), atol=1e-5)
    if prediction.transform is not None:
        frames = as_frames(center(method, composite))
        np.testing.assert_allclose(prediction.transform(frames), frames, atol=1e-5)


def test_an_empty_frame_leaves_its_neighbours_in_the_batch_alone(method: Method) -> None:
    composite, mask = clips(method)
    mask[0] = 0
    both, one = method.harmonize(composite, mask), method.harmonize(composite[1:], mask[1:])
    np.testing.assert_allclose(both.harmonized[1:], one.harmonized, atol=1e-4)


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_a_flat_picture_gives_finite_numbers(method: Method, value: float) -> None:
    composite, mask = clips(method)
    prediction = method.harmonize(np.full_like(composite, value), mask)
    np.testing.assert_allclose(prediction.harmonized, np.full_like(prediction.harmonized, value), atol=2e-3)
    assert prediction.transform is None or np.isfinite(prediction.transform.parameters).all()


@pytest.mark.parametrize("name", [name for name in METHODS if METHODS[name].working_size is None])
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (3, 2), (17, 31)])
def test_a_method_without_a_working_size_takes_any(name: str, size: tuple[int, int]) -> None:
    random = np.random.default_rng(2)
    composite, mask = (random.random((1, 2, channels, *size), np.float32) for channels in (3, 1))
    harmonized = load_method(name).harmonize(composite, mask).harmonized
    assert harmonized.shape == composite.shape
    assert np.isfinite(harmonized).all()


def test_every_method_is_described_in_one_line() -> None:
    infos = list_methods()
    assert [info.name for info in infos] == list(METHODS)
    assert all(10 < len(info.description) <= 120 and "\n" not in info.description for info in infos)
