"""The grade as compositor nodes: Color Balance in offset, power and slope, saturation, and a mix under the matte."""

from collections.abc import Sequence
from typing import Any

import bpy

from . import add_node
from .grades import Shot, Triple

ASC_CDL = "Offset/Power/Slope (ASC-CDL)"
DISPLAY, LINEAR = "sRGB", "Linear Rec.709"


def build(tree: Any, image: Any, mask: Any, shots: Sequence[Shot], first: int = 1) -> Any:
    """Add nodes that grade a picture under a mask, with keys that hold for a shot.

    The compositor works in scene-linear light; the nodes grade sRGB codes, as chromacord does, and convert back.

    Args:
        tree: a compositor node tree.
        image, mask: output sockets with the composite and the mask, 1 for the foreground.
        shots: CDLs.
        first: frame of the scene at which the clip starts.

    Returns:
        The output socket with the result.
    """
    before = add_node(tree, "CompositorNodeConvertColorSpace", from_color_space=LINEAR, to_color_space=DISPLAY)
    tree.links.new(image, before.inputs["Image"])
    after = _saturated(tree, _balanced(tree, before.outputs["Image"], shots, first), shots, first)
    merged = _mix(tree, before.outputs["Image"], after)
    tree.links.new(mask, merged.inputs[0])
    back = add_node(tree, "CompositorNodeConvertColorSpace", from_color_space=DISPLAY, to_color_space=LINEAR)
    tree.links.new(_color(merged.outputs), back.inputs["Image"])
    return back.outputs["Image"]


def _balanced(tree: Any, image: Any, shots: Sequence[Shot], first: int) -> Any:
    node = add_node(tree, "CompositorNodeColorBalance", label="chromacord")
    tree.links.new(image, node.inputs["Image"])
    if bpy.app.version >= (5, 0, 0):
        sockets = {socket.identifier: socket for socket in node.inputs}
        sockets["Type"].default_value = ASC_CDL
        # Colour sockets are cut off at 0, so that a negative offset needs the base.
        _key(sockets["Base Offset"], "default_value", [(shot.start, _base(shot)) for shot in shots], first)
        offsets = [(shot.start, _rgba([value - _base(shot) for value in shot.offset])) for shot in shots]
        _key(sockets["Color Offset"], "default_value", offsets, first)
        for name in ("power", "slope"):
            values = [(shot.start, _rgba(getattr(shot, name))) for shot in shots]
            _key(sockets[f"Color {name.title()}"], "default_value", values, first)
    else:
        node.correction_method = "OFFSET_POWER_SLOPE"
        _key(node, "offset_basis", [(shot.start, _base(shot)) for shot in shots], first)
        shifted = [(shot.start, tuple(value - _base(shot) for value in shot.offset)) for shot in shots]
        _key(node, "offset", shifted, first)
        for name in ("power", "slope"):
            _key(node, name, [(shot.start, getattr(shot, name)) for shot in shots], first)
    return node.outputs["Image"]


def _saturated(tree: Any, image: Any, shots: Sequence[Shot], first: int) -> Any:
    """Move colours from or to their luma, beyond them too; the scene's coefficients are those of the CDL, Rec.709."""
    luma = add_node(tree, "CompositorNodeRGBToBW")
    tree.links.new(image, luma.inputs["Image"])
    mixed = _mix(tree, luma.outputs[0], image)
    _key(mixed.inputs[0], "default_value", [(shot.start, shot.saturation) for shot in shots], first)
    return _color(mixed.outputs)


def _mix(tree: Any, one: Any, other: Any) -> Any:
    node = add_node(tree, "ShaderNodeMix", data_type="RGBA", clamp_factor=False, clamp_result=False)
    for source, target in ((one, "A_Color"), (other, "B_Color")):
        tree.links.new(source, next(each for each in node.inputs if each.identifier == target))
    return node


def _color(sockets: Any) -> Any:
    return next(each for each in sockets if each.identifier == "Result_Color")


def _base(shot: Shot) -> float:
    return min(0.0, *shot.offset)


def _rgba(values: Sequence[float] | Triple) -> tuple[float, ...]:
    return (*values, 1.0)


def _key(owner: Any, name: str, values: Sequence[tuple[int, Any]], first: int) -> None:
    """Set a property, or keys that hold: each value is set again on the last frame before the next shot."""
    for (start, value), following in zip(values, [*values[1:], None], strict=True):
        setattr(owner, name, value)
        if len(values) > 1:
            owner.keyframe_insert(name, frame=first + start)
            if following is not None:
                owner.keyframe_insert(name, frame=first + following[0] - 1)
