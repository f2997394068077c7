"""The nodes, described once for both schemas."""

from collections.abc import Callable
from typing import Any, NamedTuple

from . import batches

GRADE = "CHROMACORD_GRADE"
"""Type of the connection that carries a `chromacord.Grade`."""


class Input(NamedTuple):
    """An input of a node: a socket, or a control with a default."""

    name: str
    kind: str
    options: dict[str, Any]
    choices: list[str] | None = None


class Node(NamedTuple):
    """A node. `function` takes the inputs by name, and returns the outputs in order."""

    id: str
    title: str
    description: str
    inputs: tuple[Input, ...]
    outputs: tuple[tuple[str, str], ...]
    function: Callable[..., tuple[Any, ...]]


IMAGE = Input("image", "IMAGE", {"tooltip": "Pictures of one clip, in order."})
MASK = Input("mask", "MASK", {"tooltip": "1 for the foreground; one for each picture, or one for all."})
METHOD = Input("method", "COMBO", {"default": "shotgrade"}, batches.METHODS)
CONSISTENCY = Input("consistency", "COMBO", {"default": "smooth"}, batches.CONSISTENCIES)
STRENGTH = Input("strength", "FLOAT", {"default": 1.0, "min": 0.0, "max": 1.0, "step": 0.05})
SAVE_AS = Input("save_as", "STRING", {"default": "", "tooltip": "look.cube, look.cdl or grade.json; empty: none."})

NODES = (
    Node(
        "ChromacordHarmonize",
        "Harmonize (chromacord)",
        "Match the foreground to its background over a whole clip, without flicker.",
        (IMAGE, MASK, METHOD, CONSISTENCY, STRENGTH),
        (("IMAGE", "image"), ("IMAGE", "foreground"), (GRADE, "grade")),
        batches.harmonize,
    ),
    Node(
        "ChromacordGrade",
        "Grade (chromacord)",
        "Decide the grade, and save it as a LUT, CDL or JSON.",
        (IMAGE, MASK, METHOD, CONSISTENCY, SAVE_AS),
        ((GRADE, "grade"),),
        batches.grade,
    ),
    Node(
        "ChromacordApply",
        "Apply grade (chromacord)",
        "Apply a grade under a mask.",
        (IMAGE, MASK, Input("grade", GRADE, {}), STRENGTH),
        (("IMAGE", "image"), ("IMAGE", "foreground")),
        batches.apply,
    ),
)
