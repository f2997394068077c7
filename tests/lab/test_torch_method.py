"""The adapter from modules of torch to methods that speak numpy."""

import numpy as np
import torch
from torch import Tensor, nn

from chromacord.lab.torch_method import TensorPrediction, TorchMethod
from chromacord.methods.base import State, Window
from chromacord.types import FloatArray


class Brighter(TorchMethod):
    """Multiplies by a parameter, drops out in training, and counts windows."""

    window = Window(hop=2)

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(1.5))
        self.dropout = nn.Dropout(0.5)

    def forward(self, composite: Tensor, mask: Tensor, state: State = None) -> TensorPrediction:
        return TensorPrediction(self.dropout(self.gain * composite) * mask, (state or 0) + 1)


def arrays() -> tuple[FloatArray, FloatArray]:
    random = np.random.default_rng(0)
    return random.random((1, 2, 3, 8, 8), np.float32), random.random((1, 2, 1, 8, 8), np.float32)


def test_arrays_go_in_and_come_out_as_the_module_maps_them() -> None:
    method, (composite, mask) = Brighter().on("cpu"), arrays()
    prediction = method.harmonize(composite, mask, 3)
    assert isinstance(prediction.harmonized, np.ndarray)
    assert (prediction.harmonized.dtype, prediction.transform, prediction.state) == (np.float32, None, 4)
    np.testing.assert_allclose(prediction.harmonized, 1.5 * composite * mask, rtol=1e-6)
    with torch.no_grad():
        np.testing.assert_array_equal(
            prediction.harmonized, method(torch.from_numpy(composite), torch.from_numpy(mask)).harmonized
        )


def test_as_a_module_it_still_has_gradients() -> None:
    method, (composite, mask) = Brighter().eval(), arrays()
    method.harmonize(composite, mask)
    method(torch.from_numpy(composite), torch.from_numpy(mask)).harmonized.sum().backward()
    assert method.gain.grad is not None
    assert method.gain.grad > 0


def test_arrays_that_are_turned_or_read_only_are_taken() -> None:
    method, (composite, mask) = Brighter().on("cpu"), arrays()
    expected = method.harmonize(composite[..., ::-1].copy(), mask).harmonized
    mask.flags.writeable = False
    np.testing.assert_array_equal(method.harmonize(composite[..., ::-1], mask).harmonized, expected)


def test_a_method_that_is_made_ready_is_in_evaluation_mode() -> None:
    method = Brighter()
    assert method.training
    assert not method.on("cpu").training
