"""The documentation's pictures of the sample: before and after, each control, and the grade in other programs."""

import os
import subprocess
import tempfile
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from chromacord.api import harmonize_video, render
from chromacord.errors import InputError
from chromacord.io.stills.single import write_png
from chromacord.io.writing.staging import check_folder
from chromacord.lab.bench.fresh_process import Report
from chromacord.lab.bench.provenance import provenance
from chromacord.lab.composites.synthesis import Bytes
from chromacord.lab.evaluation.comparison import sheet
from chromacord.sample.scene import sample_layers
from chromacord.types import FloatArray

FRAME = 37
"""The middle of the sample, as in `chromacord demo`."""

CONTROLS: tuple[dict[str, Any], ...] = (
    {},
    {"strength": 0.5},
    {"strength": "tone=0"},
    {"strength": "colour=0"},
    {"exposure": -0.5},
    {"exposure": 0.5},
    {"temperature": -40},
    {"temperature": 40},
    {"tint": -20},
    {"tint": 20},
    {"contrast": 0.8},
    {"contrast": 1.25},
    {"saturation": 0.6},
    {"saturation": 1.4},
    {"black": -0.03},
    {"black": 0.06},
    {"temperature": "5000K"},
    {"method": "mkl"},
    {"method": "mkl", "protect": "skin"},
)

_QUALITY = [cv2.IMWRITE_JPEG_QUALITY, 88]

_FILTER = (
    "[0:v]format=gbrp16le,split[before][copy];[copy]lut3d={cube}:interp=tetrahedral[after];"
    "[1:v]format=gray,format=gbrp16le[mask];[before][after][mask]maskedmerge,format=rgb24"
)
"""Filter line for RGB of integrations/ffmpeg/README.md."""


def draw_pictures(folder: Path) -> Report:
    """Write before_after.jpg, controls.jpg and integrations.jpg, and return how far the programs differ.

    Args:
        folder: an existing folder; its pictures are replaced.

    Raises:
        InputError: ffmpeg or Blender's Python, CHROMACORD_BLENDER_PYTHON, are missing or fail.
    """
    check_folder(folder, wanted=folder)
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        layers = next(islice(sample_layers(), FRAME, None))
        write_png(work / "comp.png", _codes(layers.composite))
        write_png(work / "mask.png", _codes(layers.alpha))
        before, after = _read(work / "comp.png"), harmonized(work)
        _write(folder / "before_after.jpg", np.hstack([before, after]), width=1200)
        turned = {", ".join(f"{key} {value}" for key, value in each.items()): each for each in CONTROLS}
        pictures = {label or "decided": _small(harmonized(work, **each)) for label, each in turned.items()}
        _write(folder / "controls.jpg", sheet({"composite": _small(before), **pictures}), width=1280)
        inside = layers.alpha[..., 0] > 0.98
        for name in ("look.cube", "look.otio"):
            harmonized(work, lut_out=work / name)
        found = {label: program(work) for label, program in PROGRAMS.items()}
        shown = {label: _small(picture) for label, picture in found.items()}
        _write(folder / "integrations.jpg", sheet({"composite": _small(before), **shown}), width=1280)
        ours, ffmpeg, blender = (each.astype(float)[inside] for each in found.values())
        return {
            **provenance(),
            "frame": FRAME,
            "changed_codes": round(float(np.abs(ours - before[inside]).mean()), 2),
            "ffmpeg_largest_codes": round(float(np.abs(ffmpeg - ours).max()), 2),
            "blender_mean_codes": round(float(np.abs(blender - ours).mean()), 2),
        }


def harmonized(work: Path, **options: Any) -> Bytes:
    """Return the sample's frame, harmonized with some options. Shape (H, W, 3)."""
    harmonize_video(work / "comp.png", mask=work / "mask.png", output=work / "done.png", force=True, **options)
    return _read(work / "done.png")


def applied(work: Path) -> Bytes:
    """Return the frame as `chromacord apply` grades it by the LUT."""
    render(work / "look.cube", work / "comp.png", mask=work / "mask.png", output=work / "ours.png", force=True)
    return _read(work / "ours.png")


def by_ffmpeg(work: Path) -> Bytes:
    """Return the frame as ffmpeg's filters grade it by the LUT."""
    graph = _FILTER.format(cube=work / "look.cube")
    inputs: list[str | Path] = ["-i", work / "comp.png", "-i", work / "mask.png"]
    _run(["ffmpeg", "-v", "error", *inputs, "-filter_complex", graph, "-frames:v", "1", work / "ffmpeg.png"])
    return _read(work / "ffmpeg.png")


def by_blender(work: Path) -> Bytes:
    """Return the frame as Blender's compositor grades it by the CDL."""
    python = os.environ.get("CHROMACORD_BLENDER_PYTHON")
    if python is None:
        raise InputError("CHROMACORD_BLENDER_PYTHON names no Python with bpy; run make test-all once, which makes one")
    root = Path(__file__).parents[1]
    host = root / "tests/integrations/blender_host.py"
    files = [work / name for name in ("comp.png", "mask.png", "look.otio", "blender.png")]
    _run([python, host, *files], PYTHONPATH=f"{root}:{root / 'src'}")
    deep = np.asarray(cv2.imread(str(work / "blender.png"), cv2.IMREAD_UNCHANGED), np.float32)
    return _codes((deep[..., 2::-1] / 65535).astype(np.float32))  # 16 bits and alpha


PROGRAMS = {
    "chromacord apply look.cube": applied,
    "ffmpeg: lut3d, maskedmerge": by_ffmpeg,
    "Blender: CDL under the matte": by_blender,
}


def _run(command: list[str | Path], **environment: str) -> None:
    try:
        done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)
    except OSError as error:
        raise InputError(f"{command[0]}: cannot be started: {error.strerror}; install it") from error
    if done.returncode:
        raise InputError(f"{command[0]} failed: {done.stderr.strip().splitlines()[-1:]}")


def _codes(picture: FloatArray) -> Bytes:
    return np.ascontiguousarray(np.rint(255 * picture).astype(np.uint8))


def _read(path: Path) -> Bytes:
    return np.asarray(cv2.imread(str(path)), np.uint8)[..., ::-1]


def _small(picture: Bytes) -> Bytes:
    """Cut out the astronaut and reduce her, for a sheet of many. Shape (H', W', 3)."""
    return _resized(picture[40:, 100:980], width=312)


def _resized(picture: Bytes, *, width: int) -> Bytes:
    height = round(picture.shape[0] * width / picture.shape[1])
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _write(path: Path, picture: Bytes, *, width: int) -> None:
    if not cv2.imwrite(str(path), _resized(picture, width=width)[..., ::-1], _QUALITY):
        raise InputError(f"{path}: cannot be written")
