"""The Blender add-on in Blender itself, without a window."""

import json
import os
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest

from chromacord import harmonize_video, render
from integrations.grades import read_timeline
from tests.footage import disc, recoloured
from tests.integrations.conftest import Shell, python_of
from tests.integrations.results import record
from tests.pages import ROOT


@pytest.fixture
def still(tmp_path: Path) -> Path:
    """Return a folder with a composite of 8 bits, its mask, and its grade by Reinhard as a timeline and as a CDL."""
    planes = recoloured("gbrp", 0)
    cv2.imwrite(str(tmp_path / "comp.png"), np.dstack([planes[1], planes[0], planes[2]]))
    cv2.imwrite(str(tmp_path / "mask.png"), disc(0))
    return tmp_path


@pytest.mark.heavy
def test_blender_gives_our_render(still: Path, shell: Shell, program: Path) -> None:
    python = python_of("CHROMACORD_BLENDER_PYTHON", "bpy")
    for name in ("look.otio", "look.cc"):
        shell(f"chromacord grade comp.png --mask mask.png -o {name} --method reinhard", still)
    render(still / "look.cc", still / "comp.png", mask=still / "mask.png", output=still / "ours.png")
    whole = harmonize_video(
        still / "comp.png",
        mask=still / "mask.png",
        output=still / "whole.png",
        method="reinhard",
        lut_out=still / "x.cc",
    )
    files = [still / name for name in ("comp.png", "mask.png", "look.otio", "theirs.png")]
    command = [python, ROOT / "tests/integrations/blender_host.py", *files]
    environment = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'src'}", "PATH": f"{program}:{os.environ['PATH']}"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith(("{", '"'))]
    found, refused = json.loads(lines[0]), json.loads(lines[1])
    # Blender divides by its 16-bit range, and returns transparency.
    theirs = cv2.imread(str(still / "theirs.png"), cv2.IMREAD_UNCHANGED)[..., :3] / 257
    source, ours, full = (cv2.imread(str(still / f"{name}.png")).astype(float) for name in ("comp", "ours", "whole"))
    assert np.abs(ours - source).max() > 10
    off = np.abs(theirs - ours)
    assert off.max() < 1.5
    assert whole.cdl_residual is not None
    inside = disc(0) > 250
    assert np.abs(theirs - full)[inside].mean() <= whole.cdl_residual.left + 1
    assert found["keys"] == [0.5, 0.5, 1.5, 1.5]
    (shot,) = read_timeline((still / "look.otio").read_text()).shots
    assert np.allclose(found["strip"], [shot.slope, shot.offset, shot.power], atol=1e-5)
    assert "/none.mov: no such file" in refused
    record("blender", python, "bpy", largest_error_in_codes=float(off.max()), mean_error_in_codes=float(off.mean()))
