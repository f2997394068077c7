"""Pictures of what chen2024's shipped weights do on the sample: non-local weights, and the aggregator's attention."""

from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from chromacord.io.writing.staging import StagedFile
from chromacord.lab.bench.fresh_process import Report
from chromacord.lab.bench.provenance import provenance
from chromacord.lab.composites.synthesis import Bytes
from chromacord.lab.evaluation.comparison import sheet
from chromacord.lab.layers.aggregator import ForegroundAggregator
from chromacord.lab.layers.nonlocal_block import NonLocal, neighbourhood_attention
from chromacord.lab.layers.pictures import resized_mask
from chromacord.lab.methods.chen2024 import Chen2024
from chromacord.sample.scene import sample_layers

SIDE = 256
FIRST, SPACING, NUM_FRAMES = 20, 5, 5
"""Frames of the sample in the window; HYouTube's frames are five apart too."""

POINTS = {"at the edge": (0.565, 0.66), "inside": (0.4, 0.8)}
"""Where windows are shown: x and y as shares of the picture."""

_CHANGE = 16
"""Factor on the difference of the stages."""


class Seen(NamedTuple):
    """What was observed in one run."""

    composite: Tensor
    """The middle frame, RGB in [0, 1]. Shape (3, S, S)."""

    mask: Tensor
    """Shape (1, S, S)."""

    stages: tuple[Tensor, Tensor]
    """Results of both stages. Shape (3, S, S) each."""

    windows: Mapping[int, Tensor]
    """Weight of each position of each window, by level. Shape (q q, s, s)."""

    attention: Mapping[str, Tensor]
    """The aggregator's A, by the frame from which features come. Shape (S, S)."""


def draw_figures(path: Path) -> Report:
    """Write a sheet of pictures, and return figures of the whole frame.

    Args:
        path: picture to write, replaced if it exists.

    Returns:
        For each level the share of the foreground whose window holds background, the weight that background then has
        (and a uniform window would give it), and the effective number of positions (exponential of the entropy) of q
        squared; for the aggregator mean and 5 % quantile of A in the foreground; the stages' mean difference in 8-bit
        levels.

    Raises:
        OutputError: the file cannot be written.
    """
    seen = observe()
    encoded, content = cv2.imencode(".jpg", sheet(pictures(seen))[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])
    assert encoded
    with StagedFile(path, force=True) as staged:
        staged.temporary.write_bytes(content.tobytes())
        staged.commit()
    return {**provenance(), **figures(seen)}


def observe() -> Seen:
    """Run both stages on a window of the sample, and keep what its attention did at the middle frame."""
    composites, masks = _window()
    found: dict[str, list[tuple[Any, ...]]] = {}
    method = Chen2024(frames=NUM_FRAMES, working_side=SIDE).on("cpu")
    levels = [module for module in method.network.modules() if isinstance(module, NonLocal)]
    (aggregator,) = [module for module in method.network.modules() if isinstance(module, ForegroundAggregator)]
    for name, module in {**{str(level): block for level, block in enumerate(levels)}, "A": aggregator}.items():
        module.register_forward_pre_hook(_recorder(found.setdefault(name, [])))
    middle = NUM_FRAMES // 2
    with torch.inference_mode():
        second = method(composites[None], masks[None]).harmonized[0, 0]
        first = Chen2024(stage=1, working_side=SIDE).on("cpu")(composites[None, [middle]], masks[None, [middle]])
        windows = {level: window_weights(block, found[str(level)][middle][0])[0] for level, block in enumerate(levels)}
        # One direction after the other; each ends at the middle frame.
        half = len(found["A"]) // 2
        attention = {
            name: aggregator.attention(*found["A"][place][:2])[0, 0]
            for name, place in (("next", half - 1), ("previous", 2 * half - 1))
        }
    return Seen(composites[middle], masks[middle], (first.harmonized[0, 0], second), windows, attention)


def window_weights(block: NonLocal, features: Tensor) -> Tensor:
    """Return the weight of each position of each window, row by row. Shape (N, width, h, w) to (N, q q, h, w).

    Windows must be without dilation, so that each holds every position modulo q once.
    """
    assert block.window is not None
    q, (height, width) = block.window, features.shape[2:]
    rows, columns = torch.arange(height)[:, None], torch.arange(width)
    phases = F.one_hot(rows % q * q + columns % q, q * q).permute(2, 0, 1).to(features.dtype)
    query, key = block.theta(features), block.phi(features)
    values = phases.expand(len(features), -1, -1, -1)
    by_phase = neighbourhood_attention(query, key, values, side=q)
    steps = torch.arange(q) - (q - 1) // 2
    places = [(rows + down) % q * q + (columns + right) % q for down in steps for right in steps]
    return by_phase.gather(1, torch.stack(places).expand(len(features), -1, -1, -1))


