import json
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from chromacord.io import open_source
from chromacord.types import Size
from tests.cli.conftest import Run
from tests.clips import make_clip
from tests.footage import decoded, disc, make_mask, times
from tests.images import write

SIZE = Size(120, 160)
NUM_FRAMES = 6
TRUE = [disc(index, SIZE) for index in range(NUM_FRAMES)]
GREEN, GREY = (130, 90, 80), (150, 120, 140)
"""Y' Cb Cr."""


def mixed(index: int, behind: tuple[int, int, int] = GREEN) -> list[np.ndarray]:
    """Return the planes of a grey disc before a colour, 4:4:4."""
    share = TRUE[index] / 255
    grain = np.random.default_rng(index).normal(0, 1, (3, *SIZE))
    planes = [share * front + (1 - share) * back for front, back in zip(GREY, behind, strict=True)]
    return [np.rint(plane + noise).astype(np.uint8) for plane, noise in zip(planes, grain, strict=True)]


@pytest.fixture(scope="module")
def shots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shots")
    options = {"codec": "ffv1", "pix_fmt": "yuv444p", "size": SIZE}
    make_clip(folder / "green.mkv", frames=[mixed(index) for index in range(NUM_FRAMES)], **options)
    behind = [np.rint(np.full(SIZE, code)).astype(np.uint8) for code in GREEN]
    make_clip(folder / "plate.mkv", frames=[behind] * NUM_FRAMES, **options)
    make_clip(folder / "short.mkv", frames=[behind] * 2, **options)
    make_mask(folder / "true.mkv", size=SIZE, num_frames=NUM_FRAMES)
    left = np.zeros((*SIZE, 1), np.uint8)
    left[:, :60] = 255
    write(folder / "left.png", left)
    write(folder / "small.png", left[:50])
    with_alpha = [[*mixed(index), TRUE[index]] for index in range(NUM_FRAMES)]
    make_clip(folder / "alpha.mkv", **{**options, "pix_fmt": "yuva444p"}, frames=with_alpha)
    colours = np.random.default_rng(0).integers(0, 256, (*SIZE, 3)).astype(np.uint8)
    write(folder / "cutout.png", np.dstack([colours, TRUE[0]]))
    return folder


def error(path: Path) -> float:
    """Return the mean absolute difference from the true mattes, in 8-bit codes."""
    found = [planes[0] for planes in decoded(path)]
    assert len(found) == NUM_FRAMES
    return float(np.mean([np.abs(one.astype(float) - true).mean() for one, true in zip(found, TRUE, strict=True)]))


@pytest.mark.parametrize(
    ("clip", "way", "said", "most"),
    [
        ("green.mkv", ("--key", "green"), "screen ", 1.0),
        ("green.mkv", ("--plate", "plate.mkv"), "difference to plate.mkv", 1.5),
        ("alpha.mkv", ("--from-alpha",), "the clip's alpha", 0.01),
    ],
)
def test_a_matte_is_written_for_every_frame(
    run: Run, shots: Path, tmp_path: Path, clip: str, way: tuple[str, ...], said: str, most: float
) -> None:
    way = tuple(str(shots / word) if word.endswith(".mkv") else word for word in way)
    out = tmp_path / "mask.mkv"
    done = run("matte", shots / clip, *way, "-o", out)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"{out}: {NUM_FRAMES} frames, {said}")
    assert ", covers " in done.out
    assert error(out) < most
    assert times(out) == times(shots / clip)
    info, like = open_source(out).info, open_source(shots / clip).info
    assert (info.codec, info.size, info.rate) == ("ffv1", SIZE, like.rate)
    assert (info.pixel_format.model, info.pixel_format.depth, info.colorimetry.full_range) == ("gray", 8, True)
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.filterwarnings("ignore::chromacord.ChromacordWarning")
def test_the_matte_is_a_mask_for_harmonize(run: Run, shots: Path, tmp_path: Path) -> None:
    """Nothing outside it is touched."""
    assert run("matte", shots / "green.mkv", "--key", "green", "-o", tmp_path / "mask.mkv").code == 0
    clip = (shots / "green.mkv", "--mask", tmp_path / "mask.mkv", "--method", "mkl", "-o", tmp_path / "out.mkv")
    assert run("harmonize", *clip, "--codec", "ffv1").code == 0
    before, after, masks = (
        decoded(path) for path in (shots / "green.mkv", tmp_path / "out.mkv", tmp_path / "mask.mkv")
    )
    for first, second, (mask,) in zip(before, after, masks, strict=True):
        assert np.array_equal(first[0][mask == 0], second[0][mask == 0])
        assert np.abs(first[0].astype(int) - second[0])[mask == 255].mean() > 2


