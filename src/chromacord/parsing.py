"""Read untrusted files: size limits, and parser exceptions turned into errors."""

import json
import os
import re
import reprlib
import stat
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from chromacord.errors import ChromacordError, InputError, MissingFileError, UnreadableFileError

Kind = type[InputError]

CHECK = "check the file"

_LONGEST_REASON = 200
_PART = 1 << 20
_DEEP_KEY = re.compile(rb"""(?<![\w-])(?:(?:[\w-]+|"[^"\n]*"|'[^'\n]*')[ \t]*\.[ \t]*){50}""")
"""A dotted TOML key of more than 50 parts. `tomllib` takes time in the square of their number: 30,000 take minutes."""

DAMAGE: tuple[type[Exception], ...] = (ArithmeticError, EOFError, LookupError, MemoryError, RecursionError, ValueError)
"""What Python parsers raise for unexpected content; ValueError includes UnicodeError."""

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 120


def read_file(path: Path, *, limit: int, remedy: str = CHECK, missing: str = "name one that exists") -> bytes:
    """Read a whole file, unless it is larger than a good one can be.

    Args:
        path: a file or a pipe.
        limit: of its bytes.
        remedy: what to do about a file that cannot be read.
        missing: what to do about one that does not exist.

    Raises:
        MissingFileError: there is no such file.
        UnreadableFileError: it is a folder, a device or too large, or the system refuses to read it.
    """
    try:
        with path.open("rb") as file:
            status = path.stat()
            if stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode):
                raise UnreadableFileError(f"{path}: is a device; name a file")
            content = b"" if status.st_size > limit else _read(file, status.st_size, limit)
    except FileNotFoundError:
        raise MissingFileError(f"{path}: no such file; {missing}") from None
    except IsADirectoryError:
        raise UnreadableFileError(f"{path}: is a folder; name a file") from None
    except ChromacordError:
        raise
    except (OSError, ValueError, MemoryError) as error:  # ValueError: a path that holds a null byte
        reason = getattr(error, "strerror", None) or reason_of(error)
        raise UnreadableFileError(f"{path}: cannot be read: {reason}; {remedy}") from error
    if status.st_size > limit or len(content) > limit:
        raise UnreadableFileError(f"{path}: is larger than the limit of {limit:,} bytes; {remedy}")
    return content


def _read(file: BinaryIO, size: int, limit: int) -> bytes:
    """Return what a file holds, or more than the limit of it.

    Args:
        file: of any kind.
        size: what the system says of it; of a pipe that is nothing.
        limit: of bytes. To ask for so many at once would take the memory for them.
    """
    parts = [file.read(size + 1)]
    while parts[-1] and sum(map(len, parts)) <= limit:
        parts.append(file.read(_PART))
    return parts[0] if len(parts) <= 2 and not parts[-1] else b"".join(parts)


def at_home(path: str | Path) -> Path:
    """Return a path with "~" and "~user" replaced by the home folder, and as it is where there is no such user."""
    return Path(os.path.expanduser(path))  # noqa: PTH111 - where Path.expanduser raises


@contextmanager
def parse_errors(
    where: object,
    *own: type[Exception],
    said: str = "cannot be read",
    remedy: str = CHECK,
    kind: Kind = UnreadableFileError,
) -> Iterator[None]:
    """Turn whatever a parser raises into one error of one line that names the file.

    Args:
        where: the file, or the place in it.
        own: what the parser's library raises besides Python's own errors.
        said: what is wrong with it, in general.
        remedy: what to do.
        kind: class of the error.

    Raises:
        InputError: of that kind; errors of ours go through as they are.
    """
    caught: tuple[type[Exception], ...] = (*DAMAGE, *own)
    try:
        yield
    except ChromacordError:
        raise
    except caught as error:
        raise kind(f"{where}: {said}: {reason_of(error)}; {remedy}") from error


def reason_of(error: Exception) -> str:
    """Return in one short line why something could not be parsed."""
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, MemoryError):
        return "it needs more memory than there is"
    if isinstance(error, UnicodeDecodeError):
        return f"it is no {error.encoding.upper()} text (byte {error.start})"
    if isinstance(error, UnicodeEncodeError):
        return "it holds half of a surrogate pair"
    if isinstance(error, KeyError):
        return f"{shown(error.args[0]) if error.args else 'a key'} is missing"
    lines = str(error).splitlines()
    return lines[0][:_LONGEST_REASON] if lines else type(error).__name__


def shown(value: object) -> str:
    """Return `repr` of a value that came from a file, short enough for a message."""
    try:
        return _SHORT.repr(value)
    except ValueError:  # a whole number of more digits than Python spells out
        return "a very long number"


def parse_json(
    content: bytes, *, where: object, remedy: str = CHECK, kind: type[InputError] = UnreadableFileError
) -> Any:
    """Read JSON in UTF-8 whose text can all be written again.

    Raises:
        InputError: of the class `kind`: it is no such JSON.
    """
    with parse_errors(where, said="cannot be read as JSON", remedy=remedy, kind=kind):
        values = json.loads(content.decode("utf-8-sig"))
        if b"\\ud" in content or b"\\uD" in content:
            # Escapes may spell half of a surrogate pair, which no file and no terminal takes.
            json.dumps(values, ensure_ascii=False).encode()
        return values


def parse_toml(
    content: bytes, *, where: object, remedy: str = CHECK, kind: type[InputError] = InputError
) -> dict[str, Any]:
    """Read TOML.

    Raises:
        InputError: of the class `kind`: it is no TOML, or none that a person would write.
    """
    with parse_errors(where, said="cannot be read as TOML", remedy=remedy, kind=kind):
        if _DEEP_KEY.search(content):
            raise RecursionError
        return tomllib.loads(content.decode())
