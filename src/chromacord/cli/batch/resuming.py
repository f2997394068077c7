"""Keep a record of each run beside its outputs, so that --resume can tell which are up to date.

A record is a hidden JSON file beside the first output. It has the options, and the size and modification time of every
input and output. Clips with changes are harmonized again; outputs written by this command may be replaced.
"""

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chromacord import __version__
from chromacord.cli.batch.clips import Clip
from chromacord.cli.batch.existing import images_of, input_files, is_done

if TYPE_CHECKING:
    from chromacord.job.options import Options

FORMAT = "chromacord record"
_IRRELEVANT = ("force", "device")
"""Options that do not change the result."""


def is_current(clip: Clip, options: "Options") -> bool:
    """Whether all outputs exist, and were made from the same inputs with the same options."""
    return _read(clip) == _record(clip, options) and is_done(clip, options)


def allowed(clip: Clip, options: "Options") -> "Options":
    """Return the options with permission to replace the outputs if this command wrote them earlier."""
    return replace(options, force=True) if clip.resume and _read(clip) is not None else options


def write_record(clip: Clip, options: "Options") -> None:
    """Write the record of a clip whose outputs are complete.

    Raises:
        OutputError: the file cannot be written.
    """
    from chromacord.io.writing.staging import write_text

    write_text(_path(clip), json.dumps(_record(clip, options), indent=1) + "\n", force=True)


def _path(clip: Clip) -> Path:
    written = Path(clip.written)
    return written.parent / f".{written.name}.chromacord.json"


def _read(clip: Clip) -> Any:
    try:
        record = json.loads(_path(clip).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) and record.get("format") == FORMAT else None


def _record(clip: Clip, options: "Options") -> dict[str, Any]:
    read = {*input_files(clip).values(), *map(str, options.files)}
    asked = {field.name: str(getattr(options, field.name)) for field in fields(options)}
    return {
        "format": FORMAT,
        "chromacord": __version__,
        "options": {name: value for name, value in asked.items() if name not in _IRRELEVANT},
        "files": clip.files,
        "inputs": {path: _states(path) for path in sorted(read)},
        "outputs": {path: _state(Path(path)) for path in clip.outputs.values()},
    }


def _states(path: str) -> list[list[int]]:
    files = images_of(path)
    return [_state(each) for each in (files.paths if files is not None else [Path(path)])]


def _state(path: Path) -> list[int]:
    """Return a file's size in bytes and modification time in nanoseconds; empty for a pattern or a folder."""
    try:
        status = path.stat()
    except OSError:
        return []
    return [] if path.is_dir() else [status.st_size, status.st_mtime_ns]
