from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from chromacord.grade.keys import Grade, Shot
from chromacord.io.video.video_source import VideoSource
from chromacord.job.chunking.chunks import Chunk, chunks_of, split, why_whole
from chromacord.job.options import Options
from tests.clips import make_clip

PLACES = st.lists(st.integers(0, 250), max_size=8)


@given(st.integers(0, 50), st.integers(1, 200), st.integers(1, 40), PLACES, PLACES)
def test_chunks_cover_all_frames_once(start: int, length: int, number: int, cuts: list[int], keys: list[int]) -> None:
    chunks = split(start, start + length, number, cuts=sorted(cuts), keys=sorted(keys))
    assert (chunks[0].start, chunks[-1].stop) == (start, start + length)
    assert all(before.stop == after.start for before, after in pairwise(chunks))
    assert all(chunk.start < chunk.stop for chunk in chunks)
    assert len(chunks) == min(number, length)


def test_a_border_moves_to_a_cut_that_is_near() -> None:
    assert split(0, 100, 2, cuts=[45]) == [Chunk(0, 45), Chunk(45, 100)]
    assert split(0, 100, 2, cuts=[20]) == [Chunk(0, 50), Chunk(50, 100)]


def test_a_border_without_a_cut_moves_to_a_key_frame() -> None:
    assert split(0, 100, 2, keys=[0, 30, 40, 58]) == [Chunk(0, 58), Chunk(58, 100)]
    assert split(0, 100, 2, keys=[0, 20, 80]) == [Chunk(0, 50), Chunk(50, 100)]
    assert split(0, 100, 2, cuts=[45], keys=[50]) == [Chunk(0, 45), Chunk(45, 100)]
    assert split(0, 100, 2, cuts=[50], keys=[48]) == [Chunk(0, 50), Chunk(50, 100)]


def test_chunks_of_a_clip_begin_where_it_can_be_decoded(tmp_path: Path) -> None:
    grade = Grade((Shot(0, 60, ()),), "mkl", "smooth", Fraction(25), 60)
    for name, borders in (("a.mp4", [0, 24, 36]), ("a.avi", [0, 20, 40])):  # AVI does not list them reliably
        clip = make_clip(tmp_path / name, num_frames=60, options={"g": "12", "bf": "3"})
        chunks = chunks_of(VideoSource(clip).info, Options(), grade, 3)
        assert [chunk.start for chunk in chunks] == borders


def test_what_depends_on_the_whole_clip_is_not_split() -> None:
    assert why_whole("a.mp4", ["grade_out"], Options()) is None
    assert why_whole("a.%04d.exr", [], Options()) is None
    assert why_whole("a.webm", [], Options()) == "parts of .webm cannot be joined"
    assert why_whole("a.mp4", ["preview"], Options()) == "preview is written with the clip"
    assert why_whole("a.mp4", [], Options(match_grain=True)) == "the whole clip is measured"
    assert why_whole(None, [], Options()) == "nothing is rendered"
