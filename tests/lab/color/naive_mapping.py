"""An independent implementation of colour mappings: pixel by pixel, in double precision, without our code."""

import math

import torch
from torch import Tensor

NODES = 33


def around(color: list[float]) -> list[tuple[tuple[int, int, int], float]]:
    """The nodes (blue, green, red) around one colour, and their weights: cells are 1.000001 / 32 wide."""
    side = 1.000001 / 32
    cells = [math.floor(value / side) for value in color]
    rests = [value / side - cell for value, cell in zip(color, cells, strict=True)]
    nodes = []
    for corner in range(8):
        steps = [corner & 1, corner >> 1 & 1, corner >> 2]
        weight = math.prod(rest if step else 1 - rest for rest, step in zip(rests, steps, strict=True))
        red, green, blue = (cell + step for cell, step in zip(cells, steps, strict=True))
        nodes.append(((blue, green, red), weight))
    return nodes


def naive_splat(before: Tensor, after: Tensor, mask: Tensor) -> Tensor:
    """Shape (3, H, W) twice and (1, H, W) to (4, D, D, D), in double precision."""
    sums = torch.zeros(4, NODES, NODES, NODES, dtype=torch.float64)
    for row, column in (mask[0] > 0.5).nonzero().tolist():
        left = torch.cat([after[:, row, column].double(), torch.ones(1, dtype=torch.float64)])
        for (b, g, r), weight in around(before[:, row, column].tolist()):
            sums[:, b, g, r] += weight * left
    return sums


def naive_look_up(sums: Tensor, picture: Tensor) -> tuple[Tensor, Tensor]:
    """Shape (4, D, D, D) and (3, H, W) to (3, H, W) and (H, W)."""
    found, is_unmapped = torch.zeros_like(picture), torch.zeros(picture.shape[1:], dtype=torch.bool)
    for row in range(picture.shape[1]):
        for column in range(picture.shape[2]):
            nodes = around(picture[:, row, column].tolist())
            filled = [(sums[:, b, g, r], weight) for (b, g, r), weight in nodes if sums[3, b, g, r] > 0]
            is_unmapped[row, column] = not filled
            total = sum(weight for _, weight in filled)
            if total > 0:
                color = sum(weight / total * node[:3] / node[3] for node, weight in filled)
                found[:, row, column] = torch.as_tensor(color)
    return found, is_unmapped
