"""Masks of all forms, wherever a command takes a mask."""

from pathlib import Path

import numpy as np
import pytest

from tests.cli.conftest import Run
from tests.clips import make_clip
from tests.footage import SIZE, decoded, disc, make_composite, recoloured
from tests.images import write

NUM_FRAMES = 3
HARD = np.where(disc(0) > 127, 255, 0).astype(np.uint8)
FORMS = ["white.png", "white.png@luma", "black.png@inverted", "three.png@label=3", "parts.png@label=3+7",
         "one.png", "deep.png", "cutout.png", "cutout.png@alpha", "one.mkv"]  # fmt: skip


@pytest.fixture(scope="module")
def masks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("masks")
    make_composite(folder / "comp.mkv", codec="ffv1", num_frames=NUM_FRAMES)
    left = np.arange(SIZE.width) < SIZE.width // 2
    other = np.where(HARD == 0, 5, 0)
    planes = {
        "white": HARD,
        "black": 255 - HARD,
        "one": HARD // 255,
        "three": np.where(HARD, 3, other),
        "parts": np.where(HARD, np.where(left, 3, 7), other),
    }
    for name, plane in planes.items():
        write(folder / f"{name}.png", plane.astype(np.uint8)[..., None])
    write(folder / "deep.png", (HARD // 255).astype(np.uint16)[..., None])
    write(folder / "cutout.png", np.dstack([*recoloured("gbrp", 0), HARD]))
    write(folder / "colours.png", np.stack(recoloured("gbrp", 0), axis=-1))
    write(folder / "front.png", np.stack(recoloured("gbrp", 0), axis=-1))
    frames = [[HARD // 255]] * NUM_FRAMES
    make_clip(folder / "one.mkv", codec="ffv1", pix_fmt="gray", size=SIZE, frames=frames)
    make_clip(folder / "later.mkv", codec="ffv1", pix_fmt="gray", size=SIZE, frames=[*[[HARD // 255]] * 12, [HARD]])
    write(folder / "odd@inverted.png", HARD[..., None])
    (folder / "taken@inverted").mkdir()
    write(folder / "taken@inverted" / "a.0001.png", HARD[..., None])
    return folder


def luma(path: Path) -> np.ndarray:
    return np.stack([planes[0] for planes in decoded(path)])


@pytest.mark.filterwarnings("ignore::chromacord.ChromacordWarning")
@pytest.mark.parametrize("form", FORMS)
def test_harmonize_grade_and_apply_take_every_form(run: Run, masks: Path, tmp_path: Path, form: str) -> None:
    written = []
    for mask in ("white.png", form):
        clip = (masks / "comp.mkv", "--mask", f"{masks}/{mask}")
        out = tmp_path / f"{len(written)}.mkv"
        assert run("harmonize", *clip, "--method", "mkl", "--codec", "ffv1", "-o", out).code == 0
        grade, again = tmp_path / f"{len(written)}.json", tmp_path / f"{len(written)}_again.mkv"
        assert run("grade", *clip, "--method", "mkl", "-o", grade).code == 0
        assert run("apply", grade, *clip, "--codec", "ffv1", "-o", again).code == 0
        written.append((luma(out), luma(again)))
    (expected, expected_again), (found, found_again) = written
    assert np.array_equal(expected, found)
    assert np.array_equal(expected_again, found_again)
    before = luma(masks / "comp.mkv")
    assert np.array_equal(found[:, HARD == 0], before[:, HARD == 0])
    assert np.abs(found[:, HARD == 255].astype(int) - before[:, HARD == 255]).mean() > 1


@pytest.mark.filterwarnings("ignore::chromacord.ChromacordWarning")
@pytest.mark.parametrize("form", ["white.png", *FORMS[2:6]])
def test_limits_of_a_matte_and_the_matte_of_a_layer_take_every_form(
    run: Run, masks: Path, tmp_path: Path, form: str
) -> None:
    full = (masks / "cutout.png", "--from-alpha")
    for option, expected in (("--within", HARD), ("--without", np.zeros_like(HARD))):
        out = tmp_path / f"{option}.png"
        assert run("matte", *full, option, f"{masks}/{form}", "-o", out).code == 0
        assert np.array_equal(decoded(out)[0][0], expected)
    layers = ("--foreground", masks / "front.png", "--alpha", f"{masks}/{form}", "--background", masks / "colours.png")
    assert run("harmonize", *layers, "--method", "mkl", "-o", tmp_path / "over.png").code == 0


@pytest.mark.parametrize(
    ("mask", "told"),
    [
        ("one.png", "one.png: holds only 0 and 1; 1 is read as white"),
        ("cutout.png", "cutout.png: its alpha is used as the mask"),
        ("parts.png@label=3+9", "parts.png: the first frame has no label 9; it has 3, 5, 7"),
        ("black.png", "black.png@inverted is read the other way"),
    ],
)
def test_what_was_chosen_is_said(run: Run, masks: Path, tmp_path: Path, mask: str, told: str) -> None:
    clip = (masks / "comp.mkv", "--mask", f"{masks}/{mask}", "--method", "mkl")
    done = run("harmonize", *clip, "-o", tmp_path / "out.mkv")
    assert done.code == 0
    assert told in done.err


@pytest.mark.parametrize(
    ("mask", "told"),
    [
        ("white.png@alpha", "white.png: has no alpha; leave @alpha out"),
        ("colours.png@label=3", "colours.png: its labels are colours; give a grey picture of label numbers"),
        ("none.png@inverted", "none.png: no such file"),
        ("white.png@upside", "white.png@upside: no such file"),
        ("white.png@label=", "no such file"),
        ("later.mkv", "later.mkv: frame 12 has the value 255, frames before only 0 and 1; give @label=1"),
    ],
)
def test_what_cannot_be_is_one_line(run: Run, masks: Path, tmp_path: Path, mask: str, told: str) -> None:
    name = "comp.mkv"
    if mask == "later.mkv":
        name = make_composite(tmp_path / "long.mkv", codec="ffv1", num_frames=13).name
    folder = tmp_path if name == "long.mkv" else masks
    clip = (folder / name, "--mask", f"{masks}/{mask}", "--method", "mkl")
    done = run("harmonize", *clip, "-o", tmp_path / "out.mkv")
    assert done.code == 2
    assert told in done.err.splitlines()[-1]
    assert not (tmp_path / "out.mkv").exists()


def test_a_name_that_looks_like_a_form_is_a_name(run: Run, masks: Path, tmp_path: Path) -> None:
    for number, mask in enumerate(("odd@inverted.png", "taken@inverted", "odd@inverted.png@luma")):
        clip = (masks / "cutout.png", "--from-alpha", "--within", f"{masks}/{mask}")
        assert run("matte", *clip, "-o", tmp_path / f"{number}.png").code == 0
        assert np.array_equal(decoded(tmp_path / f"{number}.png")[0][0], HARD)


def test_a_mask_is_not_overwritten_under_its_plain_name(run: Run, masks: Path, tmp_path: Path) -> None:
    write(tmp_path / "m.png", HARD[..., None])
    words = (masks / "cutout.png", "--mask", f"{tmp_path}/m.png@inverted", "--method", "mkl")
    done = run("harmonize", *words, "-o", tmp_path / "m.png", "--force")
    assert done.code == 2
    assert "is also an input" in done.err or "is read for" in done.err
