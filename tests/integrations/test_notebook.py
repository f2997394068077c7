"""The notebook, executed, and the picture that results show in one."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import pytest

from chromacord import Encoding, harmonize_video
from chromacord.types import Size
from tests.footage import make_composite, make_mask
from tests.pages import ROOT

SIZE = Size(72, 96)


def test_a_result_shows_before_and_after(tmp_path: Path) -> None:
    """Both halves equal what OpenCV, an independent reader, decodes from the two files."""
    make_composite(tmp_path / "comp.mkv", num_frames=5, codec="ffv1")
    make_mask(tmp_path / "mask.mkv", num_frames=5)
    options = {"method": "mkl", "frames": (2, 5), "encoding": Encoding(codec="ffv1")}
    result = harmonize_video(tmp_path / "comp.mkv", mask=tmp_path / "mask.mkv", output=tmp_path / "out.mkv", **options)
    png = result._repr_png_()
    assert png is not None
    shown = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    assert shown.shape == (SIZE.height, 2 * SIZE.width, 3)
    for half, (name, number) in zip(np.split(shown, 2, axis=1), (("comp", 2), ("out", 0)), strict=True):
        capture = cv2.VideoCapture(str(tmp_path / f"{name}.mkv"))
        frames = [capture.read()[1] for _ in range(number + 1)]
        assert np.abs(half.astype(int) - frames[-1]).mean() < 6  # OpenCV assumes another matrix
    assert np.abs(shown[:, : SIZE.width].astype(int) - shown[:, SIZE.width :]).max() > 5
    (tmp_path / "out.mkv").unlink()
    assert result._repr_png_() is None


def test_a_grade_alone_has_no_picture(tmp_path: Path) -> None:
    make_composite(tmp_path / "comp.mkv", num_frames=3)
    make_mask(tmp_path / "mask.mkv", num_frames=3)
    result = harmonize_video(tmp_path / "comp.mkv", mask=tmp_path / "mask.mkv", grade_out=tmp_path / "grade.json")
    assert result._repr_png_() is None


@pytest.mark.slow
@pytest.mark.skipif(not (find_spec("nbmake") and find_spec("ipykernel")), reason="needs nbmake and ipykernel")
def test_the_notebook_runs(program: Path) -> None:
    notebook = ROOT / "integrations/notebook/harmonize.ipynb"
    environment = os.environ | {"PATH": f"{program}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-m", "pytest", "--nbmake", "-p", "no:cacheprovider", "-n", "0", notebook]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout
