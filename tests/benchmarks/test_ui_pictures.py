"""The documentation's pictures of the page are those of one command."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.ui_pictures import draw_ui_pictures
from benchmarks.ui_speed import CHROMIUM
from tests.pages import ROOT


@pytest.mark.slow
def test_the_committed_pictures_show_the_page_and_the_weights_that_ship(tmp_path: Path) -> None:
    pytest.importorskip("playwright", reason="needs the extra: pip install '.[dev-ui]'")
    if not CHROMIUM.exists():
        pytest.skip("needs chromium: apt-get install chromium")
    # The tests of the page may hold playwright's loop in this thread.
    with ThreadPoolExecutor(1) as in_thread:
        in_thread.submit(draw_ui_pictures, tmp_path).result()
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"ui-wipe.jpg", "ui-scopes.jpg", "ui-queue.jpg"}
    for name in names:
        found, kept = (cv2.imread(str(folder / name)).astype(float) for folder in (tmp_path, ROOT / "docs"))
        assert found.shape == kept.shape, name
        # Progress of the queue, the folder's name and fonts may differ; the viewer may not.
        viewer = np.s_[: int(0.85 * len(found)), : int(0.7 * found.shape[1])]
        assert np.abs(found - kept)[viewer].mean() < 2, name
