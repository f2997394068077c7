from pathlib import Path

import cv2
import numpy as np
import pytest

from chromacord.errors import InputError, MissingFileError, UnreadableFileError
from chromacord.lab.data import open_dataset
from chromacord.lab.data.files import MAX_LIST_BYTES
from chromacord.lab.data.hyoutube import neighbours, open_hyoutube, read_temporal_tasks
from chromacord.types import Size
from tests.hyoutube_lookalike import DESCRIBED, HEIGHT, NUM_FRAMES, PUBLISHED, WIDTH, make_lookalike

CLIPS = ("bb02/object_1", "bb02/object_2", "cc03/object_0")


@pytest.mark.parametrize("on_disk", [PUBLISHED, DESCRIBED], ids=["list names", "README names"])
@pytest.mark.parametrize("listed", [PUBLISHED, DESCRIBED], ids=["list names listed", "README names listed"])
@pytest.mark.parametrize("slash", ["/", "\\"])
@pytest.mark.parametrize("has_frame_lists", [True, False], ids=["frames", "pairs"])
def test_both_namings_both_lists_and_both_slashes_give_the_same_clips(
    tmp_path: Path, on_disk: tuple[str, str, str], listed: tuple[str, str, str], slash: str, has_frame_lists: bool
) -> None:
    folder = make_lookalike(
        tmp_path / "set", folders=on_disk, listed=listed, slash=slash, has_frame_lists=has_frame_lists
    )
    dataset = open_dataset(folder)
    assert dataset.names == CLIPS
    assert len(dataset) == len(CLIPS)
    clip = dataset[2]
    assert clip.name == "cc03/object_0"
    assert clip.frames == ("00035", "00040", "00045", "00050")
    assert clip.keys[1] == "cc03/object_0/00040"
    assert clip.foreground == "object_0"
    assert clip.spacing == 5
    assert clip.composite.shape == (NUM_FRAMES, 3, 256, 256)
    assert clip.mask.shape == (NUM_FRAMES, 1, 256, 256)
    assert clip.real is not None
    assert clip.real.shape == clip.composite.shape


def test_train_and_test_are_apart(tmp_path: Path) -> None:
    folder = make_lookalike(tmp_path)
    assert open_dataset(folder, split="train").names == ("aa01/object_1",)
    assert open_dataset(folder, split="train").name == "hyoutube-train"
    assert open_dataset(folder).name == "hyoutube-test"


def test_pictures_are_those_that_opencv_reads_and_resizes(tmp_path: Path) -> None:
    """The reference's loader: 8-bit bilinear for pictures, float bilinear for masks."""
    folder = make_lookalike(tmp_path)
    clip = open_dataset(folder, size=Size(24, 32))[0]
    base = folder / "synthetic_composite_videos/bb02/object_1/00005.jpg"
    picture = cv2.resize(cv2.imread(str(base)), (32, 24))[..., ::-1]
    assert np.array_equal((255 * clip.composite[1]).round().numpy(), picture.transpose(2, 0, 1))
    mask = cv2.imread(str(folder / "foreground_mask/bb02/object_1/00005.png"))[..., 0]
    expected = cv2.resize(mask.astype(np.float32) / 255, (32, 24))
    np.testing.assert_allclose(clip.mask[1, 0].numpy(), expected, atol=1e-6)
    assert 0 < float((clip.mask == 1).float().mean()) < 1
    assert bool(((clip.mask > 0) & (clip.mask < 1)).any())
    real = cv2.resize(cv2.imread(str(folder / "real_videos/bb02/00005.jpg")), (32, 24))[..., ::-1]
    assert clip.real is not None
    assert np.array_equal((255 * clip.real[1]).round().numpy(), real.transpose(2, 0, 1))


def test_without_a_size_pictures_keep_theirs(tmp_path: Path) -> None:
    clip = open_dataset(make_lookalike(tmp_path), size=None)[0]
    assert clip.composite.shape == (NUM_FRAMES, 3, HEIGHT, WIDTH)
    assert set(clip.mask.unique().tolist()) == {0.0, 1.0}


