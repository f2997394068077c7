"""`chromacord info`: show a file's properties without reading its frames."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from chromacord.cli.screen.choice import choose_display
from chromacord.cli.screen.exits import job
from chromacord.errors import InputError, one_line

if TYPE_CHECKING:
    from chromacord.types import Colorimetry, PixelFormat, VideoInfo

PRIMARIES = {1: "BT.709", 4: "BT.470 M", 5: "BT.470 BG (625)", 6: "SMPTE 170M (525)", 7: "SMPTE 240M", 9: "BT.2020"}
PRIMARIES |= {8: "film", 10: "XYZ", 11: "DCI-P3", 12: "Display P3", 22: "EBU 3213"}
TRANSFERS = {1: "BT.709", 4: "gamma 2.2", 5: "gamma 2.8", 6: "SMPTE 170M", 7: "SMPTE 240M", 8: "linear", 13: "sRGB"}
TRANSFERS |= {11: "xvYCC", 14: "BT.2020 10 bit", 15: "BT.2020 12 bit", 16: "PQ", 17: "SMPTE 428", 18: "HLG"}
MATRICES = {0: "RGB", 1: "BT.709", 4: "FCC", 5: "BT.470 BG", 6: "SMPTE 170M", 7: "SMPTE 240M", 8: "YCgCo"}
MATRICES |= {9: "BT.2020", 10: "BT.2020 constant luminance", 14: "ICtCp"}
"""Names of the code points of ITU-T H.273, tables 2 to 4."""


def info(
    file: Annotated[str, Argument(help="A video, a still image, a folder of images or a pattern.")],
    *,
    as_json: Annotated[bool, Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show a file's codec, size, rate, colour tags, alpha and other streams."""
    with job(choose_display(log_json=as_json, quiet=True)):
        from chromacord.io import open_source

        facts = describe(open_source(Path(file)).info)
        if as_json:
            print(json.dumps(facts))
        else:
            for name, value in facts.items():
                print(f"{name.replace('_', ' '):<14} {_readable(value)}")


def describe(info: "VideoInfo") -> dict[str, object]:
    """Return all properties as plain values, in reading order."""
    colors = info.colorimetry
    return {
        "path": str(info.path),
        "container": info.container,
        "codec": info.codec,
        "profile": info.profile,
        "width": info.size.width,
        "height": info.size.height,
        "frames": info.num_frames,
        "rate": str(info.rate),
        "seconds": round(float(info.num_frames / info.rate), 3) if info.num_frames and info.rate else None,
        "time_base": str(info.time_base),
        "pixels": describe_pixels(info.pixel_format),
        "alpha": info.pixel_format.alpha.value,
        "matrix": _named(colors.matrix, MATRICES),
        "primaries": _named(colors.primaries, PRIMARIES),
        "transfer": "scene-linear" if colors.scene_linear else _named(colors.transfer, TRANSFERS),
        "range": describe_range(colors),
        "colour_space": describe_space(info),
        "rotation": info.rotation,
        "mirrored": info.mirrored,
        "layer": info.layer or None,
        "other_layers": list(info.other_layers),
        "pixel_aspect": str(info.pixel_aspect),
        "audio": list(info.audio),
        "other_streams": list(info.other_streams),
        "timecode": info.timecode,
        "hdr_metadata": list(info.hdr_metadata.described),
    }


def describe_pixels(pixels: "PixelFormat") -> str:
    """Return a frame's format in words, such as "4:2:0 Y'CbCr, 8 bit"."""
    chroma = {(0, 0): "4:4:4 ", (0, 1): "4:2:2 ", (1, 1): "4:2:0 ", (0, 2): "4:1:1 "}
    model = {"yuv": f"{chroma.get(pixels.subsampling, '')}Y'CbCr", "rgb": "RGB", "gray": "grey"}[pixels.model]
    return f"{model}, {pixels.depth} bit" + (" float" if pixels.is_float else "")


def describe_space(info: "VideoInfo") -> str:
    """Return the assumed colour space, and why."""
    from chromacord.color.management.clip_space import space_of_clip

    try:
        space = space_of_clip(info)
    except InputError as error:
        return f"unknown: {error}"
    return f"{space.name} ({space.note})" if space.note else space.name


def describe_range(colors: "Colorimetry") -> str:
    """Return the range of the samples as a word."""
    return "untagged" if colors.full_range is None else "full" if colors.full_range else "limited"


def _named(code: int, names: Mapping[int, str]) -> str:
    from chromacord.types import UNSPECIFIED

    return "untagged" if code == UNSPECIFIED else names.get(code, f"code {code}")


def _readable(value: object) -> str:
    if isinstance(value, list):
        return one_line("; ".join(value)) or "none"
    return "unknown" if value is None else one_line(str(value))
