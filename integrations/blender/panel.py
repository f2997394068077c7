"""The panel "chromacord" in the compositor's sidebar."""

from typing import Any

import bpy

from . import add_node
from .grades import Graded, GradeError, grade
from .nodes import build
from .strips import grade_strip


class CHROMACORD_OT_grade(bpy.types.Operator):  # type: ignore[misc,name-defined]
    """Grade a composite under its mask, and add the nodes to the scene's compositor."""

    bl_idname = "chromacord.grade"
    bl_label = "Grade under the mask"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    def execute(self, context: Any) -> set[str]:
        """Run the command; Blender calls this."""
        scene = context.scene
        paths = [bpy.path.abspath(path) for path in (scene.chromacord_composite, scene.chromacord_mask)]
        try:
            graded = grade(paths[0], paths[1], "--consistency", "shot")
        except GradeError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        add_to_scene(scene, paths[0], paths[1], graded)
        self.report({"INFO"}, f"chromacord: {len(graded.shots)} shots")
        return {"FINISHED"}


class CHROMACORD_OT_grade_strip(bpy.types.Operator):  # type: ignore[misc,name-defined]
    """Grade the active movie strip under the other selected one, its mask."""

    bl_idname = "chromacord.grade_strip"
    bl_label = "Grade strip under mask strip"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    def execute(self, context: Any) -> set[str]:
        """Run the command on one shot; Blender calls this."""
        scene = getattr(context, "sequencer_scene", None) or context.scene
        editor = scene.sequence_editor
        strip = None if editor is None else editor.active_strip
        strips: Any = getattr(editor, "strips", None) or getattr(editor, "sequences", ())
        masks = [each for each in strips if each.select and each != strip]
        if strip is None or len(masks) != 1 or any(each.type != "MOVIE" for each in (strip, *masks)):
            self.report({"ERROR"}, "select two movie strips: the mask, then the composite")
            return {"CANCELLED"}
        paths = [bpy.path.abspath(each.filepath) for each in (strip, masks[0])]
        try:
            graded = grade(paths[0], paths[1], "--consistency", "shot", "--cuts", "none")
        except GradeError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        grade_strip(scene, strip, masks[0], graded.shots[0])
        self.report({"INFO"}, f"chromacord: saturation {graded.shots[0].saturation:.2f} is left out")
        return {"FINISHED"}


class CHROMACORD_PT_panel(bpy.types.Panel):  # type: ignore[misc,name-defined]
    """Paths and the button."""

    bl_label = bl_category = "chromacord"
    bl_space_type, bl_region_type = "NODE_EDITOR", "UI"

    def draw(self, context: Any) -> None:
        """Draw the panel; Blender calls this."""
        self.layout.prop(context.scene, "chromacord_composite")
        self.layout.prop(context.scene, "chromacord_mask")
        self.layout.operator(CHROMACORD_OT_grade.bl_idname)


CLASSES = (CHROMACORD_OT_grade, CHROMACORD_OT_grade_strip, CHROMACORD_PT_panel)


def add_to_scene(scene: Any, composite: str, mask: str, graded: Graded) -> None:
    """Build the whole compositor tree of a scene: both files, the grade, and the output."""
    tree, output = _tree(scene)
    image, matte = (_image(tree, path, scene, graded.num_frames) for path in (composite, mask))
    matte.image.colorspace_settings.name = "Non-Color"
    luma = add_node(tree, "CompositorNodeRGBToBW")
    tree.links.new(matte.outputs["Image"], luma.inputs["Image"])
    result = build(tree, image.outputs["Image"], luma.outputs[0], graded.shots, scene.frame_start)
    tree.links.new(result, output.inputs[0])


def _tree(scene: Any) -> tuple[Any, Any]:
    """Return the scene's compositor tree and its output node, in the form of this version of Blender."""
    if bpy.app.version >= (5, 0, 0):
        tree = scene.compositing_node_group or bpy.data.node_groups.new("chromacord", "CompositorNodeTree")
        scene.compositing_node_group = tree
        if not any(item.in_out == "OUTPUT" for item in tree.interface.items_tree):
            tree.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
        kind = "NodeGroupOutput"
    else:
        scene.use_nodes = True
        tree, kind = scene.node_tree, "CompositorNodeComposite"
    return tree, next((node for node in tree.nodes if node.bl_idname == kind), None) or tree.nodes.new(kind)


def _image(tree: Any, path: str, scene: Any, num_frames: int) -> Any:
    node = add_node(tree, "CompositorNodeImage", image=bpy.data.images.load(path, check_existing=True))
    if node.image.source == "MOVIE":
        node.frame_duration, node.frame_start = num_frames, scene.frame_start
        node.use_auto_refresh = True
    return node


def register() -> None:
    """Register classes and the scene's properties."""
    for name in ("composite", "mask"):
        field = bpy.props.StringProperty(name=name.title(), subtype="FILE_PATH")
        setattr(bpy.types.Scene, f"chromacord_{name}", field)
    for kind in CLASSES:
        bpy.utils.register_class(kind)


def unregister() -> None:
    """Undo `register`."""
    for kind in CLASSES[::-1]:
        bpy.utils.unregister_class(kind)
    for name in ("composite", "mask"):
        delattr(bpy.types.Scene, f"chromacord_{name}")
