"""Session files."""

import json
from pathlib import Path

import pytest

from chromacord.errors import InputError
from chromacord.types import Encoding
from chromacord.ui.session import Session, is_session, names_file, read_session, session_text

PARTS = {
    "clip": {"composite": "/a/comp.mp4", "mask": "alpha"},
    "options": {"exposure": 0.5, "strength": "tone=0.5,colour=1.0", "frames": [3, 9], "method": "mkl"},
    "encoding": {"codec": "h264", "crf": 20},
    "outputs": {"output": "/b/out.mp4"},
}


def test_a_session_reads_as_it_was_written(tmp_path: Path) -> None:
    session = Session(**PARTS)
    path = tmp_path / "s.json"
    path.write_text(session_text(session, tmp_path))
    assert is_session(path)
    assert read_session(path) == session
    assert session.how.frames == (3, 9)
    assert session.how.encoding == Encoding("h264", 20)
    assert session.how.hand.strength.tone == 0.5


def test_paths_inside_the_folder_move_with_it(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    session = Session(
        {"composite": str(old / "comp.mp4"), "mask": "/elsewhere/m.mp4"}, outputs={"output": str(old / "o.mp4")}
    )
    (old / "s.json").write_text(session_text(session, old))
    old.rename(new)
    moved = read_session(new / "s.json")
    assert dict(moved.clip) == {"composite": str(new / "comp.mp4"), "mask": "/elsewhere/m.mp4"}
    assert dict(moved.outputs) == {"output": str(new / "o.mp4")}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": "x"}, "is not a chromacord session"),
        ({"version": 2}, "has version 2, this chromacord reads 1"),
        ({"version": True}, "has version True"),
        ({"clip": {"composit": "a"}}, "did you mean composite"),
        ({"clip": {"composite": 3}}, "is not the path of a file"),
        ({"options": {"exposure": 11}}, "exposure must lie in -10..10"),
        ({"options": {"encoding": {}}}, '"options" holds'),
        ({"options": []}, "give values by name"),
        ({"encoding": {"crf": "x"}}, "crf"),
    ],
)
def test_a_wrong_session_is_told_in_one_line(tmp_path: Path, change: dict[str, object], said: str) -> None:
    path = tmp_path / "s.json"
    path.write_text(json.dumps({"format": "chromacord session", "version": 1, **PARTS, **change}))
    with pytest.raises(InputError) as error:
        read_session(path)
    assert str(error.value).startswith(f"{path}: ")
    assert said in str(error.value)


def test_words_and_numbers_are_no_files() -> None:
    assert not any(
        names_file(*each) for each in (("cuts", "24, 48"), ("cuts", "none"), ("mask", "alpha"), ("alpha", "auto"))
    )
    assert all(
        names_file(*each) for each in (("cuts", "a"), ("cuts", "/etc/passwd"), ("mask", "auto"), ("composite", "7"))
    )


def test_other_files_are_no_sessions(tmp_path: Path) -> None:
    (tmp_path / "grade.json").write_text('{"format": "chromacord grade"}')
    assert not is_session(tmp_path / "grade.json")
    assert not is_session(tmp_path / "none.json")
    assert not is_session(tmp_path)
