"""Clips from pipes and into pipes, as processes of their own."""

import io
import os
import pty
import subprocess
import sys
import threading
from pathlib import Path

import av
import numpy as np
import pytest

from tests.footage import decoded, make_composite, make_mask, planes_of

COMMAND = [sys.executable, "-c", "from chromacord.cli import main; main()", "harmonize"]


def run(*arguments: object, **options: object) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run([*COMMAND, *map(str, arguments)], capture_output=True, check=False, **options)  # type: ignore[call-overload,no-any-return]


def pictures(data: bytes, suffix: str) -> list[list[np.ndarray]]:
    with av.open(io.BytesIO(data), format=suffix) as container:
        return [planes_of(frame) for frame in container.decode(video=0)]


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a composite, its mask, and the result in a file."""
    folder = tmp_path_factory.mktemp("piped")
    make_composite(folder / "comp.mkv", num_frames=6)
    make_mask(folder / "mask.mkv", num_frames=6)
    done = run("comp.mkv", "--mask", "mask.mkv", "-o", "file.mkv", "--codec", "ffv1", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize(("codec", "demuxer"), [((), "yuv4mpegpipe"), (("--codec", "ffv1"), "matroska")])
def test_pipes_give_what_files_give(rendered: Path, codec: tuple[str, ...], demuxer: str) -> None:
    composite = (rendered / "comp.mkv").read_bytes()
    done = run("-", "--mask", "mask.mkv", "-o", "-", *codec, cwd=rendered, input=composite)
    assert done.returncode == 0, done.stderr
    assert b"-: 6 frames, 1 shot, shotgrade" in done.stderr
    for got, wanted in zip(pictures(done.stdout, demuxer), decoded(rendered / "file.mkv"), strict=True):
        assert all(map(np.array_equal, got, wanted))


def test_two_named_pipes_that_one_program_feeds(rendered: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "comp")
    os.mkfifo(tmp_path / "mask")

    def feed() -> None:
        with (tmp_path / "mask").open("wb") as mask, (tmp_path / "comp").open("wb") as composite:
            composite.write((rendered / "comp.mkv").read_bytes())
            mask.write((rendered / "mask.mkv").read_bytes())

    writer = threading.Thread(target=feed, daemon=True)
    writer.start()
    done = run("comp", "--mask", "mask", "-o", "out.y4m", cwd=tmp_path, timeout=120)
    assert done.returncode == 0, done.stderr
    for got, wanted in zip(decoded(tmp_path / "out.y4m"), decoded(rendered / "file.mkv"), strict=True):
        assert all(map(np.array_equal, got, wanted))


@pytest.mark.parametrize("depth", [10, 16])
def test_y4m_keeps_depth_and_rate(tmp_path: Path, depth: int) -> None:
    make_composite(tmp_path / "comp.mkv", f"yuv444p{depth}le", num_frames=3, codec="ffv1")
    make_mask(tmp_path / "mask.mkv", num_frames=3)
    done = run("comp.mkv", "--mask", "mask.mkv", "-o", "-", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    with av.open(io.BytesIO(done.stdout), format="yuv4mpegpipe") as container:
        stream = container.streams.video[0]
        assert stream.codec_context.pix_fmt == f"yuv444p{depth}le"
        with av.open(str(tmp_path / "comp.mkv")) as source:
            assert stream.average_rate == source.streams.video[0].average_rate


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("-", "--mask", "-", "-o", "-"), b"error: -: is the composite and the mask, but a pipe is read once"),
        (("-", "--mask", "mask.mkv", "-o", "x.mkv"), b"error: -: gave no data; check the program that writes to it"),
        (("comp.mkv", "comp.mkv", "--mask", "mask.mkv", "-o", "-"), b"error: -: is one output for 2 clips"),
        (
            ("comp.mkv", "-", "--mask", "mask.mkv", "-o", "x{name}.mkv"),
            b"error: -: only harmonize, grade and apply read standard input",
        ),
        (("comp.mkv", "--mask", "mask.mkv", "-o", "x.mkv", "--foreground-out", "-"), b"error: -: "),
        (("http://localhost/c.mp4", "--mask", "mask.mkv", "-o", "-"), b"http://localhost/c.mp4: is a URL; download"),
    ],
)
def test_bad_pipes_are_refused_in_one_line(rendered: Path, arguments: tuple[str, ...], said: bytes) -> None:
    done = run(*arguments, cwd=rendered, input=b"")
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count(b"\n") == 1
    assert not done.stdout
    assert not (rendered / "x.mkv").exists()


def test_errors_and_warnings_name_the_pipe_and_not_its_copy(rendered: Path, tmp_path: Path) -> None:
    make_mask(tmp_path / "other.mkv", num_frames=4)
    asked = ("comp.mkv", "--mask", "-", "-o", tmp_path / "x.mkv")
    done = run(*asked, cwd=rendered, input=(tmp_path / "other.mkv").read_bytes())
    assert (done.returncode, done.stderr.count(b"\n")) == (2, 1)
    assert done.stderr.startswith(b"error: -: the mask has 4 frames")
    done = run(*asked, cwd=rendered, input=(rendered / "comp.mkv").read_bytes())
    assert done.returncode == 0, done.stderr
    assert b"warning: -: the mask looks like the picture itself" in done.stderr
    assert b"/chromacord-" not in done.stderr


def test_a_timeline_of_a_pipe_is_refused(rendered: Path, tmp_path: Path) -> None:
    asked = ("-", "--mask", "mask.mkv", "-o", tmp_path / "x.mkv", "--lut-out", tmp_path / "x.otio")
    done = run(*asked, cwd=rendered, input=(rendered / "comp.mkv").read_bytes())
    assert (done.returncode, done.stderr.count(b"\n")) == (2, 1)
    assert b"x.otio: a timeline names the clip's file, but - is a pipe; write an .edl" in done.stderr
    assert not list(tmp_path.iterdir())


def test_standard_output_holds_nothing_but_the_clip(rendered: Path) -> None:
    done = run("comp.mkv", "--mask", "mask.mkv", "-o", "-", "--log-json", cwd=rendered)
    assert done.returncode == 2
    assert b"--log-json prints on standard output too" in done.stdout
    main_end, end = pty.openpty()
    try:
        shown = subprocess.run(
            [*COMMAND, "comp.mkv", "--mask", "mask.mkv", "-o", "-"],
            cwd=rendered, stdout=end, stderr=subprocess.PIPE, check=False,
        )  # fmt: skip
    finally:
        os.close(end)
        os.close(main_end)
    assert shown.returncode == 2
    assert shown.stderr == b"error: -: standard output is a terminal; pipe it into a program, or name a file\n"


def test_a_reader_that_leaves_is_told_in_one_line(tmp_path: Path) -> None:
    make_composite(tmp_path / "comp.mkv", num_frames=40, codec="ffv1")
    make_mask(tmp_path / "mask.mkv", num_frames=40)
    left, end = os.pipe()
    os.close(left)
    command = [*COMMAND, "comp.mkv", "--mask", "mask.mkv", "-o", "-"]
    done = subprocess.run(command, cwd=tmp_path, stdout=end, stderr=subprocess.PIPE, check=False)
    os.close(end)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == b"error: -: cannot be written: Broken pipe; nothing was kept"
