"""The layers of EfficientNet-Lite0, shared by the training network and the OpenCV network."""

from typing import NamedTuple

MEAN, SCALE = 127 / 128, 255 / 128
"""Input normalization of the published weights, (code - 127) / 128, for colours in [0, 1]: colour * SCALE - MEAN."""


class Stage(NamedTuple):
    """Inverted residual blocks of one width; the first block has the stride."""

    num_blocks: int
    width: int
    expansion: int
    kernel: int
    stride: int


STEM_WIDTH, STEM_STRIDE = 32, 2
STAGES = (
    Stage(1, 16, 1, 3, 1),
    Stage(2, 24, 6, 3, 2),
    Stage(2, 40, 6, 5, 2),
    Stage(3, 80, 6, 3, 2),
    Stage(3, 112, 6, 5, 1),
    Stage(4, 192, 6, 5, 2),
    Stage(1, 320, 6, 3, 1),
)

TAPS = {1: 4, 2: 8, 4: 16, 6: 32}
"""Stages whose outputs are used, with the input pixels per output position and side."""

WIDTHS = tuple(STAGES[stage].width for stage in TAPS)
"""Channels of the used outputs."""


def padding(kernel: int, stride: int) -> tuple[int, int]:
    """Return the padding before and after, as TensorFlow pads even sizes: an odd pixel goes after."""
    total = kernel - stride
    return total // 2, total - total // 2
