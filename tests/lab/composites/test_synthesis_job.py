import json
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from chromacord.color.cube import Cube
from chromacord.errors import ChromacordWarning, InputError, OutputError, OutputExistsError, UnreadableFileError
from chromacord.lab.color.looks import random_look
from chromacord.lab.composites.synthesis import Recipe
from chromacord.lab.composites.synthesis_job import Summary, synthesize
from chromacord.lab.data import open_dataset
from chromacord.lab.data.clip_folder import open_clips
from chromacord.lab.data.files import FileDataset
from chromacord.lab.data.hyoutube import open_hyoutube
from chromacord.lab.data.pool import Processes
from chromacord.types import Progress
from tests.clips import make_clip
from tests.hyoutube_lookalike import make_lookalike, make_mask
from tests.lab.data.test_clip_folder import make_frames

LUTS = {f"{seed}.cube": Cube(random_look(torch.Generator().manual_seed(seed)).to_lut(9)) for seed in range(4)}
RECIPE = Recipe(per_clip=2, num_frames=2)


@pytest.fixture
def clips(tmp_path: Path) -> FileDataset:
    for name in ("bear", "dog"):
        make_frames(tmp_path / "clips" / name)
    return open_clips(tmp_path / "clips", size=None)


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def make(clips: FileDataset, folder: Path, *, recipe: Recipe = RECIPE, jobs: int = 1, random: bool = False) -> Summary:
    return synthesize(clips, None if random else LUTS, folder, recipe=recipe, engine=Processes(jobs))


def test_what_comes_out_opens_as_a_data_set(clips: FileDataset, tmp_path: Path) -> None:
    summary = make(clips, tmp_path / "made")
    dataset = open_dataset(tmp_path / "made", size=None)
    assert (summary.num_pairs, summary.num_frames, summary.num_kept) == (4, 8, 0)
    assert dataset.name == "made-test"
    assert dataset.names == ("bear/object_1", "bear/object_2", "dog/object_1", "dog/object_2")
    clip = dataset[0]
    assert clip.frames == ("00000", "00001")
    assert clip.spacing == 1
    assert clip.real is not None
    inside, outside = (clip.mask.expand_as(clip.real) == value for value in (1, 0))
    difference = (clip.composite - clip.real).abs()
    assert float(difference[inside].mean()) > 0.03
    assert float(difference[outside].mean()) < 0.02  # JPEG's


def test_real_jpegs_are_copied_and_masks_are_kept(clips: FileDataset, tmp_path: Path) -> None:
    make(clips, tmp_path / "made")
    made = files(tmp_path / "made")
    for name in ("bear", "dog"):
        source = (tmp_path / f"clips/{name}/images/00001.jpg").read_bytes()
        assert made[f"real_videos/{name}/00001.jpg"] == source
        mask = cv2.imread(str(tmp_path / f"made/foreground_mask/{name}/object_2/00001.png"), cv2.IMREAD_UNCHANGED)
        assert np.array_equal(mask, make_mask(1, 1))


def test_pair_lists_and_frame_lists_tell_the_same(clips: FileDataset, tmp_path: Path) -> None:
    make(clips, tmp_path / "made")
    by_frames = open_hyoutube(tmp_path / "made", size=None)
    (tmp_path / "made/test_frames.txt").unlink()
    by_pairs = open_hyoutube(tmp_path / "made", size=None)
    assert by_frames.fingerprint == by_pairs.fingerprint
    assert torch.equal(by_frames[3].composite, by_pairs[3].composite)


def test_the_manifest_names_source_lut_and_seed(clips: FileDataset, tmp_path: Path) -> None:
    make(clips, tmp_path / "made")
    manifest = json.loads((tmp_path / "made/manifest.json").read_text())
    assert manifest["recipe"] == {
        "per_clip": 2,
        "seed": 0,
        "enhance": True,
        "drift": False,
        "num_frames": 2,
        "spacing": 1,
        "quality": 75,
    }
    pairs = manifest["pairs"]
    assert [(pair["clip"], pair["video"], pair["foreground"]) for pair in pairs] == [
        (name, name, f"object_{number}") for name in ("bear", "dog") for number in (1, 2)
    ]
    assert {pair["lut"] for pair in pairs} <= LUTS.keys()
    assert pairs[0]["lut"] != pairs[1]["lut"]
    assert len({pair["seed"] for pair in pairs}) == 4
    listed = [line.split() for line in (tmp_path / "made/LUT_list.txt").read_text().splitlines()]
    assert [name for _, name in listed] == [pair["lut"] for pair in pairs]


