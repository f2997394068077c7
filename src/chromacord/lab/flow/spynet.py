"""SPyNet: Ranjan and Black, "Optical Flow Estimation using a Spatial Pyramid Network" (2017).

Both frames are halved repeatedly. From the coarsest size to the finest, the flow so far is doubled, the second frame is
warped by it, and a small network for that level adds the remainder: a pixel or two, however large the total motion.

There are six levels, as in video restoration networks; the paper has five. The number of levels a picture uses is an
option (`levels`); with public weights it changes the flow. Frames of any size are resized to multiples of 32, as in
public implementations.
"""

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from chromacord.errors import InputError, MismatchError
from chromacord.lab.flow.warp import warp
from chromacord.lab.published import SUFFIXES, read_checkpoint
from chromacord.lab.weight_files import fit, renamed, state_dict

NUM_LEVELS = 6
SHIPPED = "spynet"
"""The name of the shipped weights."""

ENDINGS = (".safetensors", *SUFFIXES)
"""Suffixes of SPyNet weight files."""

_WIDTHS = (8, 32, 64, 32, 16, 2)
_MULTIPLE = 2 ** (NUM_LEVELS - 1)
_COARSE_SIDE = 32
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

_PUBLISHED = ("basic_module", "moduleBasic")
"""Names of levels and layers in BasicSR's and pytorch-spynet's checkpoints. Both networks take RGB: pytorch-spynet's
loader passes BGR, but its network reverses the channels before the first layer."""


class SPyNet(nn.Module):
    """Estimates the displacement of each pixel between two frames.

    Args:
        levels: number of networks to use, from the coarsest; a frame is halved one time less. "auto": halve until both
            sides are at most 32, as in the paper's code: four levels for 256 x 256.
        weights: "spynet", the path of a .safetensors file, or of a published checkpoint of either layout; None: random,
            with a flow near 0. The published ones are for non-commercial research.

    Raises:
        InputError: the weights cannot be read or belong to another network, or `levels` is out of range.
    """

    def __init__(self, *, levels: int | Literal["auto"] = NUM_LEVELS, weights: str | Path | None = None) -> None:
        super().__init__()
        if levels != "auto" and levels not in range(1, NUM_LEVELS + 1):
            raise InputError(f"levels must be 'auto' or lie in 1..{NUM_LEVELS}, got {levels!r}")
        self._num_levels = levels
        self.levels = nn.ModuleList(_level() for _ in range(NUM_LEVELS))
        # On a CPU, 7 x 7 convolutions take a quarter less time in this layout, and half of it in bfloat16.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if weights is not None:
            load_weights(self, weights)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Estimate the flow from first to second.

        `warp(second, flow)` of `chromacord.lab.flow.warp` approximates `first`: its value at p is that of `second` at p
        + flow(p).

        Args:
            first, second: RGB in [0, 1]. Shape (N, 3, H, W), H and W at least 1.

        Returns:
            Pixels, channels (x right, y down). Shape (N, 2, H, W).

        Raises:
            MismatchError: the frames differ in shape.
        """
        if first.shape != second.shape:
            raise MismatchError(
                f"flow needs two frames of one size, not {tuple(first.shape)} and {tuple(second.shape)}; resize one"
            )
        count, _, height, width = first.shape
        if count == 0:
            return first.new_zeros(0, 2, height, width)
        size, num_levels = _rounded_up(height, width), self.num_levels(height, width)
        if size == [height, width]:
            return self.flows(first, second, num_levels)[-1]
        first, second = (F.interpolate(frame, size, mode="bilinear", align_corners=False) for frame in (first, second))
        flow = self.flows(first, second, num_levels)[-1]
        scale = flow.new_tensor([width / size[1], height / size[0]])[:, None, None]
        return scale * F.interpolate(flow, (height, width), mode="bilinear", align_corners=False)

    @classmethod
    def from_published(cls, checkpoint: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Convert a published checkpoint of either layout to our keys.

        Args:
            checkpoint: tensors by key. Any shape.

        Raises:
            InputError: it belongs to another network; names the first keys that differ.
        """
        network = cls()
        return renamed(checkpoint, network, _names(network, checkpoint))

    def flows(self, first: Tensor, second: Tensor, num_levels: int, *, detached: bool = False) -> list[Tensor]:
        """Return the flow after each level, the coarsest first.

        Args:
            first, second: RGB in [0, 1]. Shape (N, 3, H, W), H and W multiples of 2 ** (num_levels - 1).
            num_levels: number of levels to use.
            detached: stop gradients between levels.

        Returns:
            Flow in pixels of each level, channels (x right, y down). Shape (N, 2, H / 2 ** n, W / 2 ** n), n falling to
            0.
        """
        pyramids = zip(_pyramid(_normalized(first), num_levels), _pyramid(_normalized(second), num_levels), strict=True)
        flows: list[Tensor] = []
        for network, (here, there) in zip(self.levels, pyramids, strict=False):
            flow = upsample(flows[-1]) if flows else here.new_zeros(len(here), 2, *here.shape[-2:])
            if detached:
                flow = flow.detach()
            # Beyond the frame, its edge is the best estimate; zeros would look like an object's boundary.
            warped, _ = warp(there, flow, padding="border")
            flows.append(flow + network(torch.cat([here, warped, flow], dim=1)))
        return flows

    def num_levels(self, height: int, width: int) -> int:
        """Return the number of levels, from the coarsest, for frames of a size."""
        if self._num_levels != "auto":
            return self._num_levels
        halvings = 0
        while max(_rounded_up(height, width)) > _COARSE_SIDE << halvings and halvings < NUM_LEVELS - 1:
            halvings += 1
        return halvings + 1


