"""The documentation's pictures of the sample are those of one command, and its figures are those of the page."""

import json
import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks import pictures
from benchmarks.pictures import draw_pictures
from tests.pages import ROOT

COMMITTED = json.loads((ROOT / "benchmarks/results/pictures.json").read_text(encoding="utf-8"))


def test_the_page_states_the_measured_differences() -> None:
    page = (ROOT / "docs/integrations.md").read_text(encoding="utf-8")
    assert f"changes {COMMITTED['changed_codes']:.1f} codes on average" in page
    assert f"differs by {COMMITTED['blender_mean_codes']:.1f} codes on average" in page
    assert COMMITTED["ffmpeg_largest_codes"] <= 1
    assert "by one code at most" in page


@pytest.mark.slow
def test_the_committed_pictures_are_of_the_sample_and_the_weights_that_ship(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The other pictures need neither program.
    if "CHROMACORD_BLENDER_PYTHON" not in os.environ:
        monkeypatch.setitem(pictures.PROGRAMS, "Blender: CDL under the matte", pictures.applied)
    if shutil.which("ffmpeg") is None:
        monkeypatch.setitem(pictures.PROGRAMS, "ffmpeg: lut3d, maskedmerge", pictures.applied)
    report = draw_pictures(tmp_path)
    assert report["changed_codes"] == pytest.approx(COMMITTED["changed_codes"], abs=0.3)
    assert report["ffmpeg_largest_codes"] in (0, COMMITTED["ffmpeg_largest_codes"])
    for name in ("before_after.jpg", "controls.jpg"):
        found, kept = (np.asarray(cv2.imread(str(folder / name)), float) for folder in (tmp_path, ROOT / "docs"))
        assert found.shape == kept.shape
        assert np.abs(found - kept).mean() < 1, name
