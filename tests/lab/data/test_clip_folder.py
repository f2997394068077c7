from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from chromacord.errors import ChromacordWarning, InputError, MismatchError, MissingFileError
from chromacord.lab.data import open_dataset
from chromacord.lab.data.clip_folder import open_clips
from chromacord.types import Colorimetry, Size
from tests.clips import make_clip
from tests.hyoutube_lookalike import HEIGHT, WIDTH, Picture, make_mask, make_real

FULL = Colorimetry(primaries=1, transfer=13, matrix=0, full_range=True)
SIZE = Size(HEIGHT, WIDTH)
DEEP_RGB: dict[str, Any] = {"codec": "ffv1", "pix_fmt": "gbrp16le", "colorimetry": FULL, "size": SIZE}


def deep_planes(picture: Picture) -> list[Picture]:
    return [*(picture.astype(np.uint16) * 257).transpose(2, 0, 1)]


def make_frames(folder: Path, *, num_frames: int = 3, real: bool = False, labels: bool = False) -> Path:
    """Write a clip of the look-alike's pictures; labels are 1 in the disc and 2 in its corner of the picture."""
    for kind in ("images", "masks", *(["real"] if real else [])):
        (folder / kind).mkdir(parents=True)
    for index in range(num_frames):
        mask = make_mask(1, index)
        if labels:
            mask = mask // 255
            mask[:5, :5] = 2
        cv2.imwrite(str(folder / f"images/{index:05d}.jpg"), make_real("a", index)[..., ::-1])
        cv2.imwrite(str(folder / f"masks/{index:05d}.png"), mask)
        if real:
            cv2.imwrite(str(folder / f"real/{index:05d}.png"), make_real("b", index)[..., ::-1])
    return folder


def test_a_folder_of_images_and_masks_is_a_clip(tmp_path: Path) -> None:
    dataset = open_dataset(make_frames(tmp_path / "cat"), size=None)
    clip = dataset[0]
    assert dataset.names == ("cat",)
    assert clip.frames == ("00000", "00001", "00002")
    assert clip.real is None
    assert clip.spacing == 1
    assert np.array_equal(clip.mask[2, 0].numpy() * 255, make_mask(1, 2))
    expected = cv2.imread(str(tmp_path / "cat/images/00001.jpg"))[..., ::-1]
    assert np.array_equal((255 * clip.composite[1]).round().numpy(), expected.transpose(2, 0, 1))


def test_the_truth_lies_in_a_folder_of_its_own(tmp_path: Path) -> None:
    clip = open_dataset(make_frames(tmp_path / "cat", real=True), size=None)[0]
    assert clip.real is not None
    assert np.array_equal((255 * clip.real[1]).round().numpy(), make_real("b", 1).transpose(2, 0, 1))


def test_a_tree_is_searched_and_the_manifest_says_what_is_what(tmp_path: Path) -> None:
    make_frames(tmp_path / "video/cat")
    make_frames(tmp_path / "video/dog")
    make_frames(tmp_path / "still/birds", labels=True)
    (tmp_path / "manifest.csv").write_text(
        "path,kind,mask,use\nvideo/cat,video,binary,dev\nvideo/dog,video,binary,train\nstill/birds,still,labels,train\n"
    )
    assert open_clips(tmp_path).names == (
        *("still/birds/00000", "still/birds/00001", "still/birds/00002"),
        *("video/cat", "video/dog"),
    )
    assert open_clips(tmp_path, use="dev").names == ("video/cat",)
    assert open_clips(tmp_path / "video", use="dev").names == ("cat",)
    with pytest.raises(MissingFileError, match=r"use 'dev', 'train', and none the use test"):
        open_clips(tmp_path, use="test")


@pytest.mark.parametrize(("labels", "share"), [((), "both"), ((1,), "disc"), ((2,), "corner"), ((1, 2), "both")])
def test_a_union_of_labels_is_the_foreground(tmp_path: Path, labels: tuple[int, ...], share: str) -> None:
    make_frames(tmp_path / "birds", num_frames=1, labels=True)
    (tmp_path / "manifest.csv").write_text("path,kind,mask,use\nbirds,still,labels,\n")
    mask = open_clips(tmp_path, labels=labels, size=None)[0].mask[0, 0]
    corner, disc = int((make_mask(1, 0)[:5, :5] == 0).sum()), int((make_mask(1, 0) > 0).sum())
    assert int(mask.sum()) == {"both": corner + disc, "disc": disc, "corner": corner}[share]
    assert set(mask.unique().tolist()) == {0.0, 1.0}


def test_labels_that_are_taken_for_coverage_are_warned_of(tmp_path: Path) -> None:
    dataset = open_clips(make_frames(tmp_path / "birds", labels=True))
    with pytest.warns(ChromacordWarning, match="largest value is 2 of 255; are these labels"):
        dataset[0]


