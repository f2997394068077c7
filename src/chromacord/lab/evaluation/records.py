"""`records.jsonl`: one line per clip and method, so that an interrupted run can resume.

The first line is the header: data set, protocols and size. Later runs may only append if all of it agrees.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from math import isfinite
from pathlib import Path
from typing import IO, Any

from chromacord.errors import InputError, NonFiniteError
from chromacord.io.writing.locks import lock
from chromacord.io.writing.staging import output_errors
from chromacord.lab.metrics.protocols import PROTOCOLS
from chromacord.lab.metrics.temporal import FLOW_SOURCES, TEMPORAL_METRICS
from chromacord.parsing import parse_errors, parse_json, read_file, shown

Series = tuple[float | None, ...]
"""A metric for each frame or pair of frames; None where it is undefined, as without foreground."""

_MAX_BYTES = 4 << 30
_END = 2**31

_RULE = "one folder holds one measurement: name another with -o, or remove this one"


@dataclass(frozen=True)
class Header:
    """Properties shared by all records of a file."""

    dataset: str
    fingerprint: str
    """Fingerprint of the data set's clips and frames."""

    num_clips: int
    protocols: tuple[str, ...]
    size: tuple[int, int] | None
    """Measured height and width; None: each clip's own."""

    full: bool
    """Whether clips went through the whole pipeline at their own size."""

    flow: str
    """Flow source of temporal metrics."""

    next_frames: str | None
    """Fingerprint of the set with following frames; None: they are in the clips themselves."""

    version: str
    """Version of the code: figures of different versions do not belong in one table."""

    input: str = "composite"
    """Input of the methods: one of `chromacord.lab.evaluation.measuring.INPUTS`."""

    passes: int = 1
    """How often each method was run, each time on its own result."""


@dataclass(frozen=True)
class Record:
    """Scores of one method on one clip."""

    clip: str
    method: str
    num_frames: int
    scores: Mapping[str, Mapping[str, Series]]
    """Scores by protocol and metric."""

    temporal: Mapping[str, Series]
    """Scores by temporal metric; empty if the frames are not consecutive in the video."""

    method_seconds: float
    """CPU time of the method over all passes, without reading."""

    score_seconds: float
    """CPU time of scoring."""

    predictions: str | None = None
    """Folder that the frames were read from; None if a method made them."""

    change_by_pass: tuple[Series, ...] = ()
    """With several passes, fMSE (protocol `clean`) between each pass's input and output."""


class RecordFile:
    """A records file open for appending."""

    def __init__(self, path: Path, file: IO[str], records: list[Record]) -> None:
        self._path = path
        self._file = file
        self._records = {(record.clip, record.method): record for record in reversed(records)}

    def __contains__(self, key: tuple[str, str]) -> bool:
        """Whether a (clip name, method) pair has been measured."""
        return key in self._records

    @property
    def records(self) -> list[Record]:
        """All records, one per clip and method."""
        return list(self._records.values())

    def check_predictions(self, folders: Mapping[str, str]) -> None:
        """Check that existing rows come from the same folders of predictions, or from methods.

        Args:
            folders: folders by row name; any other row is a method.

        Raises:
            InputError: a row has another origin; names it.
        """
        for record in self._records.values():
            if record.method in folders and record.predictions != folders[record.method]:
                raise InputError(
                    f"{self._path}: {record.method} was measured from {record.predictions or 'our method'}, not from "
                    f"{folders[record.method]}; rename the folder, because it names a row"
                )

    def append(self, record: Record) -> None:
        """Write a record immediately, unless its clip and method were measured already.

        Raises:
            NonFiniteError: a score is infinite.
            OutputError: the file cannot be written, for example because the disk is full.
        """
        key = (record.clip, record.method)
        if key not in self._records:
            try:
                line = json.dumps(asdict(record), allow_nan=False)
            except ValueError as error:
                raise NonFiniteError(
                    f"{record.clip}, {record.method}: a figure is infinite; the method's weights may be damaged or "
                    "unsuitable: omit it, or give it other weights"
                ) from error
            with output_errors(self._path):
                self._file.write(line + "\n")
                self._file.flush()
            self._records[key] = record


@contextmanager
def open_records(path: Path, header: Header) -> Iterator[RecordFile]:
    """Open a records file for appending, or create it.

    An incomplete last line, left by a killed run, is removed.

    Args:
        path: `records.jsonl`; its folder must exist.
        header: the current measurement.

    Raises:
        InputError: the file belongs to another measurement, or another run is writing to it.
        UnreadableFileError: a line cannot be read.
        OutputError: the file cannot be written.
    """
    with output_errors(path):
        file = path.open("a+", encoding="utf-8")
    with file:
        # Lock before reading: a partial last line may belong to a run that is still writing it.
        try:
            lock(file)
        except BlockingIOError:
            raise InputError(
                f"{path}: another run is writing to it; wait until it ends, or name another folder"
            ) from None
        with output_errors(path):
            _cut_off_partial_line(path)
        found = _read(path)
        if found is None:
            with output_errors(path):
                file.write(json.dumps({"header": asdict(header)}) + "\n")
                file.flush()
            records: list[Record] = []
        else:
            _check_same(path, found[0], header)
            records = found[1]
        yield RecordFile(path, file, records)


