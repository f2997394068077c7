"""The layers of EfficientNet-Lite0, shared by the training network and the OpenCV network."""

from typing import NamedTuple

MEAN, SCALE = 127 / 128, 255 / 128
"""The network was trained on (code - 127) / 128: a colour in [0, 1] times the scale, less the mean."""


class Stage(NamedTuple):
    """Inverted residual blocks of one width; the first of them has the stride."""

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
"""Stages whose outputs are used, and how many pixels of the input one of their places spans a side."""

WIDTHS = tuple(STAGES[stage].width for stage in TAPS)
"""Channels of these outputs."""


def padding(kernel: int, stride: int) -> tuple[int, int]:
    """Return the pixels before and after, as TensorFlow pads pictures of an even side: an odd one goes after."""
    total = kernel - stride
    return total // 2, total - total // 2
