"""Messages are one line, whatever the names in them hold."""

import pickle

import pytest

from chromacord.errors import ChromacordError, ChromacordWarning, MissingFileError, OutputExistsError, one_line


@pytest.mark.parametrize("kind", [ChromacordError, MissingFileError, OutputExistsError, ChromacordWarning])
def test_a_message_is_one_line(kind: type[Exception]) -> None:
    error = kind("a\nb\r\x1b[2J\x85\u2028c.mp4: no such file")
    assert str(error) == r"a\nb\r\x1b[2J\x85\u2028c.mp4: no such file"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    assert str(kind()) == ""


def test_text_stays_as_it_is() -> None:
    for text in ("Überfahrt 東京 \u202f👩\u200d🚀.mov", "x\udcff.mkv", "C:\\new"):
        assert one_line(text) == text
