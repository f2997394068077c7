"""The options of `chromacord harmonize` and of the commands that share some of them."""

from typing import Annotated, Literal

from typer import Argument, Option

from chromacord.cli.help import GRADE, INPUT, MASK, OUTPUT, RUN
from chromacord.errors import InputError


def complete_method(incomplete: str) -> list[str]:
    """Return the methods that begin with what a shell wants completed."""
    from chromacord.methods import METHODS

    return [name for name in METHODS if name.startswith(incomplete)]


def complete_codec(incomplete: str) -> list[str]:
    """Return the codecs that begin with what a shell wants completed."""
    from chromacord.io.codecs import CODECS

    return [name for name in CODECS if name.startswith(incomplete.lower())]


Composite = Annotated[
    list[str] | None,
    Argument(
        metavar="COMPOSITE",
        help="Clip with the pasted foreground: a video, a still image, a folder of images, or a pattern such as "
        "shot.%04d.png or shot.####.exr. Give several clips to harmonize each; all other paths then use {name} (the "
        "clip's name without extension), {folder} (its folder's name) and {parent} (its folder's path).",
        show_default=False,
        rich_help_panel=INPUT,
    ),
]
Foreground = Annotated[
    list[str] | None,
    Option(metavar="CLIP", help="Foreground layer instead of COMPOSITE; repeatable.", rich_help_panel=INPUT),
]
Background = Annotated[
    str | None, Option(metavar="CLIP", help="Background layer under the foreground.", rich_help_panel=INPUT)
]
Layer = Annotated[
    str | None,
    Option(metavar="NAME", help="Layer of the composite's or the foreground's EXR files.", rich_help_panel=INPUT),
]
Frames = Annotated[
    str | None,
    Option(
        metavar="A:B", help="Only frames A to B-1, counted from 0; omit A or B for an open end.", rich_help_panel=INPUT
    ),
]
Missing = Annotated[
    Literal["error", "hold"],
    Option(help="At a gap in an image sequence: stop, or repeat the previous frame.", rich_help_panel=INPUT),
]
Salvage = Annotated[
    bool, Option("--salvage", help="Use what can be decoded of a truncated file.", rich_help_panel=INPUT)
]
Mask = Annotated[
    str | None,
    Option(
        metavar="CLIP",
        help="Foreground mask: the luma of a clip or image, or its alpha if it is a cut-out; 'alpha' for the "
        "composite's own alpha.",
        rich_help_panel=MASK,
    ),
]
Matte = Annotated[
    str | None,
    Option("--alpha", metavar="CLIP", help="Matte of the foreground layer, if it has no alpha.", rich_help_panel=MASK),
]
MaskFit = Annotated[
    bool, Option("--mask-fit", help="Scale a mask of another size to the composite's.", rich_help_panel=MASK)
]
Method = Annotated[
    str | None,
    Option(
        metavar="NAME",
        help="Method, see `chromacord methods`; options may follow, such as mkl:max_gain=2.",
        autocompletion=complete_method,
        rich_help_panel=GRADE,
    ),
]
Weights = Annotated[
    str | None,
    Option(
        metavar="FILE",
        help="Weights of a learned method: a name from `chromacord methods --cards`, or a file.",
        rich_help_panel=GRADE,
    ),
]
Strength = Annotated[
    float,
    Option(min=0.0, max=1.0, metavar="0..1", help="0 returns the source, 1 is the full grade.", rich_help_panel=GRADE),
]
Consistency = Annotated[
    Literal["shot", "smooth", "frame"] | None,
    Option(
        help="One grade a shot; a grade that moves smoothly inside a shot (the default, unless LUTs are written); or "
        "a grade for each frame.",
        rich_help_panel=GRADE,
    ),
]
Cuts = Annotated[
    str | None,
    Option(
        metavar="24,48|FILE.edl|none",
        help="First frames of shots, counted from 0; an edit decision list (CMX 3600); or none for a single shot. "
        "By default cuts are detected.",
        rich_help_panel=GRADE,
    ),
]
GradeIn = Annotated[
    str | None,
    Option(
        metavar="FILE",
        help="Render a grade written by --grade-out, edited or not, without analysis.",
        rich_help_panel=GRADE,
    ),
]
Output = Annotated[
    str,
    Option(
        "--output",
        "-o",
        metavar="CLIP",
        help="Video, still image or pattern to write; the extension sets the format.",
        rich_help_panel=OUTPUT,
    ),
]
Codec = Annotated[
    str | None,
    Option(
        metavar="NAME",
        help="Video codec; by default that of the source.",
        autocompletion=complete_codec,
        rich_help_panel=OUTPUT,
    ),
]
Crf = Annotated[
    float | None,
    Option(metavar="N", help="Constant quality on the codec's own scale; lower is better.", rich_help_panel=OUTPUT),
]
Preset = Annotated[
    str | None,
    Option(
        metavar="NAME",
        help="Speed of x264 and x265 (ultrafast to veryslow) or SVT-AV1 (0 to 13).",
        rich_help_panel=OUTPUT,
    ),
]
GradeOut = Annotated[str | None, Option(metavar="FILE", help="Also write the grade as JSON.", rich_help_panel=OUTPUT)]
LutOut = Annotated[
    str | None,
    Option(
        metavar="FILE",
        help="Also write a LUT or CDL for each shot: a .cube, .clf, .ctf, .3dl, .csp, .cc, .ccc or .cdl file, or a "
        "folder for .cube files.",
        rich_help_panel=OUTPUT,
    ),
]
Preview = Annotated[
    str | None,
    Option(
        metavar="FILE",
        help="Also write before and after side by side, as a video or a picture.",
        rich_help_panel=OUTPUT,
    ),
]
Force = Annotated[bool, Option("--force", help="Replace existing outputs.", rich_help_panel=RUN)]
SkipExisting = Annotated[
    bool, Option("--skip-existing", help="Skip clips whose outputs all exist.", rich_help_panel=RUN)
]
Jobs = Annotated[
    int, Option(min=0, metavar="N", help="Number of processes for several clips; 0: one a core.", rich_help_panel=RUN)
]
Device = Annotated[Literal["cpu", "cuda"], Option(help="Where to analyse and grade.", rich_help_panel=RUN)]
LogJson = Annotated[
    bool,
    Option("--log-json", help="JSON lines on stdout: progress, warnings, the summary, errors.", rich_help_panel=RUN),
]
Quiet = Annotated[bool, Option("--quiet", "-q", help="Show only warnings and errors.", rich_help_panel=RUN)]


def parse_names(text: str) -> tuple[str, ...]:
    """Read names divided by commas; each counts once, empty ones do not."""
    return tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


def parse_frames(text: str | None) -> tuple[int | None, int | None] | None:
    """Read a half-open range of frames, "A:B", ":B" or "A:".

    Returns:
        First frame and the frame after the last, None where left out; None for None.

    Raises:
        InputError: the text is no such range, or the range is empty.
    """
    if text is None:
        return None
    first, colon, last = text.partition(":")
    if not colon or not all(part == "" or part.isdecimal() for part in (first, last)):
        raise InputError(f"--frames {text}: is no range; write A:B, A: or :B with frame numbers from 0, as 0:100")
    start, stop = (int(part) if part else None for part in (first, last))
    if stop is not None and stop <= (start or 0):
        raise InputError(f"--frames {text}: holds no frame; B is the frame after the last, so it must be above A")
    return start, stop