def test_the_composite_differs_from_the_real_frame_in_the_foreground_alone(tmp_path: Path) -> None:
    clip = open_dataset(make_lookalike(tmp_path), size=None)[0]
    assert clip.real is not None
    difference = (clip.composite - clip.real).abs().mean(dim=1, keepdim=True)
    assert float(difference[clip.mask == 1].mean()) > 0.1
    assert float(difference[clip.mask == 0].mean()) < 0.03  # what JPEG leaves


def test_the_first_ten_absent_files_are_listed_and_all_are_counted(tmp_path: Path) -> None:
    folder = make_lookalike(tmp_path)
    for path in (folder / "synthetic_composite_videos/bb02").rglob("*.jpg"):
        path.unlink()
    for path in (folder / "foreground_mask/cc03/object_0").glob("*.png"):
        path.unlink()
    with pytest.raises(MissingFileError) as caught:
        open_dataset(folder)
    message = str(caught.value)
    assert "12 files do not exist" in message
    assert message.count(" line ") == 10
    assert "object_1/00000.jpg" in message
    assert "test_frames.txt line 1)" in message
    assert message.endswith("and 2 more")


def test_a_damaged_file_is_named_with_its_line_of_the_list(tmp_path: Path) -> None:
    folder = make_lookalike(tmp_path)
    path = folder / "synthetic_composite_videos/bb02/object_2/00010.jpg"
    path.write_bytes(path.read_bytes()[:300])
    dataset = open_dataset(folder)
    with pytest.raises(UnreadableFileError, match=r"object_2/00010.jpg: .*test_frames.txt line 7\)"):
        dataset[1]
    assert dataset[0].name == "bb02/object_1"


def test_a_file_that_vanishes_after_opening_is_named_with_its_line(tmp_path: Path) -> None:
    folder = make_lookalike(tmp_path)
    dataset = open_dataset(folder)
    (folder / "real_videos/cc03/00035.jpg").unlink()
    with pytest.raises(
        MissingFileError, match=r"real_videos/cc03/00035.jpg: no such file \(.*test_frames.txt line 9\)"
    ):
        dataset[2]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("real_videos/a foreground_mask/a/object_1", "line 2: has 2 paths; three are expected"),
        ("../b/c.jpg m/c.png c/c.jpg", "line 2: a path leads outside the data set"),
    ],
)
def test_a_line_that_cannot_be_read_is_named(tmp_path: Path, line: str, message: str) -> None:
    folder = make_lookalike(tmp_path)
    first = (folder / "test_frames.txt").read_text().splitlines()[0]
    (folder / "test_frames.txt").write_text(f"{first}\n{line}\n")
    with pytest.raises(InputError, match=message):
        open_dataset(folder)


def test_a_pair_whose_masks_are_absent_is_named(tmp_path: Path) -> None:
    folder = make_lookalike(tmp_path, has_frame_lists=False)
    for path in (folder / "foreground_mask/bb02/object_2").iterdir():
        path.unlink()
    with pytest.raises(MissingFileError, match=r"object_2: holds no masks \(.*test_list.txt line 2\)"):
        open_dataset(folder)


def test_a_split_without_a_list_says_which_lists_are_looked_for(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"no list of its val clips \(val_frames.txt, val_list.txt, val.txt\)"):
        open_dataset(make_lookalike(tmp_path), split="val")


