"""Nodes for ComfyUI: by the V3 schema where the host has it, otherwise by the older mapping."""

try:
    from .v3 import comfy_entrypoint

    __all__ = ["comfy_entrypoint"]
except ModuleNotFoundError as error:
    if error.name is None or error.name.partition(".")[0] != "comfy_api":
        raise
    from .v1 import NODE_CLASS_MAPPINGS, NODE_DISPLAY_NAME_MAPPINGS

    __all__ = ["NODE_CLASS_MAPPINGS", "NODE_DISPLAY_NAME_MAPPINGS"]
