"""Convert ShotGrade's weights between its training network and its torch-free network."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from chromacord.errors import InputError
from chromacord.lab.networks.efficientnet import from_published
from chromacord.lab.networks.grade_network import GradeNetwork
from chromacord.methods.base import Method
from chromacord.methods.shotgrade import ShotGrade


def encoder_from_published(checkpoint: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Extract the network's encoder from a published EfficientNet-Lite0 checkpoint.

    The result is a part of the weights, for `start` in a recipe. See `efficientnet.from_published`.

    Args:
        checkpoint: tensors by key. Any shape.

    Raises:
        InputError: it belongs to another network.
    """
    try:
        return {f"encoder.{key}": value for key, value in from_published(checkpoint).items()}
    except KeyError as error:
        raise InputError(f"is not an EfficientNet-Lite0: {error} is missing") from error


def network_of(method: Method) -> nn.Module:
    """Return a method's torch network, to count its parameters and operations.

    For ShotGrade this is the training network, which takes pictures instead of windows, with the weights that OpenCV
    and numpy run. Methods without a network return an empty module.

    Args:
        method: any method.
    """
    if isinstance(method, ShotGrade):
        network = GradeNetwork(**method.network_options)
        network.load_state_dict({name: torch.from_numpy(value) for name, value in method.estimator.state.items()})
        return network.eval()
    return method if isinstance(method, nn.Module) else nn.Module()
