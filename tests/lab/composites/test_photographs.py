"""Pictures for training: which are taken, at what size, with what weight, and how they are divided."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from chromacord.errors import InputError, MismatchError, MissingFileError
from chromacord.lab.composites.photographs import CLIP_WEIGHT, Photographs, load_photographs
from chromacord.types import Progress
from tests.lab.training.material import SIDE, disc, make_data, picture, write_manifest, write_still

FREE, BOUGHT, WALK = "still/free", "still/bought", "video/walk"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_data(tmp_path_factory.mktemp("data"))


def named(*names: str) -> Photographs:
    """Return photographs of these names without anything to see."""
    count = len(names)
    return Photographs(
        names,
        tuple(name.rpartition("/")[0] if name.startswith("video/") else name for name in names),
        torch.zeros(count, 3, 2, 2, dtype=torch.uint8),
        torch.zeros(count, 1, 2, 2, dtype=torch.uint8),
        torch.zeros(count, dtype=torch.bool),
        torch.arange(1.0, count + 1),
    )


def test_all_pictures_of_a_use_are_read(folder: Path) -> None:
    found = load_photographs(folder, side=24)
    assert found.sets() == {FREE: 7, BOUGHT: 7, WALK: 4}
    assert len(found) == 18
    assert found.names[0] == "still/bought/p0"
    assert found.names[-1] == "video/walk/00003"
    assert found.pictures.shape == (18, 3, 24, 24)
    assert found.masks.shape == (18, 1, 24, 24)
    assert found.pictures.dtype == found.masks.dtype == torch.uint8
    assert load_photographs(folder, side=24, use="dev").names == ("still/dev/p0",)
    assert len(load_photographs(folder, side=24, use=None)) == 19


def test_a_picture_of_the_right_size_keeps_its_codes(folder: Path) -> None:
    found = load_photographs(folder, side=SIDE)
    index = found.names.index("video/walk/00002")
    assert np.array_equal(found.pictures[index], picture(500).transpose(2, 0, 1))
    assert np.array_equal(found.masks[index, 0], disc(2))


def test_a_larger_picture_is_reduced_by_the_mean_of_areas(folder: Path) -> None:
    """A third of the side: each pixel is the mean of nine, rounded."""
    found = load_photographs(folder, side=16)
    index = found.names.index("still/free/p3")
    nines = picture(30 + len(FREE), 48).reshape(16, 3, 16, 3, 3).mean(axis=(1, 3)).transpose(2, 0, 1)
    assert np.abs(found.pictures[index].numpy() - nines).max() <= 0.5


def test_a_clip_counts_as_many_stills_however_long_it_is(folder: Path) -> None:
    found = load_photographs(folder, side=8)
    is_clip = torch.tensor([name.startswith(WALK) for name in found.names])
    assert float(found.weights[is_clip].sum()) == pytest.approx(CLIP_WEIGHT)
    assert set(found.weights[~is_clip].tolist()) == {1.0}


def test_only_pictures_of_the_licences_are_read(folder: Path) -> None:
    assert load_photographs(folder, side=8, licences=["CC0"]).sets() == {FREE: 7, WALK: 4}
    assert load_photographs(folder, side=8, licences=["CC0", "research only"]).sets() == {FREE: 7, BOUGHT: 7, WALK: 4}


def test_a_licence_is_the_whole_text_and_not_a_part_of_it(folder: Path) -> None:
    with pytest.raises(MissingFileError, match=r"are not among those that the recipe takes \('research'\)"):
        load_photographs(folder, side=8, licences=["research"])


def test_folders_can_be_left_out(folder: Path) -> None:
    assert load_photographs(folder, side=8, without=[BOUGHT, WALK]).sets() == {FREE: 7}


def test_a_folder_to_leave_out_that_is_not_there_is_named(folder: Path) -> None:
    with pytest.raises(MissingFileError, match="there is no folder still/bougth to exclude"):
        load_photographs(folder, side=8, without=["still/bougth"])


def test_where_nothing_is_left_one_line_says_so(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing is left without still/free, still/bought, video/walk; exclude"):
        load_photographs(folder, side=8, without=[FREE, BOUGHT, WALK])
    with pytest.raises(MissingFileError, match="none: no such folder"):
        load_photographs(tmp_path / "none", side=8)
    with pytest.raises(MissingFileError, match=r"gives its clips the use .*'train', and none the use test"):
        load_photographs(folder, side=8, use="test")


def test_labels_keep_their_values_and_are_marked(tmp_path: Path) -> None:
    labels = np.zeros((48, 48), np.uint8)
    labels[:23, :23], labels[31:, 11:39] = 3, 200
    write_still(tmp_path / "still/parts", "a", picture(1, 48), labels)
    write_still(tmp_path / "still/plain", "a", picture(1, 48), disc(1, 48))
    write_manifest(tmp_path, ["still/parts,still,labels,train,CC0", "still/plain,still,binary,train,CC0"])
    found = load_photographs(tmp_path, side=24)
    assert found.has_labels.tolist() == [True, False]
    assert np.array_equal(found.masks[0, 0], labels[::2, ::2])


def test_labels_of_more_than_a_byte_are_refused(tmp_path: Path) -> None:
    labels = np.full((48, 48), 300, np.uint16)
    for kind, codes in (("images", picture(1, 48)), ("masks", labels)):
        (tmp_path / "still/parts" / kind).mkdir(parents=True)
        cv2.imwrite(str(tmp_path / f"still/parts/{kind}/a.png"), codes)
    write_manifest(tmp_path, ["still/parts,still,labels,train,CC0"])
    with pytest.raises(InputError, match="still/parts/a: labels above 255 are not supported; renumber them"):
        load_photographs(tmp_path, side=24)


def test_a_mask_of_another_size_is_named(tmp_path: Path) -> None:
    write_still(tmp_path / "still/free", "a", picture(1, 48), disc(1, 40))
    write_manifest(tmp_path, ["still/free,still,binary,train,CC0"])
    with pytest.raises(MismatchError, match="still/free/a frame a: the composite is 48x48, the mask 40x40"):
        load_photographs(tmp_path, side=24)


def test_reading_tells_how_far_it_is(folder: Path) -> None:
    seen: list[Progress] = []
    load_photographs(folder, side=8, progress=seen.append)
    assert [(each.stage, each.done, each.total, each.unit) for each in seen] == [
        ("read", 1, 15, "clips"),
        ("read", 15, 15, "clips"),
    ]


NAMES = (
    *(f"still/free/{number:04d}" for number in range(2000)),
    *(f"video/c{clip:03d}/{frame:05d}" for clip in range(60) for frame in range(5)),
)


def test_pictures_held_out_are_about_the_share_and_never_trained_on() -> None:
    """Of 2000 stills, within four deviations of a draw with replacement: sqrt(2000 * 0.04 * 0.96) is 8.8."""
    trained, held_out = named(*NAMES).split(0.04)
    assert sorted(trained.names + held_out.names) == sorted(NAMES)
    assert not set(trained.names) & set(held_out.names)
    assert 80 - 35 < sum(name.startswith("still/") for name in held_out.names) < 80 + 35


def test_a_clip_goes_to_one_side_as_a_whole() -> None:
    trained, held_out = named(*NAMES).split(0.3)
    clips = [
        {name.rpartition("/")[0] for name in side.names if name.startswith("video/")} for side in (trained, held_out)
    ]
    assert clips[0]
    assert clips[1]
    assert not clips[0] & clips[1]


def test_the_side_depends_on_nothing_but_the_name() -> None:
    _, held_out = named(*NAMES).split(0.1)
    _, of_fewer = named(*NAMES[::-3]).split(0.1)
    assert set(of_fewer.names) == set(held_out.names) & set(NAMES[::-3])
    _, of_more = named(*NAMES).split(0.2)
    assert set(held_out.names) < set(of_more.names)


def test_nothing_or_everything_can_be_held_out() -> None:
    assert [len(side) for side in named(*NAMES[:9]).split(0.0)] == [9, 0]
    assert [len(side) for side in named(*NAMES[:9]).split(1.0)] == [0, 9]


def test_what_belongs_to_a_picture_goes_with_it() -> None:
    chosen = named("a", "b", "c").chosen(torch.tensor([False, True, True]))
    assert chosen.names == ("b", "c")
    assert chosen.weights.tolist() == [2, 3]
    assert len(chosen.pictures) == len(chosen.masks) == len(chosen.has_labels) == 2


def test_a_clip_outside_of_a_folder_called_video_is_no_bundle_of_stills(tmp_path: Path) -> None:
    for clip in ("a", "b"):
        for number in range(6):
            write_still(tmp_path / "takes" / clip, f"{number:05d}", picture(number), disc(number))
    found = load_photographs(tmp_path, side=16, use=None)
    assert set(found.clips) == {"takes/a", "takes/b"}
    for share in (0.2, 0.5, 0.8):
        trained, held_out = found.split(share)
        assert not set(trained.clips) & set(held_out.clips)
