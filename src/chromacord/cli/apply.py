"""`chromacord apply`: render an existing grade, like `harmonize --grade-in`, or a session of the page."""

from inspect import Parameter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument

from chromacord.cli.arguments.asked import METHOD, Given, takes
from chromacord.cli.arguments.declared import ALL
from chromacord.cli.batch.clips import refuse_empty
from chromacord.cli.help import INPUT
from chromacord.errors import InputError

if TYPE_CHECKING:
    from chromacord.ui.session import Session

GradeFile = Annotated[
    str,
    Argument(
        metavar="GRADE",
        help="Grade written by `chromacord grade` or --grade-out, edited or not; or a LUT or CDL from any tool "
        "(.cube, .clf, .ctf, .3dl, .csp, .cc, .ccc, .cdl); or a session saved by `chromacord ui`, which names its clip "
        "and output.",
        rich_help_panel=INPUT,
    ),
]
_GRADE = Parameter("grade", Parameter.KEYWORD_ONLY, annotation=GradeFile)
_LISTS = ("composite", "foreground")


@takes(
    _GRADE,
    without=(*METHOD, "consistency", "reference", "grade_in", "grade_out", "lut_out", "cuts"),
    optional=("output",),
)
def apply(given: Given) -> Given:
    """Render GRADE on clips, like `chromacord harmonize --grade-in GRADE`; or render a session of `chromacord ui`."""
    from chromacord.ui.session import is_session, read_session

    grade = given.pop("grade")
    refuse_empty([("GRADE", grade)])
    whole = {"grade_in": grade} | given
    if is_session(grade):
        whole = _of_session(read_session(Path(grade)), given)
    if whole["output"] is None:
        raise InputError(f"{grade}: names no output; give one with --output")
    return whole


def _of_session(session: "Session", given: Given) -> Given:
    """Add a session's values to those of the command line, which take precedence; given clips replace the session's."""
    of_clip = {name: [path] if name in _LISTS else path for name, path in session.clip.items()}
    options = dict(session.options)
    if "frames" in options:
        first, stop = ("" if each is None else each for each in session.how.frames or (None, None))
        options["frames"] = f"{first}:{stop}"
    has_clip = any(given[name] for name in _LISTS)
    added = {**options, **session.encoding, **({} if has_clip else {**of_clip, **session.outputs})}
    chosen = {name: value for name, value in given.items() if name not in added or _is_chosen(name, value)}
    return {**given, **added, **chosen}


def _is_chosen(name: str, value: object) -> bool:
    """Whether a value differs from the default, which the parser converts to text for some options."""
    default = None if name == "output" else ALL[name].default
    return str(value) != str(default)
