"""Build the add-on's nodes and strips in Blender, and render a frame. Runs in a separate Python with `bpy`."""

import json
import sys
from pathlib import Path

import bpy

import integrations.blender as addon
from integrations.blender import strips
from integrations.blender.grades import Shot, read_timeline
from integrations.blender.panel import add_to_scene


def main() -> None:
    """Arguments: composite, mask, timeline with the CDLs, picture to write."""
    composite, mask, timeline, picture = sys.argv[1:]
    addon.register()
    scene = bpy.context.scene
    graded = read_timeline(Path(timeline).read_text(encoding="utf-8"))
    add_to_scene(scene, composite, mask, graded)
    render, image = scene.render, bpy.data.images.load(composite, check_existing=True)
    render.resolution_x, render.resolution_y, render.resolution_percentage = *image.size, 100
    render.image_settings.file_format, render.image_settings.color_depth = "PNG", "16"
    scene.view_settings.view_transform = "Standard"
    render.filepath = picture
    bpy.ops.render.render(write_still=True)
    print(json.dumps({"keys": keys_of_two_shots(), "strip": strip_values(graded.shots[0])}))
    scene.chromacord_composite = scene.chromacord_mask = "/none.mov"
    try:
        bpy.ops.chromacord.grade()
    except RuntimeError as error:
        print(json.dumps(str(error)))
    addon.unregister()


def keys_of_two_shots() -> list[float]:
    """Return the saturation's value on the frames around a cut after 10 frames."""
    from integrations.blender.nodes import build

    tree = bpy.data.node_groups.new("two", "CompositorNodeTree")
    source = tree.nodes.new("CompositorNodeRGB").outputs[0]
    one = (1.0, 1.0, 1.0)
    shots = [Shot(0, one, (0.0, 0.0, 0.0), one, 0.5), Shot(10, one, (-0.1, 0.0, 0.1), one, 1.5)]
    build(tree, source, source, shots, first=1)
    scene, values = bpy.context.scene, []
    socket = next(node for node in tree.nodes if node.bl_idname == "ShaderNodeMix").inputs[0]
    holder = scene.compositing_node_group
    scene.compositing_node_group = tree  # animation is evaluated only in use
    for frame in (1, 10, 11, 20):
        scene.frame_set(frame)
        values.append(socket.default_value)
    scene.compositing_node_group = holder
    return values


def strip_values(shot: Shot) -> list[list[float]]:
    """Return what a strip's modifier holds of a CDL."""
    editor = bpy.context.scene.sequence_editor_create()
    picture, mask = (
        editor.strips.new_effect(name=name, type="COLOR", channel=channel, frame_start=1, length=10)
        for channel, name in enumerate(("picture", "mask"), start=1)
    )
    modifier = strips.grade_strip(bpy.context.scene, picture, mask, shot)
    assert modifier.input_mask_strip == mask
    balance = modifier.color_balance
    return [list(balance.slope), [value - 1 for value in balance.offset], list(balance.power)]


if __name__ == "__main__":
    main()
