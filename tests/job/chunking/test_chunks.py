from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from chromacord.job.chunking.chunks import Chunk, split, why_whole
from chromacord.job.options import Options


@given(st.integers(0, 50), st.integers(1, 200), st.integers(1, 40), st.lists(st.integers(0, 250), max_size=8))
def test_chunks_cover_all_frames_once(start: int, length: int, number: int, cuts: list[int]) -> None:
    chunks = split(start, start + length, number, cuts=sorted(cuts))
    assert (chunks[0].start, chunks[-1].stop) == (start, start + length)
    assert all(before.stop == after.start for before, after in pairwise(chunks))
    assert all(chunk.start < chunk.stop for chunk in chunks)
    assert len(chunks) == min(number, length)


def test_a_border_moves_to_a_cut_that_is_near() -> None:
    assert split(0, 100, 2, cuts=[45]) == [Chunk(0, 45), Chunk(45, 100)]
    assert split(0, 100, 2, cuts=[20]) == [Chunk(0, 50), Chunk(50, 100)]


def test_what_depends_on_the_whole_clip_is_not_split() -> None:
    assert why_whole("a.mp4", ["grade_out"], Options()) is None
    assert why_whole("a.%04d.exr", [], Options()) is None
    assert why_whole("a.webm", [], Options()) == "parts of .webm cannot be joined"
    assert why_whole("a.mp4", ["preview"], Options()) == "preview is written with the clip"
    assert why_whole("a.mp4", [], Options(match_grain=True)) == "the whole clip is measured"
    assert why_whole(None, [], Options()) == "nothing is rendered"
