"""ShotGrade's network for inference: OpenCV runs the encoder's convolutions, numpy the rest.

`chromacord.lab.networks.grade_network` holds the same network for training; a test compares the two.
"""

from collections.abc import Mapping
from threading import Lock
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from chromacord.color.transforms import lattice
from chromacord.methods.grade_plan import (
    ATTENTION_SCALE,
    CLIP,
    CUBE_BINS,
    CURVE_BINS,
    MEAN,
    SCALE,
    SEAM,
    SEAM_SCALES,
    STAGES,
    STEM_STRIDE,
    TAPS,
    padding,
)
from chromacord.weights.onnx import Attribute, Node, Port, to_onnx

Floats = NDArray[np.float32]

_QUARTER = np.float32(0.25)

_RELU6 = {"low": np.array(0, np.float32), "high": np.array(6, np.float32)}


class Estimates(NamedTuple):
    """The network's result for N pictures."""

    lut: Floats
    """The transforms. Shape (N, 3, D, D, D)."""

    log_error: Floats
    """Logarithm of the expected mean squared error. Shape (N,)."""


class GradeEstimator:
    """Predicts a LUT for each picture."""

    def __init__(self, state: Mapping[str, Floats], *, side: int = 128) -> None:
        """Prepare the network.

        Args:
            state: the weights of `grade_network.GradeNetwork`, by its keys. Any shape.
            side: height and width to which pictures are reduced.
        """
        self.state = dict(state)
        self._lock = Lock()
        self._encoder: tuple[cv2.dnn.Net, list[str]] | None = None
        self.side = side
        self.unit = lattice(state["basis"].shape[-1])

    def __call__(self, composite: Floats, mask: Floats) -> Estimates:
        """Estimate transforms and their errors.

        Args:
            composite: RGB in [0, 1]. Shape (N, 3, H, W), H and W multiples of the network's side.
            mask: foreground weight. Shape (N, 1, H, W).
        """
        step = composite.shape[-1] // self.side
        composite, mask = averaged(composite, step), averaged(mask, step)
        half, half_mask = averaged(composite, 2), averaged(mask, 2)
        regions = np.concatenate([half_mask, 1 - half_mask, _bands(half_mask)], axis=1)
        semantic, attended = [], None
        for number, features in enumerate(self._encoded(composite)):
            places = regions.shape[-1] // features.shape[-1]
            weights = averaged(regions, places)
            shares, flat = _shares(weights), np.ascontiguousarray(_flat(features).swapaxes(1, 2))
            semantic.append(_pooled(flat, shares[:, :2]).reshape(len(flat), -1))
            if number < SEAM_SCALES:
                semantic.append((shares[:, 2:] @ flat).reshape(len(flat), -1))
            if number == ATTENTION_SCALE:
                attended = self._attended(flat, _place_colors(half, half_mask, places), _flat(weights)[:, 0])
        histogram = color_histograms(_flat(composite[..., ::2, ::2]), _flat(mask[..., ::2, ::2]))
        hidden = self._input("histogram", histogram) + self._input("colors", _colors(half, regions))
        if semantic:
            hidden += self._input("semantic", np.concatenate(semantic, axis=1))
        if attended is not None:
            hidden += self._linear("attended", attended)
        hidden = self._trunk(hidden)
        weights = self._linear("weights", hidden)
        basis = self.state["basis"]
        change = (weights @ basis.reshape(len(basis), -1)).reshape(len(weights), *basis.shape[1:])
        return Estimates(self.unit + change, self._linear("log_error", hidden)[:, 0])

    def _encoded(self, composite: Floats) -> list[Floats]:
        if "encoder.stem.weight" not in self.state:
            return []
        with self._lock:  # methods are shared by clips, but an OpenCV network is not thread-safe
            if self._encoder is None:
                self._encoder = encoder_network(self.state, self.side)
            network, outputs = self._encoder
            network.setInput(SCALE * composite - MEAN)
            return list(network.forward(outputs))

    def __eq__(self, other: object) -> bool:
        """Whether another estimator has equal weights."""
        if not isinstance(other, GradeEstimator) or (self.side, self.state.keys()) != (other.side, other.state.keys()):
            return False
        return all(np.array_equal(values, other.state[name]) for name, values in self.state.items())

    __hash__ = object.__hash__

    def __deepcopy__(self, memo: object) -> "GradeEstimator":
        """Rebuild the estimator from its weights: OpenCV's networks and locks cannot be copied."""
        return GradeEstimator(self.state, side=self.side)

    def _attended(self, features: Floats, colors: Floats, mask: Floats) -> Floats | None:
        """Return the attention's mean result over the foreground. See `grade_network.Attention`."""
        if "attention.query.weight" not in self.state:
            return None
        places = self._norm("attention.norm", features)
        query, key, own = (self._linear(f"attention.{name}", places) for name in ("query", "key", "own"))
        match = query @ key.swapaxes(1, 2) / key.shape[-1] ** 0.5
        # Adding the logarithm of the background's share multiplies the attention by it; the floor keeps a
        # picture without background finite.
        match += np.log(np.maximum(1 - mask, 1e-4))[:, None]
        most = match.max(axis=-1, keepdims=True)
        # Shifted by the maximum, so that exp cannot overflow; the shift is added back in `sure`.
        weight = np.exp(match - most)
        total = weight.sum(axis=-1, keepdims=True)
        inner, outer = colors[..., :3], colors[..., 3:]
        level = weight / total @ outer
        spread = np.sqrt(np.maximum(weight / total @ outer**2 - level**2, 0) + 1e-4)
        # The log-sum-exp of the matches: how well any background fits this position. Divided to the size of the
        # other inputs.
        sure = (most + np.log(total)) / 4
        mixed = _silu(
            self._linear("attention.mix", np.concatenate([own, inner, level, inner - level, spread, sure], axis=-1))
        )
        share = mask / np.maximum(mask.sum(axis=-1, keepdims=True), 1e-6)
        found: Floats = (share[:, None] @ mixed)[:, 0]
        return found

    def _trunk(self, hidden: Floats) -> Floats:
        for number in range(2):
            name = f"trunk.{number}"
            inner = _silu(self._linear(f"{name}.first", self._norm(f"{name}.norm", hidden)))
            hidden = hidden + self._linear(f"{name}.second", inner)
        return _silu(self._linear("trunk.3", self._norm("trunk.2", hidden)))

    def _input(self, name: str, numbers: Floats) -> Floats:
        # The clip keeps a rare feature, such as the log of an almost empty region, from outweighing all others.
        mean, deviation = (self.state[f"standardized.{name}.{which}"] for which in ("mean", "deviation"))
        return self._linear(f"inputs.{name}", np.clip((numbers - mean) / deviation, -CLIP, CLIP))

    def _linear(self, name: str, numbers: Floats) -> Floats:
        product = numbers @ self.state[f"{name}.weight"].T
        bias = self.state.get(f"{name}.bias")
        return product if bias is None else product + bias

    def _norm(self, name: str, numbers: Floats) -> Floats:
        centred = numbers - numbers.mean(axis=-1, keepdims=True)
        scale = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-5)
        normal: Floats = centred / scale * self.state[f"{name}.weight"] + self.state[f"{name}.bias"]
        return normal