def test_the_fingerprint_is_that_of_the_clips_and_not_of_their_size(tmp_path: Path) -> None:
    one, same = make_lookalike(tmp_path / "one"), make_lookalike(tmp_path / "same")
    assert open_dataset(one).fingerprint == open_dataset(same, size=None).fingerprint
    assert open_dataset(one).fingerprint != open_dataset(one, split="train").fingerprint
    path = same / "synthetic_composite_videos/bb02/object_2/00010.jpg"
    cv2.imwrite(str(path), np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    assert open_dataset(one).fingerprint != open_dataset(same).fingerprint


def test_neighbours_are_multiples_of_five_away_and_the_last_existing_one_stands_in() -> None:
    frames = ("00000", "00005", "00010", "00020", "00025")
    assert neighbours(frames, 2, past=2, future=2) == [0, 1, 2, 2, 3]
    assert neighbours(frames, 0, past=3, future=1) == [0, 0, 0, 0, 1]
    assert neighbours(frames, 4, past=3, future=2) == [2, 3, 3, 4, 4, 4]
    assert neighbours(frames, 1, past=0, future=0) == [1]


def test_the_temporal_list_names_frames_and_the_ones_after_them(tmp_path: Path) -> None:
    """12 frames of test are listed; every fifth is measured: 0, 5 and 10 of the list."""
    now, after = make_lookalike(tmp_path / "now"), make_lookalike(tmp_path / "after", shift=1)
    tasks = read_temporal_tasks(now)
    assert [tuple(task) for task in tasks] == [
        ("bb02/object_1", "00000", "00001"),
        ("bb02/object_2", "00005", "00006"),
        ("cc03/object_0", "00045", "00046"),
    ]
    clips, future = open_hyoutube(now), open_hyoutube(after, split="future")
    assert future.names == clips.names
    for task in tasks:
        index = clips.names.index(task.clip)
        place = clips[index].frames.index(task.frame)
        assert future[index].frames[place] == task.next_frame


def test_lists_may_lie_in_another_folder(tmp_path: Path) -> None:
    folder, lists = make_lookalike(tmp_path / "set"), tmp_path / "lists"
    lists.mkdir()
    (folder / "test_frames.txt").rename(lists / "test_frames.txt")
    (folder / "test_list.txt").unlink()
    assert open_hyoutube(folder, lists=lists).names == CLIPS


def test_a_set_without_its_temporal_list_says_so(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"tl_task.txt: no such file"):
        read_temporal_tasks(tmp_path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "{line}\n{line}\n",
            r"test_frames.txt line 2: is already listed in .*test_frames.txt line 1; remove one of them",
        ),
        ("{line}\n./{line}\n", "line 2: is already listed"),
        ("{line}\n{other}\n", r"line 2: frame 00000 of bb02/object_1 is listed already; remove one"),
        (". . .\n", "line 1: a path is empty"),
        ("a b " + "c" * 256 + "\n", "line 1: this cannot be a file name: 'a b ccc"),
        ("a b " + "c/" * 3000 + "\n", "line 1: this cannot be a file name"),
        ("a b\0 c\n", "line 1: this cannot be a file name"),
    ],
)
def test_lines_that_cannot_be_meant_are_refused(tmp_path: Path, text: str, said: str) -> None:
    folder = make_lookalike(tmp_path)
    line = "real_videos/bb02/00000.jpg foreground_mask/bb02/object_1/00000.png {}/bb02/object_1/00000.jpg"
    lines = {"line": line.format("synthetic_composite_videos"), "other": line.format("synthetic_composite_videos/.")}
    lines["other"] = lines["other"].replace("object_1/00000.png", "object_2/00000.png")
    (folder / "test_frames.txt").write_text(text.format(**lines))
    with pytest.raises(InputError, match=said) as caught:
        open_dataset(folder)
    assert len(str(caught.value)) < 500


def test_a_list_without_an_end_is_not_read(tmp_path: Path) -> None:
    folder = make_lookalike(tmp_path)
    with (folder / "test_frames.txt").open("wb") as file:
        file.truncate(MAX_LIST_BYTES + 1)
    with pytest.raises(UnreadableFileError, match=r"test_frames.txt: is larger than the limit"):
        open_dataset(folder)


def test_bytes_that_are_no_text_are_names_of_files_that_do_not_exist(tmp_path: Path) -> None:
    folder = make_lookalike(tmp_path)
    (folder / "test_frames.txt").write_bytes(b"real_videos/\xff foreground_mask/\xff synthetic_composite_videos/\xff\n")
    with pytest.raises(MissingFileError, match="holds no masks"):
        open_dataset(folder)
