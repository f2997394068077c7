"""Split a clip into chunks that can be rendered anywhere and joined."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from chromacord.errors import InputError
from chromacord.grade.keys import Grade
from chromacord.io.stills.patterns import is_image_output
from chromacord.io.video.decoding import key_frames
from chromacord.io.writing.joining import JOINABLE
from chromacord.job.options import Options, parse_chunk
from chromacord.types import VideoInfo


class Chunk(NamedTuple):
    """A half-open range of frames, counted from 0."""

    start: int
    stop: int


def split(start: int, stop: int, number: int, *, cuts: Sequence[int] = (), keys: Sequence[int] = ()) -> list[Chunk]:
    """Split frames into chunks of nearly equal length, moved to cuts or key frames that are near.

    The result depends on the arguments only, so that each machine finds the same chunks.

    Args:
        start, stop: the frames, half-open.
        number: number of chunks; at most one a frame is made.
        cuts: first frames of shots, in order. A border moves to one that is at most a quarter of a chunk away.
        keys: frames from which the clip can be decoded, in order. A border without such a cut moves to one of these.

    Returns:
        Chunks without gaps or overlaps; none is empty.
    """
    number = max(1, min(number, stop - start))
    reach = (stop - start) // (4 * number)
    borders = [start]
    for place in range(1, number):
        even = start + (stop - start) * place // number
        # A key frame at a cut costs the encoder nothing, and a change of its decisions is not seen there. At a key
        # frame of the input, no frame is decoded twice. A quarter of a chunk keeps lengths alike, and borders from
        # crossing.
        near = [*_near(cuts, even, reach), *_near(keys, even, reach), even]
        borders.append(near[0])
    return [Chunk(*pair) for pair in zip(borders, [*borders[1:], stop], strict=True)]


def _near(places: Sequence[int], frame: int, reach: int) -> list[int]:
    """Return those of the two places around a frame that are near, the nearest first."""
    after = bisect_left(places, frame)
    around = [place for place in places[max(after - 1, 0) : after + 1] if abs(place - frame) <= reach]
    return sorted(around, key=lambda place: abs(place - frame))


def chunks_of(info: VideoInfo, options: Options, grade: Grade, number: int) -> list[Chunk]:
    """Return the chunks of a clip.

    Args:
        info: properties of the composite.
        options: says which frames to render.
        grade: its shots are where chunks are cut, if possible.
        number: number of chunks.

    Raises:
        InputError: the number of frames is unknown.
    """
    start, end = options.range
    stop = info.num_frames if info.num_frames is not None else end
    if stop is None:
        raise InputError(f"{info.path}: does not state its number of frames; give --frames A:B")
    stop = stop if end is None else min(stop, end)
    cuts = [shot.start for shot in grade.shots[1:]]
    return split(start, max(stop, start + 1), number, cuts=cuts, keys=key_frames(info) if number > 1 else ())


def in_chunk(options: Options, info: VideoInfo, grade: Grade | None) -> Options:
    """Return the options with the frames of the requested chunk.

    Args:
        options: with a `chunk`.
        info: properties of the composite.
        grade: the grade to render.

    Raises:
        InputError: there is no grade to render, the length is unknown, or there are fewer frames than chunks.
    """
    assert options.chunk is not None
    place, number = parse_chunk(options.chunk)
    if grade is None:
        raise InputError(f"chunk {options.chunk}: needs the grade of the whole clip; give it with --grade-in")
    chunks = chunks_of(info, options, grade, number)
    if len(chunks) < number:
        raise InputError(f"chunk {options.chunk}: {info.path} has only {len(chunks)} frames; ask for fewer chunks")
    return replace(options, frames=(chunks[place - 1].start, chunks[place - 1].stop))


def why_whole(output: str | None, others: Sequence[str], options: Options) -> str | None:
    """Return why a clip cannot be rendered in chunks; None if it can.

    Args:
        output: the clip to write.
        others: names of the other outputs, as arguments of `harmonize_video`.
        options: how it is rendered.
    """
    if output is None:
        return "nothing is rendered"
    if not is_image_output(output) and Path(output).suffix.lower() not in JOINABLE:
        return f"parts of {Path(output).suffix} cannot be joined"
    bound = [name for name in others if name != "grade_out"]
    if bound:
        return f"{bound[0]} is written with the clip"
    if options.match_grain or options.match_sharpness or options.despill == "auto":
        return "the whole clip is measured"
    if options.salvage:
        return "a truncated clip ends at an unknown frame"
    return None
