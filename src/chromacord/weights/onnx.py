"""Write ONNX models, because OpenCV loads networks only from that format.

The format is protocol buffers (onnx.proto3 of github.com/onnx/onnx, operator set 13), limited to what convolutional
networks need. Weights ship once, as safetensors; ONNX models only exist in memory.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_IR_VERSION, _OPERATORS = 8, 13
_VARINT, _LENGTH = 0, 2
"""Wire types of protocol buffers."""

_FLOAT32 = 1
"""Value of TensorProto.DataType."""

_ATTRIBUTE_INT, _ATTRIBUTE_STRING, _ATTRIBUTE_INTS = 2, 3, 7
"""Values of AttributeProto.AttributeType."""

Attribute = int | str | Sequence[int]

Chunk = bytes | memoryview
"""A piece of the serialized model."""


class Node(NamedTuple):
    """An operator with its inputs and output by name."""

    operator: str
    inputs: Sequence[str]
    output: str
    attributes: Mapping[str, Attribute] = {}


class Port(NamedTuple):
    """An input or output of the network."""

    name: str
    shape: Sequence[int]


def to_onnx(
    nodes: Sequence[Node],
    tensors: Mapping[str, NDArray[np.float32]],
    *,
    inputs: Sequence[Port],
    outputs: Sequence[Port],
) -> bytes:
    """Serialize an ONNX model.

    Args:
        nodes: operators in execution order.
        tensors: weights by the names that nodes refer to. Any shape.
        inputs, outputs: inputs and outputs of the network.
    """
    graph = [chunk for node in nodes for chunk in _message(1, _node(node))]
    graph += _message(2, [b"network"])
    for name, values in tensors.items():
        graph += _message(5, _tensor(name, values))
    for field, ports in ((11, inputs), (12, outputs)):
        for port in ports:
            graph += _message(field, [_port(port)])
    # An empty domain is that of ONNX's own operators.
    operators = _packed(1, b"") + _number(2, _OPERATORS)
    # Join once, at the end: joining at each level would copy all weights repeatedly.
    return b"".join([_number(1, _IR_VERSION), *_message(7, graph), *_message(8, [operators])])


def _node(node: Node) -> list[Chunk]:
    names = b"".join(_packed(1, name.encode()) for name in node.inputs)
    attributes = b"".join(_packed(5, _attribute(*each)) for each in node.attributes.items())
    output = node.output.encode()
    return [names + _packed(2, output) + _packed(3, output) + _packed(4, node.operator.encode()) + attributes]


def _attribute(name: str, value: Attribute) -> bytes:
    if isinstance(value, int):
        return _packed(1, name.encode()) + _number(3, value) + _number(20, _ATTRIBUTE_INT)
    if isinstance(value, str):
        return _packed(1, name.encode()) + _packed(4, value.encode()) + _number(20, _ATTRIBUTE_STRING)
    return _packed(1, name.encode()) + b"".join(_number(8, each) for each in value) + _number(20, _ATTRIBUTE_INTS)


def _tensor(name: str, values: NDArray[np.float32]) -> list[Chunk]:
    shape = b"".join(_number(1, length) for length in values.shape)
    content = np.ascontiguousarray(values, dtype="<f4").reshape(-1).view(np.uint8).data
    return [shape + _number(2, _FLOAT32) + _packed(8, name.encode()), *_message(9, [content])]


def _port(port: Port) -> bytes:
    shape = b"".join(_packed(1, _number(1, length)) for length in port.shape)
    return _packed(1, port.name.encode()) + _packed(2, _packed(1, _number(1, _FLOAT32) + _packed(2, shape)))


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3 | _VARINT) + _varint(value)


def _packed(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | _LENGTH) + _varint(len(content)) + content


def _message(field: int, chunks: Sequence[Chunk]) -> list[Chunk]:
    """Prefix a field's content with its key and length."""
    return [_varint(field << 3 | _LENGTH) + _varint(sum(map(len, chunks))), *chunks]


def _varint(value: int) -> bytes:
    """Encode a non-negative number in groups of seven bits, lowest first."""
    groups = []
    while value > 0x7F:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*groups, value])
