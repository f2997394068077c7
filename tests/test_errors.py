"""Messages are one line, whatever the names in them hold."""

import ast
import pickle
import re
from pathlib import Path

import pytest

from chromacord.errors import ChromacordError, ChromacordWarning, MissingFileError, OutputExistsError, counted, one_line


@pytest.mark.parametrize("kind", [ChromacordError, MissingFileError, OutputExistsError, ChromacordWarning])
def test_a_message_is_one_line(kind: type[Exception]) -> None:
    error = kind("a\nb\r\x1b[2J\x85\u2028c.mp4: no such file")
    assert str(error) == r"a\nb\r\x1b[2J\x85\u2028c.mp4: no such file"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    assert str(kind()) == ""


def test_text_stays_as_it_is() -> None:
    for text in ("Überfahrt 東京 \u202f👩\u200d🚀.mov", "x\udcff.mkv", "C:\\new"):
        assert one_line(text) == text


def test_messages_speak_of_options_and_not_of_arguments_too() -> None:
    """They are read on the command line more often; an argument is called as its option."""
    package = Path(__file__).parent.parent / "src/chromacord"
    both = re.compile(r"--[a-z-]+( [A-Z]+)? \([a-z_]+=")
    for path in package.rglob("*.py"):
        texts = (node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant))
        assert not [text for text in texts if isinstance(text, str) and both.search(text)], path


@pytest.mark.parametrize(
    ("number", "noun", "words"), [(1, "frame", "1 frame"), (0, "frame", "0 frames"), (2, "process", "2 processes")]
)
def test_counts_are_in_the_singular_or_the_plural(number: int, noun: str, words: str) -> None:
    assert counted(number, noun) == words


def test_a_verb_agrees_with_its_count() -> None:
    assert [counted(each, "file", ("does", "do")) for each in (1, 3)] == ["1 file does", "3 files do"]