def background_share(weights: Tensor, mask: Tensor) -> Tensor:
    """Return the weight that each window gives to background. Shape (q q, h, w) and (1, h, w) to (h, w)."""
    q = round(len(weights) ** 0.5)
    before = (q - 1) // 2
    padded = F.pad(1 - mask, (before, q // 2, before, q // 2))
    height, width = mask.shape[1:]
    seen = torch.stack(
        [padded[0, row : row + height, column : column + width] for row in range(q) for column in range(q)]
    )
    return (weights * seen).sum(dim=0)


def figures(seen: Seen) -> dict[str, Any]:
    """Return the figures of `draw_figures`."""
    levels = {}
    for level, weights in seen.windows.items():
        mask = resized_mask(seen.mask[None], weights[None])[0].round()
        share, even = (background_share(each, mask) for each in (weights, torch.full_like(weights, 1 / len(weights))))
        foreground = mask[0] > 0
        reached = foreground & (even > 0)
        entropy = -(weights * weights.clamp_min(1e-12).log()).sum(dim=0)
        levels[str(level)] = {
            "reaches_background": _rounded(reached.sum() / foreground.sum()),
            "background_weight": _rounded(share[reached].mean()),
            "background_weight_if_uniform": _rounded(even[reached].mean()),
            "effective_positions": _rounded(entropy[foreground].exp().mean()),
        }
    inside = seen.mask[0] > 0.5
    attention = {
        name: {"mean": _rounded(values[inside].mean()), "quantile_5": _rounded(values[inside].quantile(0.05))}
        for name, values in seen.attention.items()
    }
    first, second = seen.stages
    change = 255 * float((second - first).abs()[:, inside].mean())
    return {"levels": levels, "attention": attention, "stage_2_change": round(change, 3)}


def pictures(seen: Seen) -> dict[str, Bytes]:
    """Return the sheet's pictures by label."""
    first, second = seen.stages
    cells = {
        "composite; + edge, + inside": _marked(_codes(seen.composite)),
        "stage 1": _codes(first),
        "stage 2": _codes(second),
        f"stage 2 - stage 1, {_CHANGE} x, on grey": _codes(0.5 + _CHANGE * (second - first)),
    }
    for level, weights in seen.windows.items():
        mask = resized_mask(seen.mask[None], weights[None])[0]
        share = torch.where(mask[0] > 0, background_share(weights, mask), 0)
        cells[f"level {level}: weight of background"] = _heat(share)
    for name, values in seen.attention.items():
        cells[f"A, from the {name} frame"] = _heat(values)
    for level, weights in seen.windows.items():
        for name, place in POINTS.items():
            cells[f"level {level}: window {name}"] = _heat(_at(weights, place))
    return cells


def _window() -> tuple[Tensor, Tensor]:
    last = FIRST + SPACING * (NUM_FRAMES - 1) + 1
    layers = list(islice(sample_layers(), FIRST, last, SPACING))
    pairs = [
        [cv2.resize(each, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for each in (one.composite, one.alpha)]
        for one in layers
    ]
    composites, masks = (torch.from_numpy(np.stack(each)) for each in zip(*pairs, strict=True))
    return composites.permute(0, 3, 1, 2).contiguous(), masks[:, None]


def _recorder(calls: list[tuple[Any, ...]]) -> Any:
    def record(_: nn.Module, inputs: tuple[Any, ...]) -> None:
        calls.append(inputs)

    return record


def _at(weights: Tensor, place: Sequence[float]) -> Tensor:
    """Return the window at a place. Shape (q q, h, w) to (q, q)."""
    q = round(len(weights) ** 0.5)
    column, row = (int(share * side) for share, side in zip(place, weights.shape[:0:-1], strict=True))
    return weights[:, row, column].reshape(q, q)


def _rounded(value: Tensor) -> float:
    return round(float(value), 3)


def _codes(picture: Tensor) -> Bytes:
    return np.ascontiguousarray((255 * picture.clamp(0, 1)).round().byte().permute(1, 2, 0).numpy())


def _heat(values: Tensor) -> Bytes:
    """Return values in [0, 1] as colours from black to yellow, enlarged. Shape (h, w) to (SIDE, SIDE, 3)."""
    levels = (255 * values.clamp(0, 1)).round().byte().numpy()
    enlarged = cv2.resize(levels, (SIDE, SIDE), interpolation=cv2.INTER_NEAREST)
    return np.ascontiguousarray(cv2.applyColorMap(enlarged, cv2.COLORMAP_INFERNO)[..., ::-1])


def _marked(picture: Bytes) -> Bytes:
    for x, y in POINTS.values():
        at = (int(x * SIDE), int(y * SIDE))
        cv2.drawMarker(picture, at, (0, 0, 0), cv2.MARKER_CROSS, 13, 3)
        cv2.drawMarker(picture, at, (255, 255, 255), cv2.MARKER_CROSS, 11, 1)
    return picture