def _rounded_up(height: int, width: int) -> list[int]:
    return [-(-side // _MULTIPLE) * _MULTIPLE for side in (height, width)]


class SPyNetFlow:
    """SPyNet as a flow source: shipped weights, one pair at a time, no gradients."""

    name = "SPyNet"
    """Name in tables."""

    def __init__(self, weights: str | Path = SHIPPED) -> None:
        """Load the network.

        Args:
            weights: as for `SPyNet`.

        Raises:
            InputError: they cannot be read or do not match the network.
        """
        self._network = SPyNet(weights=weights).eval().requires_grad_(requires_grad=False)

    def __call__(self, first: Tensor, second: Tensor) -> Tensor:
        """Return the displacement of each pixel from the first frames to the second.

        Args:
            first, second: RGB in [0, 1]. Shape (N, 3, H, W).

        Returns:
            Displacement from first to second in pixels, channels (x right, y down). Shape (N, 2, H, W).
        """
        flow = first.new_zeros(len(first), 2, *first.shape[-2:])
        for index in range(len(first)):  # a batch of the whole clip would hold 64 channels of each frame in memory
            flow[index] = self._network(first[index : index + 1], second[index : index + 1])[0]
        return flow


def load_weights(network: SPyNet, source: str | Path) -> None:
    """Load weights into a network: ours, or a published checkpoint of either layout.

    Args:
        network: modified in place.
        source: the name of shipped weights, or the path of a .safetensors or `torch.save` file.

    Raises:
        InputError: they cannot be read, or belong to another network; names the first keys that differ.
    """
    is_checkpoint = str(source).endswith(SUFFIXES)
    state = read_checkpoint(Path(source)) if is_checkpoint else state_dict(source)
    fit(network, state, source=source, names=_names(network, state))


def upsample(flow: Tensor) -> Tensor:
    """Double a flow's size and its vectors. Shape (N, 2, H, W) to (N, 2, 2 H, 2 W)."""
    return 2 * F.interpolate(flow, scale_factor=2, mode="bilinear", align_corners=True)


def _names(network: SPyNet, state: Mapping[str, Tensor]) -> dict[str, str]:
    """Map our keys to those of a state dict."""
    prefix = next((each for each in _PUBLISHED if any(key.startswith(f"{each}.") for key in state)), None)
    return {key: _published_key(key, prefix) for key in network.state_dict()}


def _published_key(key: str, prefix: str | None) -> str:
    """Return the published name of our "levels.0.2.weight"."""
    _, level, rest = key.split(".", 2)
    return key if prefix is None else f"{prefix}.{level}.{prefix}.{rest}"


def _level() -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in pairwise(_WIDTHS):
        convolution = nn.Conv2d(before, after, 7, padding=3)
        nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
        nn.init.zeros_(convolution.bias)  # type: ignore[arg-type]
        layers += [convolution, nn.ReLU()]
    # An untrained level must leave the flow of the previous level unchanged.
    nn.init.normal_(convolution.weight, std=1e-3)
    return nn.Sequential(*layers[:-1])


def _normalized(frames: Tensor) -> Tensor:
    mean, deviation = (frames.new_tensor(values)[:, None, None] for values in (_MEAN, _DEVIATION))
    return (frames - mean) / deviation


def _pyramid(frames: Tensor, num_levels: int) -> list[Tensor]:
    """Return frames at each level's size, coarsest first."""
    sizes = [frames]
    for _ in range(num_levels - 1):
        sizes.insert(0, F.avg_pool2d(sizes[0], 2))
    return sizes
