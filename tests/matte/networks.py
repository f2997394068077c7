"""Small networks with the inputs and outputs of published matting models."""

from pathlib import Path

import numpy as np

from chromacord.weights.onnx import Node, Port, to_onnx

GREY = np.full((1, 3, 1, 1), 1 / 3, np.float32)
LIMITS = {"none": np.float32(0).reshape(()), "all": np.float32(1).reshape(())}
STEP = 0.1
"""What the recurrent network adds to the matte with each frame of a shot."""

SMOOTH = {"mode": "linear", "coordinate_transformation_mode": "pytorch_half_pixel"}

PICTURE = (1, 3, 64, 64)
PLANE = (1, 1, 64, 64)


def write(path: Path, nodes: list[Node], inputs: list[Port], outputs: list[Port], **tensors: np.ndarray) -> Path:
    """Write a network; `w` is the mean of the channels."""
    path.write_bytes(to_onnx(nodes, {"w": GREY, **LIMITS, **tensors}, inputs=inputs, outputs=outputs))
    return path


def rvm(path: Path) -> Path:
    """Write a recurrent network: half the picture's grey, reduced and enlarged, and `STEP` for each frame of a shot."""
    scales = {"ones": np.ones(2, np.float32), "four": np.ones(4, np.float32)}
    numbers = {"half": np.full((1, 1, 1, 1), 0.5, np.float32), "step": np.full((1, 1, 1, 1), STEP, np.float32)}
    nodes = [
        Node("Concat", ["ones", "downsample_ratio", "downsample_ratio"], "scales", {"axis": 0}),
        Node("Resize", ["src", "", "scales"], "small", SMOOTH),
        Node("Conv", ["small", "w"], "grey", {"kernel_shape": [1, 1]}),
        Node("Add", ["r1i", "step"], "r1o"),
    ]
    for number, source in enumerate(("grey", "p2", "p3"), start=2):
        pool = {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}
        nodes.append(Node("AveragePool", [source], f"p{number}", pool))
        nodes.append(Node("Add", [f"p{number}", f"r{number}i"], f"r{number}o"))
    nodes += [
        Node("Div", ["four", "scales"], "back"),
        Node("Resize", ["grey", "", "back"], "large", SMOOTH),
        Node("Mul", ["large", "half"], "dim"),
        Node("Add", ["dim", "r1o"], "sum"),
        Node("Clip", ["sum", "none", "all"], "pha"),
        Node("Mul", ["src", "half"], "fgr"),
    ]
    states = [Port(f"r{number}i", (1, 1, 1, 1)) for number in range(1, 5)]
    outputs = [Port("fgr", PICTURE), Port("pha", PLANE), *(Port(f"r{number}o", (1, 1, 1, 1)) for number in range(1, 5))]
    inputs = [Port("src", PICTURE), *states, Port("downsample_ratio", (1,))]
    return write(path, nodes, inputs, outputs, **scales, **numbers)


def modnet(path: Path) -> Path:
    """Write a network of a picture in [-1, 1], whose output is the picture's grey in [0, 1]."""
    conv = Node("Conv", ["input", "w", "b"], "output", {"kernel_shape": [1, 1]})
    halves = {"w": GREY * np.float32(0.5), "b": np.float32([0.5])}
    return write(path, [conv], [Port("input", PICTURE)], [Port("output", PLANE)], **halves)


def isnet(path: Path) -> Path:
    """Write a network with two outputs, the first of which is the picture's grey in another range."""
    nodes = [
        Node("Conv", ["input_image", "w", "b"], "output_image", {"kernel_shape": [1, 1]}),
        Node("AveragePool", ["output_image"], "side", {"kernel_shape": [2, 2], "strides": [2, 2]}),
    ]
    shape = (1, 3, 1024, 1024)
    outputs = [Port("output_image", (1, 1, 1024, 1024)), Port("side", (1, 1, 512, 512))]
    values = {"w": GREY * np.float32(7), "b": np.float32([-3])}
    return write(path, nodes, [Port("input_image", shape)], outputs, **values)


def scaled(path: Path, gain: float) -> Path:
    """Write a network whose output `y` is the grey of the picture `x`, times a number, or its root if it is
    negative; `c` has the three channels."""
    nodes = [
        Node("Conv", ["x", "w"], "grey" if gain < 0 else "y", {"kernel_shape": [1, 1]}),
        *([Node("Sqrt", ["grey"], "y")] if gain < 0 else []),
        Node("Mul", ["x", "half"], "c"),
    ]
    values = {"w": GREY * np.float32(gain), "half": np.full((1, 1, 1, 1), 0.5, np.float32)}
    return write(path, nodes, [Port("x", PICTURE)], [Port("y", PLANE), Port("c", PICTURE)], **values)
