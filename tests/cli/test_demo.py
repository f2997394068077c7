from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest

from chromacord.sample import sample_files, scene
from tests.cli.conftest import Run
from tests.footage import decoded


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the sample short; it is the same otherwise."""
    monkeypatch.setattr(sample_files, "write_sample", partial(sample_files.write_sample, num_frames=3))


@pytest.mark.usefixtures("short")
def test_the_demo_ends_with_the_result_and_a_picture(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    done = run("demo", "--output", folder)
    assert done.code == 0, done.err
    assert done.out.splitlines()[-3:] == [
        f"result: {folder / 'harmonized.mp4'}",
        f"before and after: {folder / 'before_after.png'}",
        f"view and adjust it in a browser: chromacord ui {folder / 'composite.mp4'} --mask {folder / 'mask.mp4'}",
    ]
    picture = cv2.imread(str(folder / "before_after.png")).astype(np.float64)
    before, after = picture[:, :1280], picture[:, 1280:]
    # The table at the right edge is the same, the person is not.
    assert np.abs(before[:, 1200:] - after[:, 1200:]).mean() < 2
    assert np.abs(before[500:600, 300:500] - after[500:600, 300:500]).mean() > 2
    assert (folder / "grade.json").exists()
    assert run("demo", "--output", folder).code == 0


@pytest.mark.usefixtures("short")
def test_the_finished_demo_shows_a_composite_of_footage_and_no_green_edge_after(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    done = run("demo", "--finish", "--output", folder)
    assert done.code == 0, done.err
    shown, page = done.out.splitlines()[-2:]
    assert shown == f"before and after: {folder / 'before_after.png'}"
    layers = {"foreground": "foreground", "alpha": "mask", "background": "background"}
    options = [f"--{name} {folder / file}.mp4" for name, file in layers.items()]
    assert page.endswith(f"chromacord ui {' '.join(options)}")
    picture = cv2.imread(str(folder / "before_after.png")).astype(np.float64)
    assert picture.shape == (720, 2560, 3)
    matte = decoded(folder / "mask.mp4")[1][0]
    edge = (matte > 60) & (matte < 190)
    blue, green, red = picture.transpose(2, 0, 1)
    excess = [side[edge].mean() for side in np.split(np.maximum(green - (red + blue) / 2, 0), 2, axis=1)]
    assert excess[1] < 0.2 * excess[0]


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
