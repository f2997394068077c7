"""The options of `chromacord harmonize` and of the commands that share some of them."""

from typing import Annotated, Literal

from typer import Argument, Option

from chromacord.errors import InputError

_LAYERS, _GRADE, _ENCODING, _RUN = "Layers, in place of COMPOSITE and --mask", "Grade", "Encoding", "Run"

Composite = Annotated[
    list[str] | None,
    Argument(
        metavar="[COMPOSITE]...",
        help="Clip with the pasted foreground: a video, a still image, a folder of images, or a pattern such as "
        "shot.%04d.png or shot.####.exr. Of several, all other files are named by {name}, the clip's name without "
        "suffix, {folder}, the name of its folder, and {parent}, the path of its folder.",
        show_default=False,
    ),
]
Output = Annotated[
    str, Option("--output", "-o", help="What to write: a video, a still image or a pattern. The ending decides.")
]
Mask = Annotated[
    str | None,
    Option(
        help="Foreground mask: the luma of any clip or image, or its alpha where it is a cut-out; 'alpha' for the "
        "composite's own alpha."
    ),
]
Foreground = Annotated[
    list[str] | None, Option(help="Foreground clip; repeatable, as COMPOSITE is.", rich_help_panel=_LAYERS)
]
Matte = Annotated[
    str | None,
    Option("--alpha", help="Matte of the foreground, if it has no alpha of its own.", rich_help_panel=_LAYERS),
]
Background = Annotated[str | None, Option(help="Background clip.", rich_help_panel=_LAYERS)]
Method = Annotated[
    str | None,
    Option(
        metavar="NAME", help="See `chromacord methods`; options may follow, as mkl:max_gain=2.", rich_help_panel=_GRADE
    ),
]
Weights = Annotated[
    str | None,
    Option(
        metavar="FILE",
        help="Weights of a learned method: a name that `chromacord methods --cards` shows, or a file.",
        rich_help_panel=_GRADE,
    ),
]
Strength = Annotated[
    float, Option(min=0.0, max=1.0, help="0 returns the source, 1 is the method's grade.", rich_help_panel=_GRADE)
]
Consistency = Annotated[
    Literal["shot", "smooth", "frame"] | None,
    Option(
        help="One grade a shot; a grade that moves smoothly inside a shot (the default, unless LUTs are written); or "
        "a grade for each frame.",
        rich_help_panel=_GRADE,
    ),
]
GradeOut = Annotated[str | None, Option(help="Write the grade as JSON.", rich_help_panel=_GRADE)]
GradeIn = Annotated[
    str | None,
    Option(help="Render a grade written by --grade-out, edited or not; no analysis.", rich_help_panel=_GRADE),
]
Cuts = Annotated[
    str | None,
    Option(
        metavar="24,48|FILE.edl|none",
        help="Where shots begin: first frames, counted from 0; an edit decision list (CMX 3600); or none for one shot. "
        "Cuts are found where it is left out.",
        rich_help_panel=_GRADE,
    ),
]
LutOut = Annotated[
    str | None,
    Option(
        help="A LUT or a CDL for each shot: a .cube, .clf, .ctf, .3dl, .csp, .cc, .ccc or .cdl file, or a folder for "
        ".cube files.",
        rich_help_panel=_GRADE,
    ),
]
Preview = Annotated[
    str | None,
    Option(help="Write before and after side by side: a video or a PNG, by its ending.", rich_help_panel=_RUN),
]
Frames = Annotated[
    str | None,
    Option(
        metavar="A:B", help="Only the frames A to B-1, counted from 0; A or B may be left out.", rich_help_panel=_RUN
    ),
]
Codec = Annotated[
    str | None, Option(help="Codec of a video output; the source's family if not given.", rich_help_panel=_ENCODING)
]
Crf = Annotated[
    float | None, Option(help="Constant quality on the codec's own scale; lower is better.", rich_help_panel=_ENCODING)
]
Preset = Annotated[
    str | None,
    Option(help="Speed of x264 and x265 (ultrafast to veryslow) or SVT-AV1 (0 to 13).", rich_help_panel=_ENCODING),
]
MaskFit = Annotated[
    bool, Option("--mask-fit", help="Scale a mask of another size to the composite's.", rich_help_panel=_RUN)
]
Missing = Annotated[
    Literal["error", "hold"],
    Option(help="At a gap in an image sequence: stop, or repeat the frame before.", rich_help_panel=_RUN),
]
Layer = Annotated[
    str | None,
    Option(metavar="NAME", help="Layer of the composite's or the foreground's EXR files.", rich_help_panel=_RUN),
]
Salvage = Annotated[
    bool, Option("--salvage", help="Keep what can be decoded of a file that is cut off.", rich_help_panel=_RUN)
]
Jobs = Annotated[int, Option(min=0, help="Processes that share several clips; 0: one a core.", rich_help_panel=_RUN)]
SkipExisting = Annotated[
    bool, Option("--skip-existing", help="Leave out clips whose outputs are all there.", rich_help_panel=_RUN)
]
Force = Annotated[bool, Option("--force", help="Replace outputs that exist.", rich_help_panel=_RUN)]
Device = Annotated[Literal["cpu", "cuda"], Option(help="cuda: run networks on a GPU.", rich_help_panel=_RUN)]
LogJson = Annotated[
    bool,
    Option("--log-json", help="JSON lines on stdout: progress, warnings, the summary, errors.", rich_help_panel=_RUN),
]
Quiet = Annotated[bool, Option("--quiet", "-q", help="Show only warnings and errors.", rich_help_panel=_RUN)]


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
