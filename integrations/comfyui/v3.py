"""The nodes by ComfyUI's V3 schema."""

from typing import Any

from comfy_api.latest import ComfyExtension, io

from .specs import GRADE, NODES, Input, Node

_TYPES = {
    "IMAGE": io.Image,
    "MASK": io.Mask,
    "FLOAT": io.Float,
    "STRING": io.String,
    GRADE: io.Custom(GRADE),
}


def _input(each: Input) -> Any:
    if each.choices is not None:
        return io.Combo.Input(each.name, options=each.choices, **each.options)
    return _TYPES[each.kind].Input(each.name, **each.options)


def _node(spec: Node) -> Any:
    class Chromacord(io.ComfyNode):  # type: ignore[misc]
        @classmethod
        def define_schema(cls) -> Any:
            return io.Schema(
                node_id=spec.id,
                display_name=spec.title,
                category="chromacord",
                description=spec.description,
                inputs=[_input(each) for each in spec.inputs],
                outputs=[_TYPES[kind].Output(display_name=name) for kind, name in spec.outputs],
            )

        @classmethod
        def execute(cls, **given: Any) -> Any:
            return io.NodeOutput(*spec.function(**given))

    Chromacord.__name__ = Chromacord.__qualname__ = spec.id
    return Chromacord


class ChromacordExtension(ComfyExtension):  # type: ignore[misc]
    """The pack."""

    async def get_node_list(self) -> list[Any]:
        """Return the node classes."""
        return [_node(spec) for spec in NODES]


async def comfy_entrypoint() -> ChromacordExtension:
    """Return the pack; ComfyUI calls this when it loads the folder."""
    return ChromacordExtension()