def test_images_are_written_and_deep_clips_have_deep_mattes(run: Run, shots: Path, tmp_path: Path) -> None:
    deep = [[plane.astype(np.uint16) * 4 for plane in mixed(index)] for index in range(2)]
    clip = make_clip(tmp_path / "deep.mkv", codec="ffv1", pix_fmt="yuv444p10le", size=SIZE, frames=deep)
    done = run("matte", clip, "--key", "green", "-o", tmp_path / "mask.%04d.png", "--quiet")
    assert (done.code, done.out, done.err) == (0, "", "")
    source = open_source(tmp_path / "mask.%04d.png")
    assert (source.info.pixel_format.model, source.info.pixel_format.depth) == ("gray", 16)
    (first, _) = source.frames()
    assert np.abs(first.planes[0] / 257 - TRUE[0]).mean() < 1


def test_a_folder_gets_images_that_hold_a_matte(run: Run, tmp_path: Path) -> None:
    (tmp_path / "jpg").mkdir()
    for index in range(2):
        luma, blue, red = mixed(index)
        write(tmp_path / f"jpg/a.{index:04d}.jpg", cv2.cvtColor(np.dstack([luma, red, blue]), cv2.COLOR_YCrCb2RGB))
    done = run("matte", tmp_path / "jpg", "--key", "green", "-o", f"{tmp_path}/mattes/", "--quiet")
    assert (done.code, done.err) == (0, "")
    assert sorted(path.name for path in (tmp_path / "mattes").iterdir()) == ["a.0000.png", "a.0001.png"]


def test_the_alpha_of_a_still_becomes_a_still(run: Run, shots: Path, tmp_path: Path) -> None:
    assert run("matte", shots / "cutout.png", "--from-alpha", "-o", tmp_path / "mask.png").code == 0
    (frame,) = open_source(tmp_path / "mask.png").frames()
    assert np.array_equal(frame.planes[0], TRUE[0])


@pytest.mark.parametrize(("option", "kept"), [("--within", slice(0, 60)), ("--without", slice(60, None))])
def test_masks_limit_the_matte(run: Run, shots: Path, tmp_path: Path, option: str, kept: slice) -> None:
    clip = (shots / "alpha.mkv", "--from-alpha")
    assert run("matte", *clip, option, shots / "left.png", "-o", tmp_path / "mask.mkv").code == 0
    for (found,), true in zip(decoded(tmp_path / "mask.mkv"), TRUE, strict=True):
        expected = np.zeros_like(true)
        expected[:, kept] = true[:, kept]
        assert np.array_equal(found, expected)


