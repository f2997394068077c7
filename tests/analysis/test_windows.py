import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chromacord.analysis.windows import windows
from chromacord.methods.base import Window


def test_ends_of_a_shot_are_filled_with_its_first_and_last_item() -> None:
    cut = list(windows("abcde", Window(past=1, hop=2, future=1)))
    assert ["".join(window.items) for window in cut] == ["aabc", "bcde", "deee"]
    assert ["".join(window.hop) for window in cut] == ["ab", "cd", "e"]


def test_single_frames_are_their_own_windows() -> None:
    assert [(w.items, w.hop) for w in windows("ab", Window())] == [(["a"], ["a"]), (["b"], ["b"])]


@given(st.integers(0, 12), st.integers(0, 3), st.integers(1, 3), st.integers(0, 3))
def test_every_item_comes_out_once_with_its_neighbours(count: int, past: int, hop: int, future: int) -> None:
    cut = list(windows(range(count), Window(past, hop, future)))
    assert list(itertools.chain(*(window.hop for window in cut))) == list(range(count))
    for number, window in enumerate(cut):
        expected = [min(max(number * hop + k, 0), count - 1) for k in range(-past, hop + future)]
        assert window.items == expected


@pytest.mark.parametrize(("past", "hop", "future"), [(0, 1, 0), (2, 1, 2), (0, 2, 1)])
def test_no_more_is_read_than_the_window_declares(past: int, hop: int, future: int) -> None:
    read = []

    def source():
        for item in range(20):
            read.append(item)
            yield item

    cut = windows(source(), Window(past, hop, future))
    next(cut)
    assert len(read) == hop + future
    next(cut)
    assert len(read) == 2 * hop + future
