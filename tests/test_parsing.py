"""Untrusted files: how they are read, and how a parser's exceptions are converted."""

import os
import re
import threading
from pathlib import Path

import pytest

from chromacord.errors import InputError, MissingFileError, UnreadableFileError
from chromacord.parsing import (
    at_home,
    missing_file,
    parse_errors,
    parse_json,
    parse_numbers,
    parse_toml,
    read_file,
    reason_of,
    shown,
)


def test_a_file_of_the_limit_is_read_and_a_larger_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"12345")
    assert read_file(path, limit=5) == b"12345"
    with pytest.raises(UnreadableFileError, match=r"a: is larger than the limit of 4 bytes; check the file$"):
        read_file(path, limit=4)


def test_a_small_file_takes_little_memory_whatever_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"12345")
    assert read_file(path, limit=1 << 60) == b"12345"
    assert read_file(Path("/proc/self/stat"), limit=1 << 60).startswith(f"{os.getpid()} ".encode())


def test_a_pipe_is_read_to_its_end_or_to_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    for limit in (5, 4):
        writer = threading.Thread(target=path.write_bytes, args=(b"12345",))
        writer.start()
        if limit == 5:
            assert read_file(path, limit=limit) == b"12345"
        else:
            with pytest.raises(UnreadableFileError, match="is larger than the limit of 4 bytes"):
                read_file(path, limit=limit)
        writer.join()


@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        ("none", MissingFileError, "no such file; name one that exists"),
        (".", UnreadableFileError, "is a folder; name a file"),
        ("/dev/zero", UnreadableFileError, "is a device; name a file"),
        ("a" * 300, UnreadableFileError, "cannot be read: File name too long; check the file"),
        ("a\0b", UnreadableFileError, "cannot be read: embedded null byte; check the file"),
        ("file/below", UnreadableFileError, "cannot be read: Not a directory; check the file"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, name: str, kind: type[InputError], said: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(kind, match=f"{said}$"):
        read_file(tmp_path / name, limit=10)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (RecursionError("maximum recursion depth exceeded"), "it is nested too deeply"),
        (MemoryError(), "it needs more memory than there is"),
        (UnicodeDecodeError("utf-8", b"ab\xff", 2, 3, "invalid start byte"), r"it is no UTF-8 text \(byte 2\)"),
        (KeyError("rate"), "'rate' is missing"),
        (ValueError("first line\nsecond line"), "first line"),
        (ValueError("x" * 1000), "x{200}"),
        (EOFError(), "EOFError"),
    ],
)
def test_what_a_parser_raises_becomes_one_line(error: Exception, said: str) -> None:
    whole = f"^file: cannot be read: {said}; check the file$"
    with pytest.raises(UnreadableFileError, match=whole), parse_errors("file"):
        raise error


def test_errors_of_ours_and_faults_of_ours_are_left_alone() -> None:
    for error in (InputError("said already"), TypeError("a bug")):
        with pytest.raises(type(error)) as caught, parse_errors("file"):
            raise error
        assert caught.value is error


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"[" * 200_000, "nested too deeply"),
        (b'{"a":' * 200_000, "nested too deeply"),
        (b"[1", "Expecting ',' delimiter"),
        (b"\xff", r"no UTF-8 text \(byte 0\)"),
        (b'"\\ud800"', "half of a surrogate pair"),
        (b'{"\\uDFFF": 1}', "half of a surrogate pair"),
        (b"1" * 5000, "Exceeds the limit"),
    ],
)
def test_json_that_cannot_be_used_is_refused(content: bytes, said: str) -> None:
    with pytest.raises(UnreadableFileError, match=f"^file: cannot be read as JSON: .*{said}"):
        parse_json(content, where="file")


def test_json_of_any_writer_is_read() -> None:
    assert parse_json(b'\xef\xbb\xbf{"a": "\\ud83d\\ude00\\u00e9"}', where="file") == {"a": "\U0001f600é"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a=" + b"[" * 100_000, "nested too deeply"),
        (b"a." * 400_000 + b"a=1", "nested too deeply"),
        (b"[" + b"'a' . " * 100_000 + b"a]", "nested too deeply"),
        (b"a = ", "Invalid value"),
        (b"a = '\xe9'", "no UTF-8 text"),
    ],
)
def test_toml_that_cannot_be_used_is_refused(content: bytes, said: str) -> None:
    with pytest.raises(InputError, match=f"^file: cannot be read as TOML: .*{said}"):
        parse_toml(content, where="file")


def test_toml_with_many_numbers_on_a_line_is_no_deep_key() -> None:
    text = f"steps = [{', '.join(['0.5'] * 200)}]\ntitle = '{'. ' * 200}'"
    assert len(parse_toml(text.encode(), where="file")["steps"]) == 200


def test_a_value_is_shown_in_a_few_words() -> None:
    nested: list[object] = []
    for _ in range(900):
        nested = [nested]
    for value in ("x" * 100_000, nested, list(range(10_000)), 1 << 100_000, {"a": "b" * 5000}):
        assert len(shown(value)) < 200
    assert shown("mkl") == "'mkl'"
    assert shown("\ud800\n") == r"'\ud800\n'"


def test_a_missing_key_without_a_name_has_a_reason() -> None:
    assert reason_of(KeyError()) == "a key is missing"


@pytest.mark.parametrize("name", ["~nobody-is-called-so/x.pth", "n" * 300 + "/~"])
def test_a_home_that_nobody_has_is_a_name_like_others(name: str) -> None:
    assert at_home(name) == Path(name)
    assert at_home(Path("~") / "x") == Path.home() / "x"


@pytest.mark.parametrize("text", ["", "1,", "a", "nan", "1,inf", "1 2", "1;2"])
def test_numbers_that_are_none_are_not_parsed(text: str) -> None:
    assert parse_numbers(text) == ()


def test_numbers_are_parsed_in_order() -> None:
    assert parse_numbers(" 1, -2.5,3e2") == (1, -2.5, 300)
    assert parse_numbers(4) == (4,)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("composit.mp4", r"composit.mp4: no such file \(did you mean composite.mp4\?\); name it"),
        ("composite.mov", r"composite.mov: no such file \(did you mean composite.mp4\?\); name it"),
        ("other.mov", "other.mov: no such file; name it"),
        ("shot_02.mp4", "shot_02.mp4: no such file; name it"),
        ("b.mp4", "b.mp4: no such file; name it"),
        ("none/composite.mp4", r"composite.mp4: no such file \(there is no folder .*none\); name it"),
        ("composite.mp4/below", "below: no such file; name it"),
    ],
)
def test_a_missing_file_is_compared_with_its_folder(tmp_path: Path, name: str, said: str) -> None:
    for each in ("composite.mp4", "shot_01.mp4", "a.mp4"):
        (tmp_path / each).touch()
    assert re.search(f"{said}$", str(missing_file(tmp_path / name, "name it")))
