"""Blender add-on: a panel that runs chromacord, and builds its grade in the compositor or on strips."""

from typing import Any

bl_info = {
    "name": "chromacord",
    "blender": (4, 2, 0),
    "category": "Compositing",
    "description": "Match a pasted foreground to its background",
}


def register() -> None:
    """Add the panel; Blender calls this."""
    from . import panel  # imports bpy, which only Blender has

    panel.register()


def unregister() -> None:
    """Remove the panel; Blender calls this."""
    from . import panel

    panel.unregister()


def add_node(tree: Any, kind: str, **properties: Any) -> Any:
    """Add a node to a tree and set its properties."""
    node = tree.nodes.new(kind)
    for name, value in properties.items():
        setattr(node, name, value)
    return node
