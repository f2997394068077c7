"""What every method promises. A method that is added to METHODS is tested here without another line."""

import copy
import inspect

import pytest
import torch
from torch import Tensor

from chromacord.color.transforms import ColorTransform
from chromacord.layers.nonlocal_block import NonLocal
from chromacord.methods import METHODS, list_methods, load_method, methods_with_weights
from chromacord.methods.base import Method, Prediction
from chromacord.types import Size

ANY_SIZE = Size(40, 56)


SMALL = {"width": 4, "working_side": 32}
"""Options of methods that have them, the first one alone: other sides and fewer channels change nothing of what is
promised."""


@pytest.fixture(params=list(METHODS))
def method(request: pytest.FixtureRequest) -> Method:
    torch.manual_seed(0)
    parameters = inspect.signature(METHODS[request.param]).parameters
    options = {name: SMALL[name] for name in [name for name in SMALL if name in parameters][:1]}
    if request.param in methods_with_weights():
        options.pop("width", None)
        return load_method(request.param, **options)
    return moved(load_method(request.param, weights=None, **options))


@torch.no_grad()
def moved(method: Method) -> Method:
    """Move all parameters a little: where training has not begun, zeros keep gradients from what lies before them."""
    for value in method.parameters():
        value.add_(0.02 * torch.randn(value.shape))
    return method


