"""Grade the clip under the playhead in DaVinci Resolve: a CDL, or a LUT, on one of its nodes.

Resolve must be open, with external scripting allowed, and its scripting modules on PYTHONPATH.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

if __package__:
    from integrations.resolve.grades import GradeError, Shot, grade, run
else:  # started as a file
    from grades import GradeError, Shot, grade, run  # type: ignore[import-not-found,no-redef]


def cdl_map(shot: Shot, node: int) -> dict[str, str]:
    """Return what `TimelineItem.SetCDL` takes, in which every value is a string."""
    triples = {"Slope": shot.slope, "Offset": shot.offset, "Power": shot.power}
    values = {name: " ".join(f"{value:.6f}" for value in triple) for name, triple in triples.items()}
    return {"NodeIndex": str(node), **values, "Saturation": f"{shot.saturation:.6f}"}


def grade_item(resolve: Any, mask: str, *options: str, node: int, lut: str | None) -> str:
    """Grade the current clip of the timeline, as one shot.

    Args:
        resolve: the application.
        mask: path of the mask, as long as the clip's file.
        options: further options of `chromacord grade`.
        node: number of the node, from 1, which should be limited to the foreground.
        lut: path for a LUT to write and set instead of a CDL.

    Returns:
        What was set, for people.

    Raises:
        GradeError: there is no clip, the command fails, or Resolve refuses the value.
    """
    project = resolve.GetProjectManager().GetCurrentProject()
    timeline = None if project is None else project.GetCurrentTimeline()
    item: Any = None if timeline is None else timeline.GetCurrentVideoItem()
    media = None if item is None else item.GetMediaPoolItem()
    path = "" if media is None else str(media.GetClipProperty("File Path"))
    if not path:
        raise GradeError("there is no clip of a file under the playhead; move it onto the composite")
    start = int(item.GetLeftOffset())
    part = ("--frames", f"{start}:{start + int(item.GetDuration())}", "--cuts", "none", "--consistency", "shot")
    graph = item.GetNodeGraph()
    if not 1 <= node <= int(graph.GetNumNodes()):
        raise GradeError(f"the clip has {graph.GetNumNodes()} nodes, so there is no node {node}; add it first")
    if lut is None:
        (shot,) = grade(path, mask, *part, *options).shots
        is_set, what = item.SetCDL(cdl_map(shot, node)), "the CDL"
    else:
        run(["chromacord", "grade", path, "--mask", mask, "-o", lut, "--quiet", *part, *options])
        project.RefreshLUTList()  # Resolve takes only LUTs that it has found
        is_set, what = graph.SetLUT(node, lut), f"the LUT {lut}"
    if not is_set:
        raise GradeError(f"Resolve does not accept {what} on node {node}; a LUT must lie in a folder of its LUT list")
    return f"{Path(path).name}: {what} is on node {node}"


def main() -> None:
    """Connect to Resolve, and grade the clip under the playhead."""
    parser = argparse.ArgumentParser(description="Grade the clip under Resolve's playhead with chromacord.")
    parser.add_argument("mask", help="the mask of the clip's file")
    parser.add_argument("--node", type=int, default=1, metavar="N", help="node that is limited to the foreground")
    parser.add_argument("--lut", metavar="CUBE", help="write and set this LUT instead of a CDL")
    given, options = parser.parse_known_args()
    try:
        try:
            import DaVinciResolveScript as Script
        except ImportError:
            raise GradeError("Resolve's scripting modules are not on PYTHONPATH; see the README") from None
        resolve = Script.scriptapp("Resolve")
        if resolve is None:
            raise GradeError("Resolve does not answer; start it, and allow external scripting in its preferences")
        lut = None if given.lut is None else str(Path(given.lut).absolute())
        print(grade_item(resolve, str(Path(given.mask).absolute()), *options, node=given.node, lut=lut))
    except GradeError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