def test_an_upright_matte_fits_a_rotated_clip(run: Run, shots: Path, tmp_path: Path) -> None:
    frames = [[np.ascontiguousarray(plane) for plane in mixed(index)] for index in range(2)]
    clip = make_clip(tmp_path / "turned.mov", codec="libx264", pix_fmt="yuv444p", size=SIZE, frames=frames, rotation=90)
    assert run("matte", clip, "--key", "green", "-o", tmp_path / "mask.mkv").code == 0
    assert open_source(tmp_path / "mask.mkv").info.size == Size(SIZE.width, SIZE.height)
    grade = ("grade", clip, "--mask", tmp_path / "mask.mkv", "--method", "mkl", "-o", tmp_path / "grade.json")
    assert run(*grade).code == 0
    assert np.abs(np.rot90(TRUE[0]).astype(int) - decoded(tmp_path / "mask.mkv")[0][0]).mean() < 2


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "the way to make the matte is missing; give one of --key, --plate"),
        (("--key", "green", "--from-alpha"), "--key and --from-alpha are several ways to make a matte; give one"),
        (("--key", "mauve"), "--key 'mauve': is not a colour"),
        (("--key", "red=1"), "is not a colour"),
        (("--key", "240,20,200"), "hardly any of the clip has this colour"),
        (("--key", "green", "--clip", "1,0"), "--clip '1,0': is not BLACK,WHITE"),
        (("--from-alpha", "--clip", "0,1"), "not of --from-alpha; leave it out"),
        (("--from-alpha",), "green.mkv: has no alpha; make the matte with"),
        (("--box", "1,2,3"), "--box '1,2,3': is not X,Y,W,H"),
        (("--box", "10,10,5,50"), "has less than 16 pixels a side"),
        (("--box", "0,0,900,900"), "is the whole picture"),
        (("--click", "1,2,3,4"), "--click '1,2,3,4': is not X,Y or X,Y,FRAME"),
        (("--click", "160,5"), "is outside"),
        (("--click", "60,60,6"), "green.mkv has no frame 6; it has 6 frames, counted from 0"),
        (("--click-out", "1,1"), "--click-out: says what is not foreground; give --click or --box"),
        (("--click", "1,1", "--key", "green"), "--key and --click are several ways"),
        (("--click", ""), "--click ''"),
        (("--plate", "short.mkv"), "short.mkv: ends after 2 frames, the clip"),
        (("--plate", "small.png"), "small.png: is 160x50, but the clip"),
        (("--key", "green", "--within", "small.png"), "small.png: is 160x50, but the clip"),
        (("--key", "green", "--without", "nowhere.png"), "nowhere.png"),
        (("--key", "green", "--within", ""), "--within is empty"),
    ],
)
def test_what_cannot_be_is_one_line(run: Run, shots: Path, tmp_path: Path, words: tuple[str, ...], told: str) -> None:
    words = tuple(str(shots / word) if word.endswith((".mkv", ".png")) else word for word in words)
    done = run("matte", shots / "green.mkv", *words, "-o", tmp_path / "mask.mkv")
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert told in done.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("output", "told"),
    [
        ("mask.exr", "mask.exr: a matte is not written as .exr; give .mkv, .png or .tif"),
        ("nowhere/mask.mkv", "does not exist"),
        ("mask.xyz", "mask.xyz"),
    ],
)
def test_outputs_that_cannot_be_are_one_line(run: Run, shots: Path, tmp_path: Path, output: str, told: str) -> None:
    done = run("matte", shots / "green.mkv", "--key", "green", "-o", tmp_path / output)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert told in done.err
    assert not list(tmp_path.iterdir())


def test_no_output_replaces_a_file_or_an_input(run: Run, shots: Path, tmp_path: Path) -> None:
    (tmp_path / "mask.mkv").write_text("mine")
    clip = ("matte", shots / "green.mkv", "--plate", shots / "plate.mkv")
    assert run(*clip, "-o", tmp_path / "mask.mkv").code == 2
    assert (tmp_path / "mask.mkv").read_text() == "mine"
    for name in ("green.mkv", "plate.mkv"):
        done = run(*clip, "-o", shots / name, "--force")
        assert done.code == 2
        assert "is also an input" in done.err
    assert run(*clip, "-o", tmp_path / "mask.mkv", "--force").code == 0


def test_programs_get_the_summary(run: Run, shots: Path, tmp_path: Path) -> None:
    done = run("matte", shots / "alpha.mkv", "--from-alpha", "-o", tmp_path / "mask.mkv", "--log-json")
    told = json.loads(done.out.splitlines()[-1])
    assert (told["event"], told["num_frames"], told["way"]) == ("summary", NUM_FRAMES, "the clip's alpha")
    assert told["coverage"] == pytest.approx(np.mean(TRUE) / 255, abs=1e-4)