def read_records(path: Path) -> tuple[Header, list[Record]]:
    """Read a records file, ignoring an incomplete last line.

    Raises:
        InputError: the file does not exist or is empty.
        UnreadableFileError: a line cannot be read.
    """
    found = _read(path) if path.is_file() else None
    if found is None:
        raise InputError(f"{path}: holds no records; measure something first")
    return found


def _cut_off_partial_line(path: Path) -> None:
    whole = read_file(path, limit=_MAX_BYTES, remedy=_RULE)
    if whole and not whole.endswith(b"\n"):
        with path.open("r+b") as file:
            file.truncate(whole.rfind(b"\n") + 1)


def _read(path: Path) -> tuple[Header, list[Record]] | None:
    lines = read_file(path, limit=_MAX_BYTES, remedy=_RULE).split(b"\n")[:-1]
    if not lines:
        return None
    header: Header = _parse(path, 1, lines[0], lambda values: _header(values["header"]))
    return header, [
        _parse(path, number, line, lambda values: _record(values, header)) for number, line in enumerate(lines[1:], 2)
    ]


def _parse(path: Path, number: int, line: bytes, build: Callable[[Any], Any]) -> Any:
    where, remedy = f"{path}:{number}", "remove the line, or the file"
    values = parse_json(line, where=where, remedy=remedy)
    with parse_errors(where, TypeError, AttributeError, said="is no record", remedy=remedy):
        return build(values)


def _header(values: dict[str, Any]) -> Header:
    size = values["size"]
    header = Header(
        **{**values, "protocols": tuple(values["protocols"]), "size": None if size is None else (size[0], size[1])}
    )
    _check_texts(header.dataset, header.fingerprint, header.version, header.input, header.next_frames or "")
    _check_counts(header.num_clips, header.passes, *(header.size or ()))
    if unknown := [name for name in (*header.protocols, header.flow) if name not in (*PROTOCOLS, *FLOW_SOURCES)]:
        raise ValueError(f"there is no protocol or flow {shown(unknown[0])}")
    return header


def _record(values: dict[str, Any], header: Header) -> Record:
    scores = {protocol: _by_figure(by_name) for protocol, by_name in values["scores"].items()}
    temporal = _by_figure(values["temporal"])
    change = tuple(_series(series) for series in values.get("change_by_pass", ()))
    record = Record(**{**values, "scores": scores, "temporal": temporal, "change_by_pass": change})
    _check_texts(record.clip, record.method, record.predictions or "")
    _check_counts(record.num_frames)
    _series([record.method_seconds, record.score_seconds])
    if scores.keys() != set(header.protocols):
        raise ValueError(f"it has figures of {shown(list(scores))}, not of {shown(list(header.protocols))}")
    for protocol, by_name in scores.items():
        if missing := [name for name in PROTOCOLS[protocol].metrics if len(by_name.get(name, ())) != record.num_frames]:
            raise ValueError(f"{protocol} {missing[0]} is not a list of {record.num_frames} figures")
    if temporal and temporal.keys() != set(TEMPORAL_METRICS):
        raise ValueError(f"it has temporal figures {shown(list(temporal))}, not {shown(TEMPORAL_METRICS)}")
    return record


def _by_figure(values: dict[str, Any]) -> dict[str, Series]:
    return {name: _series(series) for name, series in values.items()}


def _series(values: Any) -> Series:
    for value in values:
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value)):
            raise ValueError(f"{shown(value)} is not a figure")
    return tuple(values)


def _check_texts(*values: object) -> None:
    for value in values:
        if not isinstance(value, str):
            raise ValueError(f"{shown(value)} is not text")


def _check_counts(*values: object) -> None:
    for value in values:
        if type(value) is not int or not 0 < value < _END:
            raise ValueError(f"{shown(value)} is not a count")


def _check_same(path: Path, found: Header, wanted: Header) -> None:
    names = [field.name for field in fields(Header) if getattr(found, field.name) != getattr(wanted, field.name)]
    if "fingerprint" in names:
        raise InputError(
            f"{path}: holds records of another data set ({found.dataset}, {found.fingerprint[:12]}), not of "
            f"{wanted.dataset} ({wanted.fingerprint[:12]}); {_RULE}"
        )
    if names:
        raise InputError(
            f"{path}: was measured with {names[0]} {getattr(found, names[0])}, not {getattr(wanted, names[0])}; {_RULE}"
        )