def test_only_the_first_frames_are_taken_where_that_is_asked_for(tmp_path: Path) -> None:
    assert open_clips(make_frames(tmp_path / "cat"), max_frames=2)[0].frames == ("00000", "00001")


def test_video_files_are_clips(tmp_path: Path) -> None:
    """Lossless RGB of 16 bits: code times 257 is the same colour. A mask may be a video or a still."""
    for kind in ("images", "masks", "real"):
        (tmp_path / "set" / kind).mkdir(parents=True)
    pictures, truths = ([deep_planes(make_real(name, index)) for index in range(4)] for name in "ab")
    for name in ("one", "two"):
        make_clip(tmp_path / f"set/images/{name}.mkv", frames=pictures, **DEEP_RGB)
        make_clip(tmp_path / f"set/real/{name}.mkv", frames=truths, **DEEP_RGB)
    masks = [[make_mask(1, index)] for index in range(4)]
    make_clip(tmp_path / "set/masks/one.mkv", codec="ffv1", pix_fmt="gray", frames=masks, colorimetry=FULL, size=SIZE)
    cv2.imwrite(str(tmp_path / "set/masks/two.png"), make_mask(1, 0))
    dataset = open_dataset(tmp_path / "set", size=None)
    assert dataset.names == ("set/one", "set/two")
    one, two = dataset[0], dataset[1]
    assert one.frames == ("00000", "00001", "00002", "00003")
    for index in range(4):
        assert np.array_equal((255 * one.composite[index]).round().numpy(), make_real("a", index).transpose(2, 0, 1))
        assert np.array_equal(255 * one.mask[index, 0].numpy(), make_mask(1, index))
        assert np.array_equal(255 * two.mask[index, 0].numpy(), make_mask(1, 0))
    assert one.real is not None
    assert np.array_equal((255 * one.real[3]).round().numpy(), make_real("b", 3).transpose(2, 0, 1))


def test_a_lossy_mask_video_is_cleaned_of_the_codec_noise(tmp_path: Path) -> None:
    for kind in ("images", "masks"):
        (tmp_path / "set" / kind).mkdir(parents=True)
    make_clip(tmp_path / "set/images/a.mp4", size=Size(64, 96), num_frames=3)
    disc = np.where(np.hypot(*np.mgrid[-32:32, -48:48]) < 20, 235, 16).astype(np.uint8)
    flat = np.full((32, 48), 128, np.uint8)
    make_clip(tmp_path / "set/masks/a.mp4", frames=[[disc, flat, flat]] * 3, options={"crf": "18"})
    mask = open_dataset(tmp_path / "set", size=None)[0].mask
    assert set(mask[:, :, :6].unique().tolist()) == {0.0}
    assert float(mask[:, :, 30:34, 40:56].min()) == 1.0


def test_a_mask_video_that_ends_early_is_named(tmp_path: Path) -> None:
    for kind in ("images", "masks"):
        (tmp_path / "set" / kind).mkdir(parents=True)
    make_clip(tmp_path / "set/images/a.mp4", num_frames=5)
    make_clip(tmp_path / "set/masks/a.mp4", num_frames=3)
    dataset = open_dataset(tmp_path / "set")
    with pytest.raises(MismatchError, match=r"masks/a.mp4: ends before frame 3 of .*images/a.mp4"):
        dataset[0]


def test_an_image_without_a_mask_is_named(tmp_path: Path) -> None:
    folder = make_frames(tmp_path / "cat")
    (folder / "masks/00001.png").unlink()
    with pytest.raises(MissingFileError, match=r"images/00001.jpg: has no mask of the same name"):
        open_dataset(folder)


def test_a_mask_of_another_size_is_refused(tmp_path: Path) -> None:
    folder = make_frames(tmp_path / "cat")
    cv2.imwrite(str(folder / "masks/00001.png"), np.zeros((20, 56), np.uint8))
    dataset = open_dataset(folder)
    with pytest.raises(MismatchError, match=r"cat frame 00001: the composite is 56x40, the mask 56x20"):
        dataset[0]


def test_frames_of_different_sizes_make_no_clip(tmp_path: Path) -> None:
    folder = make_frames(tmp_path / "cat")
    cv2.imwrite(str(folder / "images/00002.jpg"), np.zeros((20, 56, 3), np.uint8))
    cv2.imwrite(str(folder / "masks/00002.png"), np.zeros((20, 56), np.uint8))
    dataset = open_dataset(folder, size=None)
    with pytest.raises(MismatchError, match="cat frame 00002: differs in size"):
        dataset[0]


def test_what_is_no_data_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a known data set: HYouTube"):
        open_dataset(tmp_path)
    with pytest.raises(MissingFileError, match="aaa: no such folder"):
        open_dataset(tmp_path / ("a" * 300))
    with pytest.raises(MissingFileError, match="nothing: no such folder"):
        open_dataset(tmp_path / "nothing")