def test_a_box_is_followed_with_a_confidence(run: Run, shots: Path, tmp_path: Path) -> None:
    done = run("matte", shots / "green.mkv", "--box", "20,25,75,70", "-o", tmp_path / "mask.mkv")
    assert (done.code, done.err) == (0, "")
    assert ", box 20,25,75,70, followed, covers " in done.out
    assert float(done.out.rpartition("confidence ")[2]) > 0.75
    assert error(tmp_path / "mask.mkv") < 3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--click", "55,55"), "1 click, followed"),
        (("--click", "55,55", "--click-out", "5,5", "--click", "60,55,3"), "3 clicks, followed"),
        (("--box", "20,25,75,70", "--click-out", "5,5,2"), "box 20,25,75,70, 1 click, followed"),
    ],
)
def test_clicks_are_followed_with_a_confidence(
    run: Run, shots: Path, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    done = run("matte", shots / "green.mkv", *words, "-o", tmp_path / "mask.mkv")
    assert (done.code, done.err) == (0, "")
    assert f", {said}, covers " in done.out
    assert float(done.out.rpartition("confidence ")[2]) > 0.7
    assert error(tmp_path / "mask.mkv") < 3


def test_a_click_finds_again_what_was_lost(run: Run, shots: Path, tmp_path: Path) -> None:
    behind = [np.full(SIZE, code, np.uint8) for code in GREEN]
    frames = [mixed(0), behind, behind, mixed(3), mixed(4)]
    clip = make_clip(tmp_path / "cut.mkv", codec="ffv1", pix_fmt="yuv444p", size=SIZE, frames=frames)
    done = run("matte", clip, "--box", "20,25,75,70", "--click", "65,60,3", "-o", tmp_path / "mask.mkv")
    assert done.code == 0
    assert "the foreground was lost in frames 1 to 2 (counted from 0; confidence 0.00)" in done.err
    assert [bool(planes[0].any()) for planes in decoded(tmp_path / "mask.mkv")] == [True, False, False, True, True]


def test_a_matte_without_foreground_is_said(run: Run, shots: Path, tmp_path: Path) -> None:
    done = run("matte", shots / "plate.mkv", "--key", "green", "-o", tmp_path / "mask.mkv")
    assert done.code == 0
    assert "mask.mkv: never exceeds 0%: screen " in done.err
    assert max(planes[0].max() for planes in decoded(tmp_path / "mask.mkv")) < 64


@pytest.mark.parametrize("way", [("--key", "green"), ("--click", "55,55")])
def test_frame_times_of_a_variable_rate_are_kept(run: Run, tmp_path: Path, way: tuple[str, ...]) -> None:
    clip = make_clip(
        tmp_path / "vfr.mkv",
        codec="ffv1",
        pix_fmt="yuv444p",
        size=SIZE,
        frames=[mixed(index) for index in range(4)],
        time_base=Fraction(1, 1000),
        pts=[0, 40, 120, 125],
    )
    assert run("matte", clip, *way, "-o", tmp_path / "mask.mkv").code == 0
    assert times(tmp_path / "mask.mkv") == times(clip)
    assert len(set(np.diff(times(clip)))) > 1


def test_a_lost_foreground_is_told_with_its_frame(run: Run, shots: Path, tmp_path: Path) -> None:
    behind = [np.full(SIZE, code, np.uint8) for code in GREEN]
    frames = [*(mixed(index) for index in range(3)), behind, behind]
    clip = make_clip(tmp_path / "cut.mkv", codec="ffv1", pix_fmt="yuv444p", size=SIZE, frames=frames)
    done = run("matte", clip, "--box", "20,25,75,70", "-o", tmp_path / "mask.mkv")
    assert done.code == 0
    assert "cut.mkv: frame 3 (counted from 0): the foreground was lost (confidence 0.00); the mask is black" in done.err
    assert [bool(planes[0].any()) for planes in decoded(tmp_path / "mask.mkv")] == [True, True, True, False, False]


def test_a_foreground_that_hardly_stands_out_is_doubted(
    run: Run, shots: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chromacord.matte.making.DOUBTFUL", 1.01)
    done = run("matte", shots / "green.mkv", "--box", "20,25,75,70", "-o", tmp_path / "mask.mkv")
    assert done.code == 0
    assert done.err.count("\n") == 1
    assert "green.mkv: the foreground is hard to tell from what is around it (confidence" in done.err