def clips(method: Method, num_clips: int = 2, *, hops: int = 1) -> tuple[Tensor, Tensor]:
    """Smooth pictures with a little grain, and a soft disc as mask, that differ in every frame."""
    height, width = method.working_size or ANY_SIZE
    window = method.window
    length = window.past + window.hop * hops + window.future
    generator = torch.Generator().manual_seed(1)
    coarse = torch.rand(num_clips * length, 3, 6, 7, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic", align_corners=False)
    grain = 0.02 * torch.randn(smooth.shape, generator=generator)
    rows, columns = torch.linspace(-1, 1, height)[:, None], torch.linspace(-1, 1, width)
    shift = torch.linspace(-0.2, 0.2, num_clips * length)[:, None, None]
    disc = (4 * (0.7 - ((rows - shift) ** 2 + (columns + shift) ** 2).sqrt())).clamp(0, 1)
    composite = (0.6 * smooth + 0.2 + grain).clamp(0, 1)
    return composite.unflatten(0, (num_clips, length)), disc[:, None].unflatten(0, (num_clips, length))


def center(method: Method, frames: Tensor) -> Tensor:
    """The frames of a window that come out."""
    return frames[:, method.window.past : frames.shape[1] - method.window.future]


def run(method: Method, composite: Tensor, mask: Tensor) -> Prediction:
    with torch.no_grad():
        prediction: Prediction = method(composite, mask)
    return prediction


def test_the_result_has_the_shape_range_and_type_of_the_frames_that_come_out(method: Method) -> None:
    composite, mask = clips(method)
    harmonized = run(method, composite, mask).harmonized
    assert harmonized.shape == center(method, composite).shape
    assert harmonized.dtype == torch.float32
    assert 0 <= harmonized.min() <= harmonized.max() <= 1


def test_a_batch_of_two_equals_two_calls(method: Method) -> None:
    composite, mask = clips(method)
    both = run(method, composite, mask)
    for number in range(2):
        one = run(method, composite[number : number + 1], mask[number : number + 1])
        torch.testing.assert_close(both.harmonized[number : number + 1], one.harmonized, atol=1e-4, rtol=0)


def test_frames_of_a_longer_window_come_out_as_they_do_alone(method: Method) -> None:
    if method.window.length > 1:
        pytest.skip("the method looks at neighbouring frames")
    composite, mask = clips(method, 1, hops=3)
    together = run(method, composite, mask).harmonized
    alone = run(method, composite.transpose(0, 1), mask.transpose(0, 1)).harmonized.transpose(0, 1)
    torch.testing.assert_close(together, alone, atol=1e-4, rtol=0)


def test_a_state_of_none_is_a_fresh_start(method: Method) -> None:
    composite, mask = clips(method)
    first = run(method, composite, mask)
    run(method, composite.flip(-1), mask.flip(-1))
    again = run(method, composite, mask)
    torch.testing.assert_close(again.harmonized, first.harmonized, atol=0, rtol=0)


def test_the_transform_gives_the_harmonized_foreground(method: Method) -> None:
    composite, mask = clips(method)
    prediction = run(method, composite, mask)
    if prediction.transform is None:
        pytest.skip("the method gives pixels only")
    assert isinstance(prediction.transform, ColorTransform)
    frames, weight = center(method, composite).flatten(0, 1), center(method, mask).flatten(0, 1)
    error = (prediction.transform(frames).clamp(0, 1) - prediction.harmonized.flatten(0, 1)).abs()
    foreground = error[(weight > 0).expand_as(error)]
    assert foreground.max() <= 2 / 255
    assert foreground.mean() <= 0.5 / 255


def test_the_transform_has_one_map_for_each_frame_and_is_not_clamped(method: Method) -> None:
    composite, mask = clips(method)
    transform = run(method, composite, mask).transform
    if transform is None:
        pytest.skip("the method gives pixels only")
    assert len(transform.parameters) == center(method, composite).flatten(0, 1).shape[0]
    assert transform.parameters.isfinite().all()


def test_gradients_reach_every_parameter(method: Method) -> None:
    parameters = dict(method.named_parameters())
    if not parameters:
        pytest.skip("the method has no parameters")
    # What is added to all keys of a window adds the same to all its logits, which a softmax ignores: the gradient is 0
    # but for rounding, so it shows nothing either way.
    blocks = [name for name, module in method.named_modules() if isinstance(module, NonLocal)]
    keys = {f"{name}.phi.bias" for name in blocks}
    assert keys <= parameters.keys()
    composite, mask = clips(method)
    prediction: Prediction = method.train()(composite, mask)
    (center(method, mask) * (prediction.harmonized - 0.3).square()).sum().backward()  # type: ignore[no-untyped-call]
    unreached = [name for name, value in parameters.items() if value.grad is None or not value.grad.abs().sum() > 0]
    assert [name for name in unreached if name not in keys] == []


def test_nothing_is_written_to_the_method_or_its_input(method: Method) -> None:
    composite, mask = clips(method)
    before = {name: copy.deepcopy(value) for name, value in vars(method).items()}
    numbers = {name: value.clone() for name, value in method.state_dict().items()}
    given = composite.clone(), mask.clone()
    run(method, composite, mask)
    assert torch.equal(composite, given[0])
    assert torch.equal(mask, given[1])
    assert vars(method).keys() == before.keys()
    assert all(torch.equal(value, numbers[name]) for name, value in method.state_dict().items())
    plain = [name for name in before if not name.startswith("_")]
    assert all(vars(method)[name] == before[name] for name in plain)


@pytest.mark.parametrize("fill", [0.0, 1.0])
def test_an_empty_or_full_mask_returns_the_composite(method: Method, fill: float) -> None:
    composite, mask = clips(method)
    prediction = run(method, composite, torch.full_like(mask, fill))
    torch.testing.assert_close(prediction.harmonized, center(method, composite), atol=1e-5, rtol=0)
    if prediction.transform is not None:
        frames = center(method, composite).flatten(0, 1)
        torch.testing.assert_close(prediction.transform(frames), frames, atol=1e-5, rtol=0)


def test_an_empty_frame_leaves_its_neighbours_in_the_batch_alone(method: Method) -> None:
    composite, mask = clips(method)
    mask[0] = 0
    both, one = run(method, composite, mask), run(method, composite[1:], mask[1:])
    torch.testing.assert_close(both.harmonized[1:], one.harmonized, atol=1e-4, rtol=0)


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_a_flat_picture_gives_finite_numbers(method: Method, value: float) -> None:
    composite, mask = clips(method)
    prediction = run(method, torch.full_like(composite, value), mask)
    torch.testing.assert_close(prediction.harmonized, torch.full_like(prediction.harmonized, value), atol=2e-3, rtol=0)
    assert prediction.transform is None or prediction.transform.parameters.isfinite().all()


@pytest.mark.parametrize("name", [name for name in METHODS if METHODS[name].working_size is None])
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (3, 2), (17, 31)])
def test_a_method_without_a_working_size_takes_any(name: str, size: tuple[int, int]) -> None:
    generator = torch.Generator().manual_seed(2)
    composite, mask = (torch.rand(1, 2, channels, *size, generator=generator) for channels in (3, 1))
    harmonized = run(load_method(name), composite, mask).harmonized
    assert harmonized.shape == composite.shape
    assert harmonized.isfinite().all()


def test_every_method_is_described_in_one_line() -> None:
    infos = list_methods()
    assert [info.name for info in infos] == list(METHODS)
    assert all(10 < len(info.description) <= 120 and "\n" not in info.description for info in infos)