@pytest.mark.parametrize(("random", "jobs"), [(False, 1), (True, 2)], ids=["LUT files", "random looks, two processes"])
def test_the_same_arguments_give_the_same_bytes(clips: FileDataset, tmp_path: Path, random: bool, jobs: int) -> None:
    recipe = replace(RECIPE, drift=random, enhance=not random)
    make(clips, tmp_path / "one", recipe=recipe, random=random)
    make(clips, tmp_path / "two", recipe=recipe, random=random, jobs=jobs)
    assert files(tmp_path / "one") == files(tmp_path / "two")
    make(clips, tmp_path / "other", recipe=replace(recipe, seed=1), random=random)
    other, one = (files(tmp_path / name) for name in ("other", "one"))
    composites = [name for name in one if name.startswith("synthetic")]
    assert any(one[name] != other[name] for name in composites)


def test_a_stopped_run_goes_on_where_it_was(
    clips: FileDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(clips, tmp_path / "whole")
    seen: list[Progress] = []

    def stop(progress: Progress) -> None:
        seen.append(progress)
        if progress.done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        synthesize(clips, LUTS, tmp_path / "made", recipe=RECIPE, progress=stop)
    assert not (tmp_path / "made/test_list.txt").exists()
    kept = tmp_path / "made/synthetic_composite_videos/bear/object_1/00000.jpg"
    before = kept.stat().st_mtime_ns
    # What a killed process leaves: masks without composites, and a half-written folder.
    shutil.copytree(tmp_path / "whole/foreground_mask/dog/object_1", tmp_path / "made/foreground_mask/dog/object_1")
    (tmp_path / "made/foreground_mask/dog/object_1/00001.png").write_bytes(b"half")
    summary = synthesize(clips, LUTS, tmp_path / "made", recipe=RECIPE, progress=seen.append)
    assert (summary.num_pairs, summary.num_kept, summary.num_frames) == (4, 2, 8)
    assert [(progress.done, progress.total) for progress in seen] == [(2, 8), (4, 8), (6, 8), (8, 8)]
    assert kept.stat().st_mtime_ns == before
    assert files(tmp_path / "made") == files(tmp_path / "whole")


def test_a_run_with_other_options_does_not_go_on(clips: FileDataset, tmp_path: Path) -> None:
    make(clips, tmp_path / "made")
    before = files(tmp_path / "made")
    with pytest.raises(OutputExistsError, match="made from other clips or LUTs, or with other options"):
        make(clips, tmp_path / "made", recipe=replace(RECIPE, seed=1))
    with pytest.raises(OutputExistsError, match="other clips or LUTs"):
        synthesize(clips, {**LUTS, "0.cube": LUTS["1.cube"]}, tmp_path / "made", recipe=replace(RECIPE, per_clip=4))
    assert files(tmp_path / "made") == before


def test_a_folder_with_something_else_is_left_alone(clips: FileDataset, tmp_path: Path) -> None:
    with pytest.raises(OutputExistsError, match="is not a synthesized data set"):
        make(clips, tmp_path / "clips")
    with pytest.raises(OutputError, match="does not exist; create it first"):
        make(clips, tmp_path / "no/made")


def test_composites_of_a_data_set_are_made_from_its_real_frames(tmp_path: Path) -> None:
    source = open_hyoutube(make_lookalike(tmp_path / "set"), size=None)
    make(source, tmp_path / "made", recipe=Recipe(num_frames=2, spacing=2))
    dataset = open_dataset(tmp_path / "made", size=None)
    assert dataset.names == ("bb02_object_1/object_1", "bb02_object_2/object_1", "cc03_object_0/object_1")
    assert dataset[0].frames == ("00000", "00010")
    assert dataset[0].spacing == 10
    expected = cv2.imread(str(tmp_path / "set/real_videos/bb02/00010.jpg"))[..., ::-1].transpose(2, 0, 1)
    real = dataset[0].real
    assert real is not None
    assert np.array_equal((255 * real[1]).round().numpy(), expected)


def test_video_files_are_sources_too_and_their_real_frames_lose_nothing(tmp_path: Path) -> None:
    for kind in ("images", "masks"):
        (tmp_path / "clips" / kind).mkdir(parents=True)
    make_clip(tmp_path / "clips/images/a b.mp4", num_frames=6)
    cv2.imwrite(str(tmp_path / "clips/masks/a b.png"), np.full((64, 96), 255, np.uint8))
    source = open_clips(tmp_path / "clips", size=None)
    make(source, tmp_path / "made", recipe=Recipe(num_frames=2, spacing=3))
    clip = open_dataset(tmp_path / "made", size=None)[0]
    assert clip.name == "a_b/object_1"
    assert clip.frames == ("00000", "00003")
    assert clip.real is not None
    assert torch.equal(clip.real, source[0].composite[[0, 3]])


def test_folders_that_all_clips_have_in_common_do_not_change_the_draw(tmp_path: Path) -> None:
    for name in ("bear", "dog"):
        make_frames(tmp_path / "clips/video" / name, num_frames=1)
    make(open_clips(tmp_path / "clips", size=None), tmp_path / "above")
    make(open_clips(tmp_path / "clips/video", size=None), tmp_path / "here")
    above, here = (files(tmp_path / name) for name in ("above", "here"))
    assert {name for name in above if above[name] != here[name]} == {"manifest.json"}
    assert "real_videos/bear/00000.jpg" in above


def test_a_drift_changes_the_composite_over_time(tmp_path: Path) -> None:
    """A still scene of 40 frames: only the drift moves its colours."""
    folder = make_frames(tmp_path / "clips/still", num_frames=40)
    for index in range(1, 40):
        for place in (f"images/{index:05d}.jpg", f"masks/{index:05d}.png"):
            shutil.copyfile(folder / place.replace(f"{index:05d}", "00000"), folder / place)
    source = open_clips(tmp_path / "clips", size=None)
    make(source, tmp_path / "still", recipe=Recipe(num_frames=40))
    make(source, tmp_path / "moving", recipe=Recipe(num_frames=40, drift=True))
    still, moving = (open_dataset(tmp_path / name, size=None)[0].composite for name in ("still", "moving"))
    assert torch.equal(still[0], still[39])
    assert float((moving - moving[0]).abs().amax()) > 5 / 255
    steps = (moving[1:] - moving[:-1]).abs().mean(dim=(1, 2, 3))
    assert float(steps.max()) < float((moving - moving[0]).abs().mean(dim=(1, 2, 3)).max())


def test_a_clip_without_foreground_is_warned_of(tmp_path: Path) -> None:
    folder = make_frames(tmp_path / "clips/empty")
    for path in (folder / "masks").iterdir():
        cv2.imwrite(str(path), np.zeros((40, 56), np.uint8))
    with pytest.warns(ChromacordWarning, match="empty: the mask is empty in all frames"):
        make(open_clips(tmp_path / "clips", size=None), tmp_path / "made", recipe=Recipe())


def test_a_damaged_picture_stops_the_run_with_its_name(clips: FileDataset, tmp_path: Path) -> None:
    (tmp_path / "clips/dog/images/00001.jpg").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(UnreadableFileError, match=r"dog/images/00001.jpg"):
        make(clips, tmp_path / "made")
    assert not list((tmp_path / "made").rglob("dog/object_*"))


def test_too_few_luts_are_said_before_anything_is_written(clips: FileDataset, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="5 LUTs a clip are requested, but there are only 4; lower --per-clip"):
        make(clips, tmp_path / "made", recipe=Recipe(per_clip=5))
    assert not (tmp_path / "made").exists()
