from pathlib import Path

import numpy as np
import pytest

from chromacord.errors import InputError
from chromacord.lab.data import open_dataset
from chromacord.lab.data.adjusted import adjust_clips, adjust_codes
from tests.lab.evaluation.scored_set import make_set

MIDDLE = np.full((2, 3, 3), 128, np.uint8)


def test_the_foreground_is_rounded_to_codes_and_the_background_is_left_alone() -> None:
    mask = np.array([[255, 255, 0], [0, 0, 0]], np.uint8)
    # Code 128 holds 0.215861 of light; half of it is code 92.43.
    expected = np.where(mask[..., None] > 0, 92, 128)
    assert np.array_equal(adjust_codes(MIDDLE, mask, "darker-1"), np.broadcast_to(expected, (2, 3, 3)))
    assert np.array_equal(MIDDLE, np.full((2, 3, 3), 128))


def test_the_mask_is_the_weight() -> None:
    mask = np.array([[51, 102, 204], [0, 1, 255]], np.uint8)
    # From 128 to 92 by a fifth, two fifths and four fifths.
    expected = [[121, 114, 99], [128, 128, 92]]
    assert adjust_codes(MIDDLE, mask, "darker-1")[..., 0].tolist() == expected


def test_a_deep_mask_counts_as_a_shallow_one() -> None:
    mask = np.array([[51, 102, 204], [0, 1, 255]], np.uint8)
    deep = mask.astype(np.uint16) * 257
    assert np.array_equal(adjust_codes(MIDDLE, deep, "warmer"), adjust_codes(MIDDLE, mask, "warmer"))


def test_each_clip_gives_one_for_each_adjustment_with_itself_as_the_truth(tmp_path: Path) -> None:
    footage = make_set(tmp_path / "set", offsets={"cat": 0, "dog": 0}, num_frames=2, with_real=False)
    source = open_dataset(footage, size=None)
    found = adjust_clips(source, ("warmer", "unchanged"), name="adjust-dev", size=None)
    assert found.name == "adjust-dev"
    assert found.names == ("cat/warmer", "cat/unchanged", "dog/warmer", "dog/unchanged")
    for index, clip in enumerate(found):
        original = source[index // 2]
        assert clip.real is not None
        assert clip.real.equal(original.composite)
        assert clip.mask.equal(original.mask)
        changed = (clip.composite != clip.real).any(dim=1, keepdim=True)
        assert changed.any() == clip.name.endswith("warmer")
        assert not (changed & (clip.mask == 0)).any()


def test_real_frames_are_adjusted_where_a_clip_has_them(tmp_path: Path) -> None:
    footage = make_set(tmp_path / "set", offsets={"cat": 9}, num_frames=1)
    source = open_dataset(footage, size=None)[0]
    clip = adjust_clips(open_dataset(footage, size=None), ("unchanged",), name="same", size=None)[0]
    assert source.real is not None
    assert clip.real is not None
    assert clip.composite.equal(source.real)
    assert clip.real.equal(source.real)


def test_data_sets_of_other_adjustments_have_other_fingerprints(tmp_path: Path) -> None:
    source = open_dataset(make_set(tmp_path / "set", offsets={"cat": 0}), size=None)
    prints = {adjust_clips(source, (name,), name="x", size=None).fingerprint for name in ("warmer", "cooler")}
    assert len(prints) == 2


def test_an_unknown_adjustment_is_refused_with_those_that_exist(tmp_path: Path) -> None:
    source = open_dataset(make_set(tmp_path / "set", offsets={"cat": 0}), size=None)
    with pytest.raises(InputError, match=r"no adjustment 'bluer'; choose one of darker-1, .*unchanged"):
        adjust_clips(source, ("bluer",), name="x", size=None)
