"""`chromacord apply`: render an existing grade, like `harmonize --grade-in`."""

from inspect import Parameter
from typing import Annotated

from typer import Argument

from chromacord.cli.asked import METHOD, Given, takes
from chromacord.cli.batch.clips import refuse_empty
from chromacord.cli.help import INPUT

GradeFile = Annotated[
    str,
    Argument(
        metavar="GRADE",
        help="Grade written by `chromacord grade` or --grade-out, edited or not; or a LUT or CDL from any tool "
        "(.cube, .clf, .ctf, .3dl, .csp, .cc, .ccc, .cdl).",
        rich_help_panel=INPUT,
    ),
]
_GRADE = Parameter("grade", Parameter.KEYWORD_ONLY, annotation=GradeFile)


@takes(_GRADE, without=(*METHOD, "consistency", "reference", "grade_in", "grade_out", "lut_out", "cuts"))
def apply(given: Given) -> Given:
    """Render GRADE on clips, like `chromacord harmonize --grade-in GRADE`."""
    grade = given.pop("grade")
    refuse_empty([("GRADE", grade)])
    return given | {"grade_in": grade}
