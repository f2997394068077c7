"""The layers of ShotGrade's network, shared by the torch network and the torch-free one."""

from typing import NamedTuple

MEAN, SCALE = 127 / 128, 255 / 128
"""Input normalization of EfficientNet-Lite0's published weights, (code - 127) / 128: colour * SCALE - MEAN."""


class Stage(NamedTuple):
    """EfficientNet-Lite0's inverted residual blocks of one width; the first block has the stride."""

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


WORKING_SIDE = 256
"""Height and width of the method's input."""

CUBE_BINS, CURVE_BINS = 6, 16
"""Bins per side of the joint colour histogram, and of each channel's own."""

SEAM = 1 / 12
"""Width of the bands along the mask's edge, relative to the picture's side."""

SEAM_SCALES = 3
"""Number of scales at which features are pooled along the edge too; the coarsest is too coarse for it."""

ATTENTION_SCALE = 2
"""Index of the encoder output used for attention: at 1/16 of the side, a position covers part of an object."""

CLIP = 6.0
"""Standardized features are clipped to this many deviations."""

POLYNOMIAL_DEGREE = 3
"""Degree of the colour polynomials from which the basis LUTs start."""

_NUM_SIDES = 4
"""Number of regions for colour statistics: foreground, background, and the band along each side of the edge."""

_NUM_MONOMIALS = (POLYNOMIAL_DEGREE + 1) * (POLYNOMIAL_DEGREE + 2) * (POLYNOMIAL_DEGREE + 3) // 6

Shape = tuple[int, ...]


def check_sizes(side: int, lut_size: int) -> None:
    """Check sizes against the network's constraints.

    Args:
        side: height and width of the network's pictures.
        lut_size: nodes per side of the LUTs.

    Raises:
        ValueError: a size is invalid.
    """
    if side < 1 or side % 32 or WORKING_SIDE % side or lut_size < 2:
        raise ValueError(
            f"side must be a multiple of 32 that divides {WORKING_SIDE} and lut_size be 2 or more, got {side} and "
            f"{lut_size}"
        )


def input_widths(*, encoder: bool) -> dict[str, int]:
    """Return the number of input features of each kind."""
    widths = {"semantic": 4 * sum(WIDTHS) + 2 * sum(WIDTHS[:SEAM_SCALES])} if encoder else {}
    histogram = 2 * (CUBE_BINS**3 + 3 * CURVE_BINS)
    colors = _NUM_SIDES * 2 * 8 + 8 + 4
    return {**widths, "histogram": histogram, "colors": colors}


def weight_shapes(*, lut_size: int, hidden: int, attention: int, encoder: bool) -> dict[str, Shape]:
    """Return the shape of each of the network's weights by key, as in `grade_network.GradeNetwork`.

    Args:
        lut_size: nodes per side of the basis LUTs.
        hidden: width of the fully connected layers.
        attention: width of the attention over the background; 0 disables it.
        encoder: whether the pretrained encoder's features are used.
    """
    num_weights = 3 * _NUM_MONOMIALS
    shapes: dict[str, Shape] = {"basis": (num_weights, 3, lut_size, lut_size, lut_size), "calibration": (2, 3)}
    for name, width in input_widths(encoder=encoder).items():
        shapes |= {f"standardized.{name}.{which}": (width,) for which in ("mean", "deviation")}
        shapes[f"inputs.{name}.weight"] = (hidden, width)
    shapes["inputs.colors.bias"] = (hidden,)
    if encoder:
        shapes |= {f"encoder.{key}": shape for key, shape in _encoder_shapes().items()}
    if attention and encoder:
        inputs = WIDTHS[ATTENTION_SCALE]
        shapes |= _norm("attention.norm", inputs)
        for name in ("query", "key", "own"):
            shapes |= _linear(f"attention.{name}", inputs, attention)
        shapes |= _linear("attention.mix", attention + 4 * 3 + 1, 2 * attention)
        shapes["attended.weight"] = (hidden, 2 * attention)
    for number in range(2):
        shapes |= _norm(f"trunk.{number}.norm", hidden)
        shapes |= _linear(f"trunk.{number}.first", hidden, 2 * hidden)
        shapes |= _linear(f"trunk.{number}.second", 2 * hidden, hidden)
    shapes |= _norm("trunk.2", hidden) | _linear("trunk.3", hidden, hidden)
    return shapes | _linear("weights", hidden, num_weights) | _linear("log_error", hidden, 1)


def _encoder_shapes() -> dict[str, Shape]:
    shapes = _conv("stem", 3, STEM_WIDTH, 3)
    inputs = STEM_WIDTH
    for number, stage in enumerate(STAGES):
        for block in range(stage.num_blocks):
            name, wide = f"stages.{number}.{block}", inputs * stage.expansion
            if stage.expansion > 1:
                shapes |= _conv(f"{name}.expand", inputs, wide, 1)
            shapes |= _conv(f"{name}.depthwise", 1, wide, stage.kernel)
            shapes |= _conv(f"{name}.project", wide, stage.width, 1)
            inputs = stage.width
    return shapes


def _conv(name: str, inputs: int, outputs: int, kernel: int) -> dict[str, Shape]:
    return {f"{name}.weight": (outputs, inputs, kernel, kernel), f"{name}.bias": (outputs,)}


def _linear(name: str, inputs: int, outputs: int) -> dict[str, Shape]:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def _norm(name: str, width: int) -> dict[str, Shape]:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}
