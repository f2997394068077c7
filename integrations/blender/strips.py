"""The grade on a strip of the sequencer: a Color Balance modifier under a mask strip."""

from typing import Any

import bpy

from .grades import Shot

METHOD = "OFFSET_POWER_SLOPE"


def grade_strip(scene: Any, strip: Any, mask: Any, shot: Shot) -> Any:
    """Add a modifier with a shot's CDL to a strip, without its saturation, which modifiers lack; return it.

    Args:
        scene: the scene of both strips.
        strip: the composite, of one shot.
        mask: strip with the mask at the same time.
        shot: its CDL.
    """
    modifier = _new_modifier(scene, strip)
    modifier.input_mask_type, modifier.input_mask_strip = "STRIP", mask
    balance = modifier.color_balance
    balance.correction_method = METHOD
    # A strip's offset has 1 for no change.
    balance.offset = tuple(1 + value for value in shot.offset)
    balance.power, balance.slope = shot.power, shot.slope
    return modifier


def _new_modifier(scene: Any, strip: Any) -> Any:
    """Add a modifier by the operator: `strip.modifiers.new` crashes Blender 5.0.1 without a window."""
    scene.sequence_editor.active_strip = strip
    context = {"scene": scene} | ({"sequencer_scene": scene} if bpy.app.version >= (5, 0, 0) else {})
    with bpy.context.temp_override(**context):
        bpy.ops.sequencer.strip_modifier_add(type="COLOR_BALANCE")
    return strip.modifiers[-1]
