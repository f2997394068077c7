"""Sequences as clips: numbering, gaps, salvage, and outputs that appear whole or not at all."""

import os
import resource
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from chromacord.errors import (
    ChromacordWarning,
    CodecError,
    InputError,
    MismatchError,
    OutputError,
    OutputExistsError,
    SequenceGapError,
    TruncatedFileError,
    UnreadableFileError,
)
from chromacord.io import Encoding, open_sink, open_source
from chromacord.io.stills.sequence import SequenceSink
from chromacord.types import Alpha, Colorimetry, Frame, PixelFormat, Size
from tests.images import (
    DISPLAY,
    HEIGHT,
    RGB8,
    WIDTH,
    copy,
    noise,
    video_info,
    write,
    write_all,
)


def make_sequence(folder: Path, name: str, numbers: range | list[int]) -> Path:
    folder.mkdir(exist_ok=True)
    for number in numbers:
        write(folder / (name % number), noise(3, seed=number))
    return folder


def stacked(frame: Frame) -> np.ndarray[tuple[int, ...], np.dtype[np.generic]]:
    return np.stack(frame.planes, axis=-1)


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_sequence_is_a_clip_at_24_frames_a_second(tmp_path: Path) -> None:
    make_sequence(tmp_path, "shot.%04d.png", range(1001, 1004))
    source = open_source(tmp_path)
    info = source.info
    assert (info.num_frames, info.rate, info.time_base) == (3, 24, Fraction(1, 24))
    assert (info.codec, info.container, info.first_number) == ("png", "sequence", 1001)
    assert info.path == tmp_path / "shot.%04d.png"
    frames = list(source.frames())
    assert [(frame.index, frame.pts) for frame in frames] == [(0, 0), (1, 1), (2, 2)]
    for number, frame in enumerate(frames):
        np.testing.assert_array_equal(stacked(frame), noise(3, seed=1001 + number))
    assert open_source(tmp_path, rate=Fraction(30)).info.rate == 30


def test_a_still_is_a_clip_of_one_frame(tmp_path: Path) -> None:
    info = open_source(write(tmp_path / "plate.0007.png", noise(3))).info
    assert (info.num_frames, info.container, info.first_number) == (1, "still", 0)


def test_a_part_keeps_the_clips_own_count(tmp_path: Path) -> None:
    source = open_source(make_sequence(tmp_path, "a%d.png", range(5)))
    assert [frame.index for frame in source.frames(2, 4)] == [2, 3]
    assert [frame.index for frame in source.frames(4, 99)] == [4]


def test_a_gap_is_refused_or_held(tmp_path: Path) -> None:
    make_sequence(tmp_path, "a.%02d.png", [3, 4, 7])
    with pytest.raises(SequenceGapError, match=r"a\.05\.png"):
        open_source(tmp_path)
    frames = [stacked(frame) for frame in open_source(tmp_path, missing="hold").frames()]
    for frame, number in zip(frames, (3, 4, 4, 4, 7), strict=True):
        np.testing.assert_array_equal(frame, noise(3, seed=number))


def test_a_held_gap_is_written_under_its_own_numbers(tmp_path: Path) -> None:
    make_sequence(tmp_path / "in", "a.%02d.png", [3, 5])
    copy(open_source(tmp_path / "in", missing="hold"), tmp_path / "out/")
    assert files(tmp_path / "out") == ["a.03.png", "a.04.png", "a.05.png"]


def test_salvage_ends_the_clip_before_a_broken_file(tmp_path: Path) -> None:
    make_sequence(tmp_path, "a%d.png", range(4))
    (tmp_path / "a2.png").write_bytes((tmp_path / "a2.png").read_bytes()[:200])
    with pytest.warns(ChromacordWarning, match=r"a2\.png: is truncated.* ends before frame 2"):
        assert len(list(open_source(tmp_path / "a%d.png", salvage=True).frames())) == 2


def test_a_clip_of_which_nothing_is_left_cannot_be_salvaged(tmp_path: Path) -> None:
    still = write(tmp_path / "a.png", noise(3))
    still.write_bytes(still.read_bytes()[:200])
    with pytest.raises(TruncatedFileError, match=r"a\.png: is truncated.* frame 0 of the clip; render it again$"):
        list(open_source(still, salvage=True).frames())


def test_a_file_unlike_the_first_is_named(tmp_path: Path) -> None:
    make_sequence(tmp_path, "a%d.png", range(2))
    write(tmp_path / "a2.png", noise(4, "uint16"))
    with pytest.raises(MismatchError, match=r"a2\.png: is 18x12 16-bit rgb with straight alpha png, but a0\.png is"):
        open_source(tmp_path)
    with pytest.raises(MismatchError, match=r"a2\.png"):
        list(open_source(tmp_path / "a%d.png").frames())


def test_a_rate_for_a_video_or_below_zero_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="own frame rate"):
        open_source(tmp_path / "a.mp4", rate=Fraction(24))
    with pytest.raises(InputError, match="above 0"):
        open_source(write(tmp_path / "a.png", noise(3)), rate=Fraction(0))


