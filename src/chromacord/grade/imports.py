"""LUTs and CDLs of other tools as grades: .cube files are read by `color.cube`, all others by OpenColorIO.

A file may hold curves and matrices too; its effect on [0, 1] is sampled on the render's lattice.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from chromacord.color.cdl import Cdl
from chromacord.color.cube import parse_cube
from chromacord.color.transforms import Lut3d, lattice
from chromacord.errors import ChromacordError, GradeFileError, InputError, OutputError, UnreadableFileError
from chromacord.grade.exports import LOOK_FORMATS
from chromacord.grade.file import read_grade
from chromacord.grade.keys import ANY_LENGTH, Grade, Key, Shot
from chromacord.grade.lattice import LUT_SIZE, raw_config
from chromacord.parsing import parse_errors, read_file
from chromacord.types import FloatArray

MAX_BYTES = 1 << 27
"""Of a file that is read: a .cube file of 129 nodes a side has some 60 MB."""

_LARGEST = 1e4
"""Of a CDL's numbers, and of the values that a file may give for colours in [0, 1]."""


def read_any_grade(path: Path) -> Grade:
    """Read a grade file, or a LUT or a CDL, by the suffix.

    Raises:
        MissingFileError: there is no such file.
        GradeFileError: it cannot be read.
    """
    return (read_import if is_import(path) else read_grade)(path)


def is_import(path: Path) -> bool:
    """Whether a path is that of a LUT or a CDL, by its suffix."""
    return path.suffix.lower() in LOOK_FORMATS


def read_import(path: Path) -> Grade:
    """Read a LUT or a CDL as the grade of a clip of any length, in one shot.

    Raises:
        MissingFileError: there is no such file.
        GradeFileError: it cannot be read, or holds several CDLs.
    """
    suffix = path.suffix.lower()
    try:
        content = read_file(path, limit=MAX_BYTES)
        if suffix == ".cube":
            cube = parse_cube(content, name=str(path))
            mapped = cube(lattice(LUT_SIZE).reshape(1, 3, LUT_SIZE, -1))
        else:
            mapped = _by_opencolorio(content, path)
    except UnreadableFileError as error:
        raise GradeFileError(str(error)) from error
    except ChromacordError as error:
        raise (GradeFileError(str(error)) if type(error) is InputError else error) from error
    if not (np.abs(mapped) <= _LARGEST).all():
        raise GradeFileError(f"{path}: gives values beyond {_LARGEST:g} for colours in 0..1; check the file")
    lut = Lut3d(np.ascontiguousarray(mapped.reshape(1, 3, LUT_SIZE, LUT_SIZE, LUT_SIZE)))
    shot = Shot(0, ANY_LENGTH, (Key(0, 1.0, lut),))
    return Grade((shot,), suffix[1:], "shot", Fraction(25), ANY_LENGTH)


def _by_opencolorio(content: bytes, path: Path) -> FloatArray:
    """Return what a file makes of the lattice. Shape (3, D * D * D)."""
    import PyOpenColorIO as ocio

    kind = LOOK_FORMATS[path.suffix.lower()]
    # OpenColorIO reads files alone, and remembers them by their names: this one nobody changes.
    with _copied(content, path) as copy, parse_errors(path, kind=GradeFileError):
        try:
            return _of_cdl(ocio, copy, path) if kind.is_cdl else _of_lut(ocio, copy)
        except (ocio.Exception, RuntimeError, TypeError) as error:
            # What OpenColorIO says names the copy, and all that it tried to take it for.
            raise GradeFileError(f"{path}: is damaged, or no {kind.kind} in {path.suffix} format") from error


@contextmanager
def _copied(content: bytes, path: Path) -> Iterator[Path]:
    """Hold a copy of a file where only this process looks.

    Raises:
        OutputError: there is no room for it.
    """
    with ExitStack() as stack:
        try:
            folder = stack.enter_context(TemporaryDirectory(prefix="chromacord-"))
            copy = Path(folder) / f"look{path.suffix.lower()}"
            copy.write_bytes(content)
        except OSError as error:
            raise OutputError(
                f"{path}: no temporary copy of it can be made: {error.strerror}; make room, or set TMPDIR to a folder "
                "that has some"
            ) from error
        yield copy


def _of_cdl(ocio: Any, copy: Path, path: Path) -> FloatArray:
    found = list(ocio.CDLTransform.CreateGroupFromFile(str(copy)))
    if len(found) != 1:
        raise GradeFileError(f"{path}: holds {len(found)} CDLs; leave one in it, or name a file for each shot")
    (one,) = found
    numbers = (*one.getSlope(), *one.getOffset(), *one.getPower(), one.getSat())
    if not all(abs(number) <= _LARGEST for number in numbers):
        raise GradeFileError(f"{path}: has numbers beyond {_LARGEST:g}; check the file")
    cdl = Cdl(tuple(one.getSlope()), tuple(one.getOffset()), tuple(one.getPower()), one.getSat())
    return cdl(lattice(LUT_SIZE).reshape(3, -1).T).T


def _of_lut(ocio: Any, copy: Path) -> FloatArray:
    transform = ocio.FileTransform(src=str(copy), interpolation=ocio.INTERP_TETRAHEDRAL)
    processor = raw_config().getProcessor(transform).getDefaultCPUProcessor()
    colors = np.ascontiguousarray(lattice(LUT_SIZE).reshape(3, -1).T)
    processor.applyRGB(colors)
    return colors.T
