"""Read a manifest: one clip per row, as CSV or JSON lines, with files and options by column."""

import csv
import io
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin

from chromacord.cli.arguments.declared import ALL
from chromacord.errors import InputError, one_of
from chromacord.parsing import read_file, shown

MAX_BYTES = 1 << 28
PATHS = ("composite", "foreground", "mask", "alpha", "background", "output", "grade_out", "grade_in", "lut_out")
MORE_PATHS = ("preview", "foreground_out", "reference", "cuts", "weights", "config")
NOT_BY_ROW = ("force", "skip_existing", "resume", "manifest", "jobs", "device", "engine", "address", "chunk_frames")
NOT_SHOWN = ("retries", "log_json", "quiet")
_TRUE, _FALSE = ("true", "yes", "1"), ("false", "no", "0")
_WORDS = ("alpha", "straight", "premultiplied", "auto", "none")


def read_manifest(path: Path, taken: Collection[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each row's place, for messages, and its values by parameter name; empty cells are left out.

    Args:
        path: a .csv file with a header, or .jsonl with one object per line. Relative paths in it refer to its folder.
        taken: parameters that the command accepts.

    Raises:
        InputError: the file is neither, a column is unknown or missing, or a value has the wrong type.
    """
    known = [name for name in taken if name not in (*NOT_BY_ROW, *NOT_SHOWN)]
    count = 0
    for number, row in _rows(path):
        where = f"{path}: row {number}"
        unknown = next((name for name in row if _parameter(name) not in known), None)
        if unknown is not None and {";", "\t"} & {*unknown}:
            raise InputError(f"{path}: the header is {unknown!r}; separate columns with commas")
        if unknown is not None:
            raise InputError(f"{where}: no option is called {unknown!r}; {one_of(unknown, known)}")
        values = {_parameter(name): value for name, value in row.items() if value not in (None, "")}
        if not {"composite", "foreground"} & values.keys():
            has_column = {"composite", "foreground"} & {_parameter(name) for name in row}
            lacks = "has no composite" if has_column else "has no column 'composite' (or 'foreground')"
            raise InputError(f"{where}: {lacks}; each row names one clip")
        yield where, {name: _value(name, value, where, path.parent) for name, value in values.items()}
        count += 1
    if not count:
        raise InputError(f"{path}: has no rows; write one for each clip")


def _rows(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    suffix = path.suffix.lower()
    if suffix not in (".csv", ".jsonl", ".ndjson"):
        raise InputError(f"{path}: is not a manifest; name a .csv or a .jsonl file")
    try:
        # Spreadsheets write a byte order mark, which would otherwise become a part of the first column's name.
        text = read_file(path, limit=MAX_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not UTF-8 (byte {error.start}); save it as UTF-8") from None
    if suffix == ".csv":
        try:
            rows = csv.DictReader(io.StringIO(text, newline=""), strict=True)
            _check_once(rows.fieldnames or (), f"{path}: the header")
            for number, row in enumerate(rows, start=1):
                if None in row:  # DictReader's key for cells beyond the header
                    raise InputError(f"{path}: row {number}: has more cells than the header; quote cells with commas")
                yield number, {name.strip(): (value or "").strip() for name, value in row.items()}
        except csv.Error as error:
            raise InputError(f"{path}: is not CSV: {error}; save it again") from None
        return
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            yield number, _object(line, f"{path}: row {number}")


def _object(line: str, where: str) -> Mapping[str, Any]:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        _check_once([name for name, _ in pairs], where)
        return dict(pairs)

    try:
        row = json.loads(line, object_pairs_hook=once)
    except InputError:
        raise
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: is not JSON: {error}; write one object a line") from None
    if not isinstance(row, dict):
        raise InputError(f'{where}: is {shown(row)}; write an object, such as {{"composite": ...}}')
    return row


def _check_once(columns: Sequence[str], where: str) -> None:
    """Refuse repeated columns, of which only the last would count."""
    names = [_parameter(column) for column in columns]
    twice = next((name for name in names if name and names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"{where}: names {twice!r} twice; keep one")


def _parameter(column: str) -> str:
    return column.strip().lstrip("-").replace("-", "_").lower()


def _value(name: str, value: Any, where: str, folder: Path) -> Any:
    """Convert a cell to the type that the option has on the command line."""
    wanted = _type(name)
    if wanted is bool and isinstance(value, str) and value.lower() in (*_TRUE, *_FALSE):
        return value.lower() in _TRUE
    if wanted is bool and isinstance(value, bool):
        return value
    if wanted in (int, float) and not isinstance(value, bool):
        try:
            return wanted(value)
        except (TypeError, ValueError):
            raise InputError(f"{where}: {name} is {shown(value)}; write a number") from None
    if wanted is bool or isinstance(value, bool | dict | list):
        raise InputError(f"{where}: {name} is {shown(value)}; write {'true or false' if wanted is bool else 'text'}")
    text = str(value)
    is_path = name in PATHS or (name in MORE_PATHS and not (name == "cuts" and text.replace(",", "").isdecimal()))
    if not is_path or text in _WORDS or "://" in text or (name == "weights" and "/" not in text):
        values = [text] if name in ("composite", "foreground") else text
    else:
        # A slash at the end makes an output a folder.
        placed = str(folder / text) + ("/" if text.endswith("/") else "")
        values = [placed] if name in ("composite", "foreground") else placed
    return values


def _type(name: str) -> type:
    """Return the type of an option: bool, int, float or str."""
    kind = get_args(ALL[name].kind)[0]
    choices = [each for each in get_args(kind) if each is not type(None)] if get_origin(kind) is UnionType else [kind]
    return choices[0] if choices[0] in (bool, int, float) and len(choices) == 1 else str
