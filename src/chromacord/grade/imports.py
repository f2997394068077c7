"""Import other tools' LUTs and CDLs as grades: `color.cube` reads .cube files, OpenColorIO all others.

Files may also contain curves and matrices; the combined effect on [0, 1] is sampled on the renderer's lattice.
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
"""Size limit of an imported file: a .cube file with 129 nodes per side has about 60 MB."""

_LARGEST = 1e4
"""Maximum of a CDL's numbers, and of a file's results for colours in [0, 1]."""


def read_any_grade(path: Path) -> Grade:
    """Read a grade file, a LUT or a CDL, by the suffix.

    Raises:
        MissingFileError: there is no such file.
        GradeFileError: it cannot be read.
    """
    return (read_import if is_import(path) else read_grade)(path)


def is_import(path: Path) -> bool:
    """Whether a path is a LUT or a CDL by its suffix."""
    return path.suffix.lower() in LOOK_FORMATS


def read_import(path: Path) -> Grade:
    """Read a LUT or a CDL as a single-shot grade for a clip of any length.

    Raises:
        MissingFileError: there is no such file.
        GradeFileError: it cannot be read, or contains several CDLs.
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
        # Subclasses of InputError, such as a missing file, are already specific enough.
        raise (GradeFileError(str(error)) if type(error) is InputError else error) from error
    # Negated, because every comparison with NaN is false.
    if not (np.abs(mapped) <= _LARGEST).all():
        raise GradeFileError(f"{path}: gives values beyond {_LARGEST:g} for colours in 0..1; check the file")
    lut = Lut3d(np.ascontiguousarray(mapped.reshape(1, 3, LUT_SIZE, LUT_SIZE, LUT_SIZE)))
    shot = Shot(0, ANY_LENGTH, (Key(0, 1.0, lut),))
    # With one key nothing is interpolated, so the rate has no effect.
    return Grade((shot,), suffix[1:], "shot", Fraction(25), ANY_LENGTH)


def _by_opencolorio(content: bytes, path: Path) -> FloatArray:
    """Sample a file's effect on the lattice. Shape (3, D * D * D)."""
    import PyOpenColorIO as ocio

    kind = LOOK_FORMATS[path.suffix.lower()]
    # OpenColorIO only reads files, and caches them by name: give it a private copy that cannot change.
    with _copied(content, path) as copy, parse_errors(path, kind=GradeFileError):
        try:
            return _of_cdl(ocio, copy, path) if kind.is_cdl else _of_lut(ocio, copy)
        except (ocio.Exception, RuntimeError, TypeError) as error:
            # OpenColorIO's message names the copy, and every format that it tried.
            raise GradeFileError(
                f"{path}: is damaged, or is not a {kind.kind} in {path.suffix} format; export it again"
            ) from error


@contextmanager
def _copied(content: bytes, path: Path) -> Iterator[Path]:
    """Yield the path of a private copy of a file.

    Raises:
        OutputError: there is no space for it.
    """
    with ExitStack() as stack:
        try:
            folder = stack.enter_context(TemporaryDirectory(prefix="chromacord-"))
            copy = Path(folder) / f"look{path.suffix.lower()}"
            copy.write_bytes(content)
        except OSError as error:
            raise OutputError(
                f"{path}: cannot be copied to a temporary folder: {error.strerror}; free some space, or set TMPDIR "
                "to a folder with room"
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
    # Our own formula clamps as the standard requires; OpenColorIO's default style does not clamp.
    cdl = Cdl(tuple(one.getSlope()), tuple(one.getOffset()), tuple(one.getPower()), one.getSat())
    return cdl(lattice(LUT_SIZE).reshape(3, -1).T).T


def _of_lut(ocio: Any, copy: Path) -> FloatArray:
    transform = ocio.FileTransform(src=str(copy), interpolation=ocio.INTERP_TETRAHEDRAL)
    processor = raw_config().getProcessor(transform).getDefaultCPUProcessor()
    colors = np.ascontiguousarray(lattice(LUT_SIZE).reshape(3, -1).T)
    processor.applyRGB(colors)
    return colors.T
