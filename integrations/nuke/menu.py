"""Nuke's menu "chromacord": grade the selected composite and mask, and build the nodes after them.

Add this folder to Nuke's plug-in path; Nuke runs this file when it starts.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING or __package__:
    from integrations.nuke.grades import Graded, GradeError, grade
else:
    from grades import Graded, GradeError, grade

KNOBS = ("slope", "offset", "power")


def grade_selected() -> None:
    """Grade two selected Read nodes: the composite, then the mask, in the order of selection."""
    import nuke  # only inside Nuke

    nodes = [node for node in nuke.selectedNodes() if node.Class() == "Read"][::-1]  # Nuke lists the last one first
    if len(nodes) != 2:
        nuke.message("chromacord: select two Read nodes, first the composite, then the mask")
        return
    composite, mask = nodes
    try:
        graded = grade(nuke.filename(composite), nuke.filename(mask), "--consistency", "shot")
    except GradeError as error:
        nuke.message(f"chromacord: {error}")
        return
    build(nuke, composite, mask, graded)


def build(nuke: Any, composite: Any, mask: Any, graded: Graded) -> Any:
    """Create the CDL and the merge under the mask, as one step to undo; return the merge."""
    first = int(composite["first"].value())
    with nuke.Undo("chromacord"):
        for node in (composite, mask):
            node["raw"].setValue(True)
        look = nuke.nodes.OCIOCDLTransform(inputs=[composite], label="chromacord")
        for name in KNOBS:
            for channel in range(3):
                _set(look[name], channel, [(shot.start, getattr(shot, name)[channel]) for shot in graded.shots], first)
        _set(look["saturation"], 0, [(shot.start, shot.saturation) for shot in graded.shots], first)
        return nuke.nodes.Merge2(
            inputs=[composite, look, mask], operation="copy", maskChannelMask="rgba.red", label="chromacord"
        )


def _set(knob: Any, channel: int, keys: list[tuple[int, float]], first: int) -> None:
    """Set a value, or keys that hold: each value is set again on the last frame before the next shot."""
    if len(keys) == 1:
        knob.setValue(keys[0][1], channel)
        return
    knob.setAnimated(channel)
    for (start, value), following in zip(keys, [*keys[1:], None], strict=True):
        knob.setValueAt(value, first + start, channel)
        if following is not None:
            knob.setValueAt(value, first + following[0] - 1, channel)


def install() -> None:
    """Add the command to Nuke's menu."""
    import nuke

    nuke.menu("Nuke").addCommand("chromacord/Grade composite and mask", grade_selected)


if not __package__:
    install()
