"""LUT files: a folder of .cube files, a zip archive of them, or one."""

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

from chromacord.color.cube import Cube, parse_cube
from chromacord.errors import InputError, MissingFileError, UnreadableFileError

SUFFIX = ".cube"
MAX_BYTES = 200 << 20
"""Of one file, unpacked: a table of 129 nodes a side with long numbers has some 100 MB."""


def read_luts(path: Path) -> dict[str, Cube]:
    """Read LUTs.

    Args:
        path: a folder with .cube files, also in folders below it; a .zip archive; or one .cube file.

    Returns:
        Each LUT by its name: the file's, with its folders below `path`; numbers in names sort as numbers.

    Raises:
        MissingFileError: there is no such file or folder, or no .cube file in it.
        UnreadableFileError: the archive is damaged.
        InputError: a file is no 3D .cube file; names it, and its line.
    """
    luts = {name: parse_cube(content, name=f"{path}/{name}") for name, content in _contents(path)}
    if not luts:
        raise MissingFileError(f"{path}: holds no {SUFFIX} files")
    return {name: luts[name] for name in sorted(luts, key=_natural)}


def read_cube(path: Path) -> Cube:
    """Read one .cube file.

    Raises:
        MissingFileError: there is no such file.
        InputError: it is no 3D .cube file; names the line.
    """
    if not path.is_file():
        raise MissingFileError(f"{path}: no such file")
    _check_length(path.stat().st_size, str(path))
    return parse_cube(path.read_bytes(), name=str(path))


def _contents(path: Path) -> Iterator[tuple[str, bytes]]:
    if path.is_dir():
        for file in path.rglob("*"):
            if _is_lut(file.relative_to(path).as_posix()) and file.is_file():
                _check_length(file.stat().st_size, str(file))
                yield file.relative_to(path).as_posix(), file.read_bytes()
    elif not path.is_file():
        raise MissingFileError(f"{path}: no such file or folder")
    elif path.suffix.lower() == ".zip":
        yield from _unpacked(path)
    else:
        _check_length(path.stat().st_size, str(path))
        yield path.name, path.read_bytes()


def _unpacked(path: Path) -> Iterator[tuple[str, bytes]]:
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                if _is_lut(member.filename):
                    _check_length(member.file_size, f"{path}/{member.filename}")
                    yield member.filename, archive.read(member)
    # What zipfile raises: damage, a password (RuntimeError), a compression that it does not know (NotImplementedError).
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError) as error:
        raise UnreadableFileError(f"{path}: is damaged, encrypted or no zip archive ({error})") from error


def _is_lut(name: str) -> bool:
    """Tell a .cube file from other files, and from what macOS puts beside each file of an archive."""
    return name.lower().endswith(SUFFIX) and not any(part.startswith((".", "__MACOSX")) for part in name.split("/"))


def _check_length(length: int, name: str) -> None:
    if length > MAX_BYTES:
        raise InputError(
            f"{name}: has {length >> 20} MB; a LUT of up to 129 nodes a side has less than {MAX_BYTES >> 20}"
        )


def _natural(name: str) -> list[tuple[str, int]]:
    return [(text, int(digits or 0)) for text, digits in re.findall(r"(\D*)(\d*)", name)]
