"""LUT files: a folder of .cube files, a zip archive of them, or a single one."""

import os
import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from chromacord.color.cube import Cube, parse_cube
from chromacord.errors import InputError, MissingFileError
from chromacord.parsing import parse_errors, read_file, shown

SUFFIX = ".cube"
MAX_BYTES = 200 << 20
"""Size limit of one unpacked file: a table of 129 nodes per side with long numbers takes about 100 MB."""

MAX_TOTAL = 4 << 30
"""Size limit of all unpacked files together: an archive of a few kB may expand to it."""

_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""Supported compression of members; for others `zipfile` cannot limit the size of a read."""

_REFUSED = (zipfile.BadZipFile, RuntimeError, OSError, zlib.error)
"""Exceptions of `zipfile`: damage; a password, or a version that it does not know (RuntimeError)."""


def read_luts(path: Path) -> dict[str, Cube]:
    """Read LUTs.

    Args:
        path: a folder with .cube files, searched recursively; a .zip archive; or one .cube file.

    Returns:
        LUTs by name: the path relative to `path`, in natural order (numbers sort by value).

    Raises:
        MissingFileError: there is no such file or folder, or no .cube file in it.
        UnreadableFileError: the archive is damaged.
        InputError: a file is not a 3D .cube file; names it and the line.
    """
    luts: dict[str, Cube] = {}
    for name, content in _contents(path):
        if name in luts:
            raise InputError(f"{path}: holds {name} twice; leave one out")
        luts[name] = parse_cube(content, name=str(path if name == path.name else path / name))
    if not luts:
        raise MissingFileError(f"{path}: holds no {SUFFIX} files")
    return {name: luts[name] for name in sorted(luts, key=_natural)}


def _contents(path: Path) -> Iterator[tuple[str, bytes]]:
    if os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises on overlong names
        for file in path.rglob("*"):
            if _is_lut(file.relative_to(path).as_posix()) and file.is_file():
                yield file.relative_to(path).as_posix(), _read(file)
    elif path.suffix.lower() == ".zip":
        yield from _unpacked(path)
    else:
        yield path.name, _read(path)


def _read(path: Path) -> bytes:
    return read_file(path, limit=MAX_BYTES, missing="name a .cube file, a .zip archive or a folder of them")


def _unpacked(path: Path) -> Iterator[tuple[str, bytes]]:
    if not os.path.isfile(path):  # noqa: PTH113
        raise MissingFileError(f"{path}: no such file or folder; name an archive that exists")
    said = "is damaged, encrypted or not a zip archive"
    with parse_errors(path, *_REFUSED, said=said, remedy="create it again"), zipfile.ZipFile(path) as archive:
        members = [member for member in archive.infolist() if _is_lut(member.filename)]
        if sum(member.file_size for member in members) > MAX_TOTAL:
            raise InputError(f"{path}: unpacks to more than {MAX_TOTAL >> 30} GB; remove some LUTs")
        for member in members:
            if member.compress_type not in _METHODS:
                raise zipfile.BadZipFile(f"{shown(member.filename)} is not compressed by deflate")
            _check_length(member.file_size, f"{path}/{member.filename}")
            with archive.open(member) as file:
                # ZipFile.read would unpack everything, whatever size the member declares.
                yield member.filename, file.read(member.file_size + 1)


def _is_lut(name: str) -> bool:
    """Whether a name is that of a .cube file, and not of macOS metadata beside one."""
    return name.lower().endswith(SUFFIX) and not any(part.startswith((".", "__MACOSX")) for part in name.split("/"))


def _check_length(length: int, name: str) -> None:
    if length > MAX_BYTES:
        raise InputError(
            f"{name}: has {length >> 20} MB; a LUT of up to 129 nodes a side has less than {MAX_BYTES >> 20}"
        )


def _natural(name: str) -> list[tuple[str, int, str]]:
    """Return a sort key that compares numbers in names by value, however long they are."""
    parts = ((text, digits.lstrip("0")) for text, digits in re.findall(r"(\D*)(\d*)", name))
    return [(text, len(digits), digits) for text, digits in parts]
