"""The nodes by ComfyUI's older mapping, for hosts without `comfy_api`."""

from typing import Any

from .specs import NODES, Input, Node


def _input(each: Input) -> tuple[Any, ...]:
    return (each.choices if each.choices is not None else each.kind, each.options)


def _node(spec: Node) -> type:
    def run(self: object, **given: Any) -> tuple[Any, ...]:  # noqa: ARG001
        return spec.function(**given)

    def input_types(cls: type) -> dict[str, Any]:  # noqa: ARG001
        return {"required": {each.name: _input(each) for each in spec.inputs}}

    return type(
        spec.id,
        (),
        {
            "INPUT_TYPES": classmethod(input_types),
            "RETURN_TYPES": tuple(kind for kind, _ in spec.outputs),
            "RETURN_NAMES": tuple(name for _, name in spec.outputs),
            "FUNCTION": "run",
            "CATEGORY": "chromacord",
            "DESCRIPTION": spec.description,
            "run": run,
        },
    )


NODE_CLASS_MAPPINGS = {spec.id: _node(spec) for spec in NODES}
NODE_DISPLAY_NAME_MAPPINGS = {spec.id: spec.title for spec in NODES}