def test_a_manifest_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_text("name,price\nlamp,3\n")
    assert open_dataset(make_frames(tmp_path / "cat")).names == ("cat",)


def test_each_picture_may_be_a_clip_of_its_own_whatever_the_manifest_says(tmp_path: Path) -> None:
    make_frames(tmp_path / "pairs", real=True)
    (tmp_path / "manifest.csv").write_text("path,kind,mask,use\npairs,video,binary,\n")
    dataset = open_dataset(tmp_path / "pairs", size=None, stills=True)
    assert dataset.names == ("pairs/00000", "pairs/00001", "pairs/00002")
    video = open_dataset(tmp_path / "pairs", size=None)[0]
    for index, clip in enumerate(dataset):
        assert clip.frames == (f"{index:05d}",)
        assert clip.composite.equal(video.composite[index : index + 1])
        assert clip.real is not None
        assert video.real is not None
        assert clip.real.equal(video.real[index : index + 1])


@pytest.mark.parametrize(
    ("count", "frames", "spacing"),
    [(1, ["00005"], 10), (2, ["00002", "00007"], 5), (3, ["00001", "00005", "00008"], 3), (10, None, 1), (99, None, 1)],
)
def test_frames_are_picked_evenly(tmp_path: Path, count: int, frames: list[str] | None, spacing: int) -> None:
    make_frames(tmp_path / "cat", num_frames=10)
    clip = open_dataset(tmp_path / "cat", size=None).spread(count)[0]
    assert list(clip.frames) == (frames or [f"{index:05d}" for index in range(10)])
    assert clip.spacing == spacing
    assert len(clip.mask) == len(clip.frames)


def test_frames_of_a_video_file_cannot_be_picked_and_none_is_no_number(tmp_path: Path) -> None:
    for kind in ("images", "masks"):
        (tmp_path / "set" / kind).mkdir(parents=True)
    make_clip(tmp_path / "set/images/cat.mkv", **DEEP_RGB)
    make_clip(tmp_path / "set/masks/cat.mkv", **DEEP_RGB)
    with pytest.raises(InputError, match="set/cat: is a video file"):
        open_dataset(tmp_path / "set").spread(2)
    with pytest.raises(InputError, match="must be 1 or more, got 0"):
        open_dataset(tmp_path / "set").spread(0)


@pytest.mark.parametrize("place", [".", ".."], ids=["in the folder", "above it"])
@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("path,kind\nstill\xe9,still\n".encode("latin-1"), "it is no UTF-8 text"),
        ("path,kind\nc,still\n".encode("utf-16"), "it is no UTF-8 text"),
        (b'path,kind\n"' + b"a" * 140_000 + b'",still\n', "field larger than field limit"),
        (b"path,kind\nc,still\nc,video\n", "'c' appears twice; remove one row"),
    ],
)
def test_a_manifest_that_cannot_be_read_is_named(tmp_path: Path, place: str, content: bytes, said: str) -> None:
    make_frames(tmp_path / "set/c")
    (tmp_path / "set" / place / "manifest.csv").write_bytes(content)
    with pytest.raises(InputError, match=f"manifest.csv: .*{said}"):
        open_clips(tmp_path / "set")


def test_a_folder_without_a_manifest_is_told_to_write_one(tmp_path: Path) -> None:
    make_frames(tmp_path / "set/c")
    told = f"set: no manifest.csv says how to use its 1 clips; write {tmp_path}/set/manifest.csv: the line path,use"
    with pytest.raises(MissingFileError, match=f"{told}, and a line for each clip, as c,train$"):
        open_clips(tmp_path / "set", use="train")
    told += ",licence, and a line for each clip, as c,train,LICENCE; its licence is one of the recipe's, or any in"
    with pytest.raises(MissingFileError, match=told):
        open_clips(tmp_path / "set", use="train", licences=["CC0"])
    (tmp_path / "set/manifest.csv").write_text("path,use,licence\nc,train,CC0\n")
    assert open_clips(tmp_path / "set", use="train", licences=["CC0"]).clips


def test_of_clips_that_are_for_something_else_it_is_told_what_for(tmp_path: Path) -> None:
    make_frames(tmp_path / "set/c")
    (tmp_path / "set/manifest.csv").write_text("path,use,licence\nc,dev,own\n")
    with pytest.raises(MissingFileError, match=r"gives its clips the use 'dev', and none the use train"):
        open_clips(tmp_path / "set", use="train")
    with pytest.raises(
        MissingFileError, match=r"clips in manifest.csv \('own'\) are not among those .* takes \('CC0'\)"
    ):
        open_clips(tmp_path / "set", licences=["CC0"])
