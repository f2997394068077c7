from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest

from chromacord.sample import sample_files, scene
from tests.cli.conftest import Run


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the sample short; it is the same otherwise."""
    monkeypatch.setattr(sample_files, "write_sample", partial(sample_files.write_sample, num_frames=3))


@pytest.mark.usefixtures("short")
def test_the_demo_ends_with_the_result_and_a_picture(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    done = run("demo", "--output", folder)
    assert done.code == 0, done.err
    assert done.out.splitlines()[-2:] == [
        f"result: {folder / 'harmonized.mp4'}",
        f"before and after: {folder / 'before_after.png'}",
    ]
    picture = cv2.imread(str(folder / "before_after.png")).astype(np.float64)
    before, after = picture[:, :1280], picture[:, 1280:]
    # The table at the right edge is the same, the person is not.
    assert np.abs(before[:, 1200:] - after[:, 1200:]).mean() < 2
    assert np.abs(before[500:600, 300:500] - after[500:600, 300:500]).mean() > 3
    assert (folder / "grade.json").exists()
    assert run("demo", "--output", folder).code == 0


def test_a_folder_that_cannot_be_made_is_one_line(run: Run, tmp_path: Path) -> None:
    done = run("demo", "--output", tmp_path / "no" / "where")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "does not exist" in done.err


def test_without_the_photographs_one_line_says_what_to_do(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scene, "ASTRONAUT", "nobody.webp")
    done = run("demo", "--output", tmp_path / "demo")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "nobody.webp: is missing or damaged; reinstall chromacord" in done.err