def encoder_network(state: Mapping[str, Floats], side: int) -> tuple[cv2.dnn.Net, list[str]]:
    """Build the encoder for OpenCV; return it with its output names. It accepts any batch size.

    Args:
        state: weights; keys starting with "encoder." are used. Any shape.
        side: height and width of the pictures.
    """
    graph = _Graph(state)
    features = graph.conv("stem", "picture", stride=STEM_STRIDE, is_rectified=True)
    outputs = []
    for number, stage in enumerate(STAGES):
        for block in range(stage.num_blocks):
            name, stride = f"stages.{number}.{block}", 1 if block else stage.stride
            wide = features
            if stage.expansion > 1:
                wide = graph.conv(f"{name}.expand", features, is_rectified=True)
            wide = graph.conv(f"{name}.depthwise", wide, stride=stride, is_rectified=True)
            narrow = graph.conv(f"{name}.project", wide)
            features = graph.sum(name, features, narrow) if block else narrow
        if number in TAPS:
            outputs.append(Port(features, (1, stage.width, side // TAPS[number], side // TAPS[number])))
    content = to_onnx(graph.nodes, graph.tensors, inputs=[Port("picture", (1, 3, side, side))], outputs=outputs)
    network = cv2.dnn.readNetFromONNX(np.frombuffer(content, np.uint8))
    return network, [port.name for port in outputs]


class _Graph:
    """Nodes and tensors of an encoder under construction."""

    def __init__(self, state: Mapping[str, Floats]) -> None:
        self.state = state
        self.nodes: list[Node] = []
        self.tensors: dict[str, Floats] = dict(_RELU6)

    def conv(self, name: str, source: str, *, stride: int = 1, is_rectified: bool = False) -> str:
        """Add a convolution; return its output's name."""
        weight = self.tensors[f"{name}.weight"] = self.state[f"encoder.{name}.weight"]
        self.tensors[f"{name}.bias"] = self.state[f"encoder.{name}.bias"]
        kernel = weight.shape[-1]
        before, after = padding(kernel, stride) if stride > 1 else (kernel // 2, kernel // 2)
        # A depthwise convolution has one input channel for each of its filters.
        groups = len(weight) if weight.shape[1] == 1 else 1
        attributes: dict[str, Attribute] = {
            "kernel_shape": [kernel] * 2,
            "strides": [stride] * 2,
            "pads": [before, before, after, after],
            "group": groups,
        }
        self.nodes.append(Node("Conv", [source, f"{name}.weight", f"{name}.bias"], name, attributes))
        if not is_rectified:
            return name
        self.nodes.append(Node("Clip", [name, *_RELU6], f"{name}.rectified"))
        return f"{name}.rectified"

    def sum(self, name: str, first: str, second: str) -> str:
        """Add the sum of two outputs; return its name."""
        self.nodes.append(Node("Add", [first, second], f"{name}.sum"))
        return f"{name}.sum"


def averaged(picture: Floats, step: int) -> Floats:
    """Average over squares of `step` pixels per side. Shape (N, C, H, W) to (N, C, H / step, W / step)."""
    while step > 1 and step % 2 == 0:  # halving adds whole rows, which vectorizes
        rows = picture[..., ::2, :] + picture[..., 1::2, :]
        picture, step = (rows[..., ::2] + rows[..., 1::2]) * _QUARTER, step // 2
    if step == 1:
        return picture
    count, channels, height, width = picture.shape
    means: Floats = picture.reshape(count, channels, height // step, step, width // step, step).mean(axis=(3, 5))
    return means


def color_histograms(colors: Floats, weight: Floats) -> Floats:
    """Return square roots of colour histograms of foreground and background: a joint one and one per channel.

    Each pixel is distributed linearly over the nearest nodes, so that histograms change smoothly.

    Args:
        colors: RGB in [0, 1]. Shape (N, 3, P).
        weight: foreground weight in [0, 1]. Shape (N, 1, P).

    Returns:
        Shape (N, 2 * (bins of the cube + bins of three channels)).
    """
    sides = np.concatenate([weight, 1 - weight], axis=1)
    sides = sides / np.maximum(sides.sum(axis=-1, keepdims=True), 1e-6)
    rows = [np.concatenate([*_cube(*pair), *_curves(*pair)]) for pair in zip(colors, sides, strict=True)]
    # Square roots make Euclidean distances of histograms those of Hellinger, which weighs rare colours more.
    return np.sqrt(np.stack(rows) + 1e-6).astype(np.float32)


def _cube(colors: Floats, sides: Floats) -> list[NDArray[np.float64]]:
    low, share = _node_shares(colors, CUBE_BINS)
    first = (low[0] * CUBE_BINS + low[1]) * CUBE_BINS + low[2]
    cubes = [np.zeros(CUBE_BINS**3) for _ in sides]
    for corner in np.ndindex(2, 2, 2):
        node = first + (corner[0] * CUBE_BINS + corner[1]) * CUBE_BINS + corner[2]
        part = np.prod([share[axis] if up else 1 - share[axis] for axis, up in enumerate(corner)], axis=0)
        for cube, side in zip(cubes, sides, strict=True):
            cube += np.bincount(node, part * side, len(cube))
    return cubes


def _curves(colors: Floats, sides: Floats) -> list[NDArray[np.float64]]:
    low, share = _node_shares(colors, CURVE_BINS)
    low = low + CURVE_BINS * np.arange(3)[:, None]
    # One count over three channels laid end to end: a call costs more than counting a small picture.
    both, parts = np.concatenate([low, low + 1]).ravel(), np.concatenate([1 - share, share])
    return [np.bincount(both, (parts * side).ravel(), 3 * CURVE_BINS).astype(np.float64) for side in sides]


def _node_shares(colors: Floats, bins: int) -> tuple[NDArray[np.int64], Floats]:
    """Return the node below each value in [0, 1], and the weight of the node above. Any shape."""
    place = np.clip(colors, 0, 1) * np.float32(bins - 1)
    low = np.minimum(place.astype(np.int64), bins - 2)
    return low, place - low.astype(np.float32)


def _flat(maps: Floats) -> Floats:
    return maps.reshape(*maps.shape[:2], -1)


def _shares(weights: Floats) -> Floats:
    """Normalize weights over positions. Shape (N, R, H, W) to (N, R, P)."""
    flat = _flat(weights)
    shares: Floats = flat / np.maximum(flat.sum(axis=-1, keepdims=True), 1e-6)
    return shares


def _pooled(features: Floats, shares: Floats) -> Floats:
    """Return means and standard deviations of features by region. Shape (N, P, C), (N, R, P) to (N, R, 2C)."""
    mean = shares @ features
    spread = np.sqrt(np.maximum(shares @ features**2 - mean**2, 0) + 1e-4)
    return np.concatenate([mean, spread], axis=-1)


def _bands(mask: Floats) -> Floats:
    """Return the bands of foreground and background along the mask's edge.

    Shape (N, 1, S, S) to (N, 2, S, S).
    """
    width = 2 * round(SEAM * mask.shape[-1]) + 1
    inside = cv2.boxFilter(np.ones(mask.shape[-2:], np.float32), -1, (width, width), normalize=False, borderType=0)
    # Divided by what lies inside the picture: with a constant border of 0, the picture's edge would count as a
    # seam.
    near = [cv2.boxFilter(each[0], -1, (width, width), normalize=False, borderType=0) / inside for each in mask]
    share = np.stack(near)[:, None]
    return np.concatenate([mask * (1 - share), (1 - mask) * share], axis=1)


def _place_colors(composite: Floats, mask: Floats, step: int) -> Floats:
    """Return the mean foreground and background colour of each position. Shape (N, P, 6)."""
    sides = [
        averaged(composite * weight, step) / np.maximum(averaged(weight, step), 1e-3) for weight in (mask, 1 - mask)
    ]
    return _flat(np.concatenate(sides, axis=1)).swapaxes(1, 2)


def _colors(composite: Floats, regions: Floats) -> Floats:
    """Return colour statistics of each region, and their differences. Shape (N, K)."""
    shares, flat = _shares(regions), _flat(composite)
    largest, chroma = flat.max(axis=1, keepdims=True), np.ptp(flat, axis=1)[:, None]
    light = flat**2  # close enough to linear light for a statistic, and cheaper than a power
    channels = np.concatenate([flat, chroma, chroma / (largest + np.float32(0.05)), light], axis=1)
    pooled = _pooled(channels.swapaxes(1, 2), shares)
    level = np.log(shares @ light.swapaxes(1, 2) + np.float32(1e-3))
    # Without the mean over the channels, which is exposure, what is left is white balance; two channels tell
    # the third.
    balance = level - level.mean(axis=-1, keepdims=True)
    differences = [level[:, 0] - level[:, 1], level[:, 2] - level[:, 3], (balance[:, 0] - balance[:, 1])[:, :2]]
    area = np.log(np.maximum(_flat(regions).mean(axis=-1), 1e-4))
    return np.concatenate([pooled.reshape(len(pooled), -1), *differences, area], axis=1)


def _silu(numbers: Floats) -> Floats:
    smooth: Floats = numbers / (1 + np.exp(-numbers))
    return smooth