class TestSink:
    def test_numbers_follow_the_source_also_in_a_part(self, tmp_path: Path) -> None:
        source = open_source(make_sequence(tmp_path / "in", "a.%03d.png", range(10, 16)))
        with open_sink(tmp_path / "b.%04d.tif", source.info, trimmed=True) as sink:
            for frame in source.frames(2, 4):
                sink.write(frame)
            sink.commit()
        assert files(tmp_path) == ["b.0012.tif", "b.0013.tif", "in"]

    def test_nothing_is_seen_before_commit_and_nothing_is_left_after_discard(self, tmp_path: Path) -> None:
        source = open_source(make_sequence(tmp_path / "in", "a%d.png", range(2)))
        (tmp_path / "out").mkdir()
        with open_sink(tmp_path / "out", source.info) as sink:
            sink.write(next(source.frames()))
            assert [name for name in files(tmp_path / "out") if not name.startswith(".")] == []
        assert files(tmp_path / "out") == []

    def test_an_output_that_exists_is_replaced_only_on_request(self, tmp_path: Path) -> None:
        source = open_source(make_sequence(tmp_path / "in", "a%d.png", range(2)))
        make_sequence(tmp_path / "out", "a%d.png", range(3))
        with pytest.raises(OutputExistsError, match="3 such file"):
            open_sink(tmp_path / "out", source.info)
        with pytest.warns(ChromacordWarning, match="1 file of an earlier sequence"):
            copy(source, tmp_path / "out", force=True)
        assert files(tmp_path / "out") == ["a0.png", "a1.png", "a2.png"]

    def test_parts_of_one_sequence_may_be_written_one_by_one(self, tmp_path: Path) -> None:
        source = open_source(make_sequence(tmp_path / "in", "a%d.png", range(4)))
        for start in (0, 2):
            with open_sink(tmp_path / "out/", source.info, trimmed=True) as sink:
                for frame in source.frames(start, start + 2):
                    sink.write(frame)
                sink.commit()
        assert files(tmp_path / "out") == ["a0.png", "a1.png", "a2.png", "a3.png"]
        with open_sink(tmp_path / "out/", source.info, trimmed=True) as sink, pytest.raises(OutputExistsError):
            sink.write(next(source.frames()))

    def test_an_input_is_never_written_over(self, tmp_path: Path) -> None:
        make_sequence(tmp_path, "a%d.png", range(2))
        with pytest.raises(OutputExistsError, match="also an input"):
            open_sink(tmp_path, open_source(tmp_path).info, force=True)

    def test_settings_of_video_codecs_are_said_to_be_ignored(self, tmp_path: Path) -> None:
        source = open_source(write(tmp_path / "a.png", noise(3)))
        with pytest.warns(ChromacordWarning, match="images have no codec and no crf; ignored"):
            open_sink(tmp_path / "b.png", source.info, encoding=Encoding("h264", 12)).discard()

    def test_one_image_holds_one_frame(self, tmp_path: Path) -> None:
        source = open_source(make_sequence(tmp_path / "in", "a%d.png", range(2)))
        with pytest.raises(OutputError, match=r"use .*out\.%04d\.png"):
            open_sink(tmp_path / "out.png", source.info)
        unknown = replace(source.info, num_frames=None)
        with open_sink(tmp_path / "out.png", unknown) as sink, pytest.raises(OutputError, match=r"out\.%04d\.png"):
            write_all(source, sink)
        assert files(tmp_path) == ["in"]

    @pytest.mark.parametrize(
        ("source", "ending", "target"),
        [
            (PixelFormat("yuv", 8, subsampling=(1, 1)), ".png", (8, False)),
            (PixelFormat("yuv", 10), ".png", (16, False)),
            (PixelFormat("rgb", 12), ".tif", (16, False)),
            (PixelFormat("yuv", 10), ".dpx", (10, False)),
            (PixelFormat("rgb", 12), ".dpx", (12, False)),
            (PixelFormat("yuv", 10), ".exr", (16, True)),
            (PixelFormat("rgb", 12), ".exr", (32, True)),
            (PixelFormat("rgb", 32, is_float=True), ".exr", (32, True)),
            (PixelFormat("rgb", 16, is_float=True), ".tif", (32, True)),
            (PixelFormat("rgb", 16, is_float=True), ".png", (16, False)),
        ],
    )
    def test_the_format_holds_the_sources_depth(
        self, tmp_path: Path, source: PixelFormat, ending: str, target: tuple[int, bool]
    ) -> None:
        colors = Colorimetry(1, 1, 1, full_range=False) if source.model == "yuv" else DISPLAY
        size = Size(HEIGHT, WIDTH)
        planes = tuple(np.full(size, 0.25 if source.is_float else 99, source.dtype) for _ in range(3))
        if source.subsampling == (1, 1):
            planes = (planes[0], planes[1][::2, ::2], planes[2][::2, ::2])
        with open_sink(
            tmp_path / f"a{ending}", video_info(source, replace(colors, scene_linear=source.is_float))
        ) as sink:
            sink.write(Frame(planes, 0))
            sink.commit()
        written = open_source(tmp_path / f"a{ending}").info.pixel_format
        assert (written.depth, written.is_float) == target

    @pytest.mark.parametrize("depth", [10, 16])
    def test_jpeg_refuses_what_it_cannot_hold(self, tmp_path: Path, depth: int) -> None:
        with pytest.raises(CodecError, match=rf"cannot hold {depth}-bit values; write \.png"):
            open_sink(tmp_path / "a.jpg", video_info(PixelFormat("rgb", depth), DISPLAY))
        with pytest.raises(CodecError, match="alpha"):
            open_sink(tmp_path / "a.jpg", video_info(replace(RGB8, alpha=Alpha.STRAIGHT), DISPLAY))

    def test_an_unknown_ending_lists_the_known_ones(self, tmp_path: Path) -> None:
        with pytest.raises(CodecError, match=r"\.png, \.tif"):
            SequenceSink(tmp_path / "a.webp", video_info(RGB8, DISPLAY))

    @pytest.mark.parametrize("limited", ["while encoding", "while writing"])
    @pytest.mark.parametrize("ending", [".png", ".tif", ".exr", ".dpx", ".jpg"])
    def test_a_full_disk_is_an_error_that_leaves_nothing(self, tmp_path: Path, ending: str, limited: str) -> None:
        """A limit on file sizes stands in for a full disk: the kernel fails the write in the same way."""
        code = (
            "import resource, signal, sys; from pathlib import Path; import numpy as np;"
            "from chromacord.io import open_sink; from chromacord.types import Frame, PixelFormat, Size;"
            "from chromacord.errors import OutputError; from tests.images import video_info, DISPLAY;"
            "signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
            "planes = tuple(np.random.default_rng(0).integers(0, 256, (200, 200)).astype(np.uint8) for _ in range(3));"
            f"sink = open_sink(Path(sys.argv[1]) / 'a{ending}', video_info(PixelFormat('rgb'), DISPLAY));"
            "import chromacord.io.stills.image_encoding as writer; encode = writer._encode\n"
            "def limit(): resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))\n"
            "def limited(*arguments):\n"
            "    reason = encode(*arguments)\n"
            "    limit()\n"
            "    return reason\n"
            f"if {limited == 'while encoding'}:\n    limit()\n"
            "writer._encode = limited\n"
            "try:\n"
            "    with sink: sink.write(Frame(planes, 0))\n"
            "except OutputError as error:\n"
            "    print(error)\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True, timeout=120
        )
        is_reported = limited == "while encoding" and ending in (".tif", ".exr", ".dpx")  # in OpenImageIO's words
        assert f"a{ending}: cannot be written: {'' if is_reported else 'File too large'}" in done.stdout
        assert files(tmp_path) == []

    def test_a_jpeg_is_the_same_where_the_size_of_files_is_limited(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write(tmp_path / "a.png", np.random.default_rng(0).integers(0, 256, (201, 3000, 3), dtype=np.uint8))
        source = open_source(tmp_path / "a.png")
        copy(source, tmp_path / "b.jpg")
        monkeypatch.setattr(resource, "getrlimit", lambda _: (1 << 30, 1 << 30))
        copy(source, tmp_path / "c.jpg")
        assert (tmp_path / "b.jpg").read_bytes() == (tmp_path / "c.jpg").read_bytes()

    def test_a_name_that_is_no_text_is_written_and_refused_when_read(self, tmp_path: Path) -> None:
        name = os.fsdecode(b"x\xff.png")
        with open_sink(tmp_path / name, video_info(RGB8, DISPLAY)) as sink:
            sink.write(Frame(tuple(np.zeros((HEIGHT, WIDTH), np.uint8) for _ in range(3)), 0))
            sink.finish()
            sink.commit()
        assert files(tmp_path) == [name]
        with pytest.raises(UnreadableFileError, match="its name is not valid UTF-8"):
            open_source(tmp_path / name)


def test_memory_does_not_grow_with_the_length(tmp_path: Path) -> None:
    """Each picture is 12 MB as float; fifty of them must not be held."""
    pixels = np.zeros((1000, 1000, 3), np.float32)
    for number in range(50):
        write(tmp_path / f"a.{number:02}.exr", pixels, "half")
    source = open_source(tmp_path)
    frames = source.frames()
    for _ in range(5):
        next(frames)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with open_sink(tmp_path / "b.%02d.exr", source.info) as sink:
        for frame in frames:
            sink.write(frame)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 120 * 1024


def test_an_output_without_an_ending_is_said_to_become_a_folder(tmp_path: Path) -> None:
    info = video_info(RGB8, DISPLAY)
    with pytest.warns(
        ChromacordWarning, match=r"out: has no extension, so a folder of images is written, .*frame\.%06d"
    ):
        open_sink(tmp_path / "out", info).discard()


@pytest.mark.parametrize("asked", ["made", "new/"])
def test_a_folder_that_is_meant_is_not_explained(tmp_path: Path, asked: str, recwarn: pytest.WarningsRecorder) -> None:
    (tmp_path / "made").mkdir()
    open_sink(f"{tmp_path}/{asked}", video_info(RGB8, DISPLAY)).discard()
    assert not recwarn.list
