"""Write a Nuke script: composite and mask read, the grade as CDL or LUT, merged under the mask.

All nodes work on the files' own R'G'B' codes (`raw`), as chromacord does; scene-linear images are graded in sRGB.
"""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

if __package__:
    from integrations.nuke.grades import Graded, GradeError, Shot, grade, run
else:  # started as a file, or found on Nuke's plug-in path
    from grades import Graded, GradeError, Shot, grade, run  # type: ignore[import-not-found,no-redef]

LINEAR_SUFFIXES = (".exr", ".hdr", ".sxr")
Knobs = Mapping[str, str]


def script(
    composite: str, mask: str, graded: Graded, *, lut: str | None = None, first: int = 1, mask_channel: str = "rgba.red"
) -> str:
    """Return the text of a Nuke script.

    Args:
        composite, mask: paths for the Read nodes.
        graded: the shots, with their CDLs as keys that hold until the next shot.
        lut: a LUT to use instead of the CDLs.
        first: number of the clip's first frame in Nuke; 1 for videos.
        mask_channel: channel of the mask.

    Raises:
        GradeError: a LUT is given for several shots.
    """
    if lut is not None and len(graded.shots) != 1:
        raise GradeError(f"{lut}: is one LUT for {len(graded.shots)} shots; leave out --lut for a CDL with keys")
    last = first + graded.num_frames - 1
    times = {"first": str(first), "last": str(last), "origfirst": str(first), "origlast": str(last), "raw": "true"}
    is_linear = composite.lower().endswith(LINEAR_SUFFIXES)
    look = lut_knobs(lut) if lut is not None else cdl_knobs(graded.shots, first)
    parts = [
        "#! chromacord",
        _node("Root", first_frame=str(first), last_frame=str(last), frame=str(first), fps=f"{graded.rate:g}"),
        _node("Read", inputs="0", file=quoted(mask), **times, name="Mask", xpos="200", ypos="0"),
        _node("Read", inputs="0", file=quoted(composite), **times, name="Composite", xpos="0", ypos="0"),
        *([_space("Encode", "linear", "sRGB", 80)] if is_linear else []),
        "set before [stack 0]",
        _node("OCIOCDLTransform" if lut is None else "OCIOFileTransform", **look, name="Grade", xpos="0", ypos="120"),
        "push $before",
        # Inputs from the top of the stack: B, A, mask.
        _node(
            "Merge2",
            inputs="2+1",
            operation="copy",
            maskChannelMask=mask_channel,
            name="UnderMask",
            xpos="100",
            ypos="200",
        ),
        *([_space("Decode", "sRGB", "linear", 240)] if is_linear else []),
    ]
    return "\n".join(parts) + "\n"


def cdl_knobs(shots: Sequence[Shot], first: int) -> Knobs:
    """Return the knobs of an OCIOCDLTransform that holds each shot's CDL until the next one."""
    knobs = {name: _curves(shots, name, first) for name in ("slope", "offset", "power")}
    saturations = _curve([(first + shot.start, shot.saturation) for shot in shots])
    return {**knobs, "saturation": saturations}


def lut_knobs(lut: str) -> Knobs:
    """Return the knobs of an OCIOFileTransform, in the interpolation of chromacord's renderer."""
    return {"file": quoted(lut), "interpolation": "tetrahedral"}


def quoted(path: str) -> str:
    """Return a path as a Tcl word; Nuke expands %04d and #### in it, but nothing else."""
    escaped = "".join(f"\\{letter}" if letter in '\\"[]$' else letter for letter in path)
    return f'"{escaped}"'


def _curves(shots: Sequence[Shot], name: str, first: int) -> str:
    triples = [(first + shot.start, getattr(shot, name)) for shot in shots]
    channels = [_curve([(frame, triple[channel]) for frame, triple in triples]) for channel in range(3)]
    return f"{{{' '.join(channels)}}}"


def _curve(keys: Sequence[tuple[int, float]]) -> str:
    """Return one value, or an animation curve whose keys hold ("K") until the next."""
    if len(keys) == 1:
        return f"{keys[0][1]:.9g}"
    return f"{{curve K {' '.join(f'x{frame} {value:.9g}' for frame, value in keys)}}}"


def _space(name: str, source: str, target: str, y: int) -> str:
    return _node("Colorspace", colorspace_in=source, colorspace_out=target, name=name, xpos="0", ypos=str(y))


def _node(kind: str, **knobs: str) -> str:
    lines = "".join(f" {name} {value}\n" for name, value in knobs.items())
    return f"{kind} {{\n{lines}}}"


def main() -> None:
    """Grade a clip with the command, and write the script."""
    parser = argparse.ArgumentParser(description="Write a Nuke script with chromacord's grade under the matte.")
    parser.add_argument("composite", help="video, or pattern such as shot.%%04d.exr")
    parser.add_argument("mask")
    parser.add_argument("-o", "--output", required=True, metavar="NK")
    parser.add_argument("--lut", metavar="CUBE", help="write this LUT and use it instead of a CDL")
    parser.add_argument("--first", type=int, default=1, metavar="N", help="number of the first frame in Nuke")
    parser.add_argument("--mask-channel", default="rgba.red", metavar="NAME")
    given, options = parser.parse_known_args()
    try:
        output = Path(given.output)
        if output.exists() or not output.parent.is_dir():
            reason = "exists already; name another" if output.exists() else "its folder does not exist; create it first"
            raise GradeError(f"{output}: {reason}")
        paths = [os.fspath(Path(path).absolute()) for path in (given.composite, given.mask)]
        lut = None if given.lut is None else os.fspath(Path(given.lut).absolute())
        graded = grade(paths[0], paths[1], "--consistency", "shot", *options)
        text = script(paths[0], paths[1], graded, lut=lut, first=given.first, mask_channel=given.mask_channel)
        if lut is not None:
            run(["chromacord", "grade", paths[0], "--mask", paths[1], "-o", lut, "--quiet", *options])
        output.write_text(text, encoding="utf-8")
    except (GradeError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    print(output)


if __name__ == "__main__":
    main()
