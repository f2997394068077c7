import os
import socket
from pathlib import Path

import pytest

from chromacord.errors import InputError, OutputError, OutputExistsError
from chromacord.io import open_sink, open_source
from chromacord.io.writing.places import Places, check_input, check_output_path, is_same_file, place_of
from tests.clips import make_clip

PIPE, SOCKET, LONG = "pipe.mp4", "socket.mp4", "n" * 300 + ".mp4"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the working folder, with files and links to them."""
    monkeypatch.chdir(tmp_path)
    os.mkfifo(PIPE)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(SOCKET)
    Path("clip.mp4").touch()
    Path("link.mp4").symlink_to("clip.mp4")
    Path("hard.mp4").hardlink_to("clip.mp4")
    Path("frames").mkdir()
    for number in range(3):
        Path(f"frames/f.{number:04d}.png").touch()
    Path("links").mkdir()
    Path("links/a.1.png").symlink_to("../frames/f.0001.png")
    Path("dot").symlink_to(".")
    return tmp_path


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("-", r"^-: only harmonize, grade and apply read standard input, for one clip; save it to a file first$"),
        ("https://example.org/a.mp4", r"^https://example.org/a.mp4: is a URL; download the file first"),
        (Path("https://example.org/a.mp4"), r"^https://example.org/a.mp4: is a URL"),
        ("file:///no/a.mp4", r"^file:///no/a.mp4: is a URL"),
        (PIPE, "is a pipe, which cannot be read twice"),
        (SOCKET, "is a socket; name a file"),
        ("/dev/zero", "is a device; name a file"),
        (LONG, "cannot be read: File name too long"),
        ("a\0b", "cannot be read: embedded null"),
    ],
)
def test_what_is_no_input_is_refused_in_one_line(name: Path | str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        check_input(name)
    with pytest.raises(InputError, match=said):
        open_source(name)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("https://example.org/a.mp4", r"^https://example.org/a.mp4: is a URL; write to a file and upload it$"),
        (PIPE, r"is a pipe; name a file$"),
        (SOCKET, r"is a socket; name a file$"),
        ("/dev/null", r"is a device; name a file$"),
        (LONG, "cannot be written: File name too long"),
    ],
)
def test_what_is_no_output_is_refused_in_one_line(name: str, said: str) -> None:
    with pytest.raises(OutputError, match=said):
        check_output_path(name)
    source = open_source(make_clip(Path("real.mkv"), num_frames=1))
    with pytest.raises(OutputError, match=said):
        open_sink(name, source.info, force=True)


@pytest.mark.usefixtures("folder")
def test_names_with_a_colon_and_what_is_missing_pass() -> None:
    for name in ("clip.mp4", "frames", "none.mp4", "none/none.mp4", "shot:1.mp4", "clip.mp4/under.mp4"):
        check_input(name)
        check_output_path(name)
    Path("http:").mkdir()
    check_output_path("http://a.mp4")


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("clip.mp4", "link.mp4"),
        ("clip.mp4", "hard.mp4"),
        ("clip.mp4", "dot/frames/../clip.mp4"),
        ("new.mp4", "dot/new.mp4"),
        ("new.mp4", "frames/../new.mp4"),
        ("new/new.mp4", "dot/dot/new/new.mp4"),
        ("frames/f.%04d.png", "links/a.%d.png"),
        ("frames/f.%04d.png", "dot/frames/f.####.png"),
        ("frames/f.0001.png", "links/a.%d.png"),
        ("frames/new.%04d.png", "dot/frames/new.%d.png"),
        ("frames/new.%04d.png", "frames/new.0007.png"),
    ],
)
def test_names_that_lead_to_one_file_are_found(one: str, other: str) -> None:
    for first, second in ((one, other), (other, one)):
        places: Places[str] = Places()
        places.add(place_of(Path(first)), "owner")
        assert places.find(place_of(Path(second))) == "owner"
    if "%" not in one + other:
        assert is_same_file(Path(one), Path(other))


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("clip.mp4", "new.mp4"),
        ("new.mp4", "frames/new.mp4"),
        ("frames/f.%04d.png", "frames/g.%04d.png"),
        ("frames/f.0000.png", "links/a.%d.png"),
        ("new/a.mp4", "new/b.mp4"),
    ],
)
def test_names_of_different_files_are_none(one: str, other: str) -> None:
    places: Places[str] = Places()
    places.add(place_of(Path(one)), "owner")
    assert places.find(place_of(Path(other))) is None


@pytest.mark.usefixtures("folder")
def test_no_name_of_an_input_is_written_over_by_force() -> None:
    source = open_source(make_clip(Path("real.mkv"), num_frames=1))
    Path("also.mkv").symlink_to("real.mkv")
    with pytest.raises(OutputExistsError, match=r"also.mkv: is also an input"):
        open_sink("also.mkv", source.info, force=True)
    with pytest.raises(OutputExistsError, match=r"link.mp4: is also an input"):
        open_sink("link.mp4", source.info, force=True, inputs=[Path("hard.mp4")])
