"""Read untrusted files: size limits, and parser exceptions turned into errors."""

import json
import math
import os
import re
import reprlib
import stat
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from chromacord.errors import ChromacordError, InputError, MissingFileError, UnreadableFileError, did_you_mean

Kind = type[InputError]

CHECK = "check the file"

_MOST_NAMES = 1000
"""Maximum number of names in a folder to compare with a missing file's: a sequence may have a hundred thousand."""

_LONGEST_REASON = 200
_PART = 1 << 20
_DEEP_KEY = re.compile(rb"""(?<![\w-])(?:(?:[\w-]+|"[^"\n]*"|'[^'\n]*')[ \t]*\.[ \t]*){50}""")
"""A dotted TOML key with more than 50 parts. `tomllib` is quadratic in their number: 30,000 take minutes."""

DAMAGE: tuple[type[Exception], ...] = (ArithmeticError, EOFError, LookupError, MemoryError, RecursionError, ValueError)
"""Exceptions of Python's parsers for malformed content; ValueError includes UnicodeError."""

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 120


def missing_file(path: Path, advice: str = "") -> MissingFileError:
    """Return the error for a file that does not exist; it names the most similar file in the folder.

    Args:
        path: the file.
        advice: what to do instead.
    """
    try:
        with os.scandir(path.parent) as entries:
            hint = did_you_mean(path.name, [each.name for each in islice(entries, _MOST_NAMES) if _is_near(each, path)])
    except FileNotFoundError:
        hint = f" (there is no folder {path.parent})"
    except (OSError, ValueError):  # not a folder, or not readable
        hint = ""
    return MissingFileError(f"{path}: no such file{hint}" + (f"; {advice}" if advice else ""))


def _is_near(entry: "os.DirEntry[str]", path: Path) -> bool:
    """Whether a missing name may be a typo of this one: other letters, or only another suffix; not another number."""
    stem, missing = (Path(name).stem.lower() for name in (entry.name, path.name))
    return stem == missing or (len(missing) > 2 and re.sub(r"\d", "", stem) != re.sub(r"\d", "", missing))


def read_file(path: Path, *, limit: int, remedy: str = CHECK, missing: str = "name one that exists") -> bytes:
    """Read a whole file, up to a size limit.

    Args:
        path: a file or a pipe.
        limit: maximum size in bytes.
        remedy: advice for a file that cannot be read.
        missing: advice for a file that does not exist.

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
        raise missing_file(path, missing) from None
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
    """Return the content of a file, truncated just above the limit.

    Args:
        file: any binary file.
        size: size reported by the system, 0 for a pipe.
        limit: maximum size in bytes. Requesting it in one read would allocate that much memory.
    """
    # One byte more than stated: a file that grew, or a pipe, is noticed.
    parts = [file.read(size + 1)]
    while parts[-1] and sum(map(len, parts)) <= limit:
        parts.append(file.read(_PART))
    return parts[0] if len(parts) <= 2 and not parts[-1] else b"".join(parts)


def at_home(path: str | Path) -> Path:
    """Replace "~" and "~user" by the home folder; return the path unchanged if there is no such user."""
    return Path(os.path.expanduser(path))  # noqa: PTH111 - where Path.expanduser raises


@contextmanager
def parse_errors(
    where: object,
    *own: type[Exception],
    said: str = "cannot be read",
    remedy: str = CHECK,
    kind: Kind = UnreadableFileError,
) -> Iterator[None]:
    """Convert any exception of a parser to a one-line error that names the file.

    Args:
        where: the file, or the place in it.
        own: exceptions of the parser's library, besides Python's own.
        said: general description of the error.
        remedy: advice.
        kind: class of the error.

    Raises:
        InputError: of class `kind`; our own errors pass through.
    """
    caught: tuple[type[Exception], ...] = (*DAMAGE, *own)
    try:
        yield
    except ChromacordError:
        raise
    except caught as error:
        raise kind(f"{where}: {said}: {reason_of(error)}; {remedy}") from error


def reason_of(error: Exception) -> str:
    """Return a short one-line reason why something could not be parsed."""
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


def parse_numbers(text: object) -> tuple[float, ...]:
    """Parse numbers separated by commas.

    Returns:
        Finite numbers; none if the text is something else.
    """
    try:
        numbers = tuple(float(part) for part in str(text).split(","))
    except ValueError:
        return ()
    return numbers if all(map(math.isfinite, numbers)) else ()


def shown(value: object) -> str:
    """Return the `repr` of an untrusted value, shortened for a message."""
    try:
        return _SHORT.repr(value)
    except ValueError:  # an integer with more digits than Python converts
        return "a very long number"


def parse_json(
    content: bytes, *, where: object, remedy: str = CHECK, kind: type[InputError] = UnreadableFileError
) -> Any:
    """Parse JSON in UTF-8 whose strings can all be encoded again.

    Raises:
        InputError: of class `kind`: it is not valid JSON.
    """
    with parse_errors(where, said="cannot be read as JSON", remedy=remedy, kind=kind):
        values = json.loads(content.decode("utf-8-sig"))
        if b"\\ud" in content or b"\\uD" in content:
            # Escapes may form lone surrogates, which neither files nor terminals accept.
            json.dumps(values, ensure_ascii=False).encode()
        return values


def parse_toml(
    content: bytes, *, where: object, remedy: str = CHECK, kind: type[InputError] = InputError
) -> dict[str, Any]:
    """Parse TOML.

    Raises:
        InputError: of class `kind`: it is not valid TOML, or absurdly nested.
    """
    with parse_errors(where, said="cannot be read as TOML", remedy=remedy, kind=kind):
        # A regular expression takes milliseconds where tomllib would take minutes.
        if _DEEP_KEY.search(content):
            raise RecursionError
        return tomllib.loads(content.decode())
