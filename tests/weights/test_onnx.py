"""ONNX files against numpy and against OpenCV's results."""

import cv2
import numpy as np
import pytest

from chromacord.weights.onnx import Node, Port, _varint, to_onnx


@pytest.mark.parametrize(("value", "expected"), [(0, b"\x00"), (127, b"\x7f"), (128, b"\x80\x01"), (300, b"\xac\x02")])
def test_numbers_are_written_in_groups_of_seven_bits(value: int, expected: bytes) -> None:
    """300 is the example of the documentation of protocol buffers."""
    assert _varint(value) == expected


def test_opencv_runs_a_convolution_with_padding_on_one_side_only() -> None:
    rng = np.random.default_rng(0)
    picture, weight = rng.random((1, 2, 4, 4), np.float32), rng.random((3, 2, 3, 3), np.float32)
    bias, low, high = rng.random(3, np.float32), np.array(0, np.float32), np.array(6, np.float32)
    attributes = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [0, 0, 1, 1], "group": 1}
    nodes = [Node("Conv", ["in", "w", "b"], "sum", attributes), Node("Clip", ["sum", "low", "high"], "out")]
    content = to_onnx(
        nodes,
        {"w": weight, "b": bias, "low": low, "high": high},
        inputs=[Port("in", (1, 2, 4, 4))],
        outputs=[Port("out", (1, 3, 2, 2))],
    )
    network = cv2.dnn.readNetFromONNX(np.frombuffer(content, np.uint8))
    network.setInput(picture)
    padded = np.pad(picture[0], ((0, 0), (0, 1), (0, 1)))
    places = [padded[:, row : row + 3, column : column + 3] for row in (0, 2) for column in (0, 2)]
    expected = np.array([[(place * each).sum() for place in places] for each in weight]).reshape(3, 2, 2)
    np.testing.assert_allclose(network.forward()[0], np.clip(expected + bias[:, None, None], 0, 6), rtol=1e-5)
