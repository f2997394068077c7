"""`chromacord grade`: write the grade that `harmonize` would render, without rendering."""

from pathlib import Path
from typing import Annotated

from typer import Option

from chromacord.cli.arguments.asked import ENCODING, FINISH, Given, takes
from chromacord.cli.batch.clips import refuse_empty
from chromacord.cli.help import OUTPUT
from chromacord.errors import InputError, one_of

_GRADE_SUFFIX = ".json"

Output = Annotated[
    str,
    Option(
        "--output",
        "-o",
        metavar="FILE",
        help="Grade to write; the extension sets the format: .json, or a LUT or CDL for each shot (.cube, .clf, .ctf, "
        ".3dl, .csp, .cc, .ccc, .cdl), or .edl or .otio for a list of all shots with their CDLs.",
        rich_help_panel=OUTPUT,
    ),
]


@takes(
    without=(*ENCODING, *FINISH, "grade_out", "lut_out", "preview", "foreground_out", "foreground_alpha", "chunk"),
    output=Output,
)
def grade(given: Given) -> Given:
    """Write the grade of clips as JSON, LUTs or CDLs, without rendering; or convert --grade-in."""
    output = given.pop("output")
    return given | {_field(output): output}


def _field(output: str) -> str:
    """Return the field of `Clip` for an output path.

    Raises:
        InputError: the path is empty, or its suffix is unknown.
    """
    from chromacord.grade.exports import EXPORT_FORMATS

    refuse_empty([("--output", output)])
    suffix = Path(output).suffix.lower()
    if suffix != _GRADE_SUFFIX and suffix not in EXPORT_FORMATS:
        known = one_of(suffix, (_GRADE_SUFFIX, *EXPORT_FORMATS))
        raise InputError(f"{output}: no grade format has the extension {suffix!r}; {known}")
    return "grade_out" if suffix == _GRADE_SUFFIX else "lut_out"
