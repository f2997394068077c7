import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from chromacord.errors import InputError, NonFiniteError, UnreadableFileError
from chromacord.lab.evaluation.records import Header, Record, open_records, read_records
from chromacord.lab.metrics.protocols import PROTOCOLS
from chromacord.lab.metrics.temporal import TEMPORAL_METRICS

HEADER = Header("set-test", "ab" * 32, 2, ("hyoutube",), (256, 256), False, "dis", None, "1.0")
FIGURES = {"hyoutube": dict.fromkeys(PROTOCOLS["hyoutube"].metrics, (1.5, None))}
RECORD = Record("clip/1", "mkl", 2, FIGURES, dict.fromkeys(TEMPORAL_METRICS, (0.25,)), 0.1, 0.2)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    with open_records(path, HEADER) as records:
        records.append(RECORD)
    assert read_records(path) == (HEADER, [RECORD])


def test_a_header_from_before_there_were_passes_reads_as_composites_given_once(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    old = {name: value for name, value in asdict(HEADER).items() if name not in ("input", "passes")}
    path.write_text(json.dumps({"header": old}) + "\n")
    assert read_records(path) == (HEADER, [])


def test_the_change_by_pass_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    record = replace(RECORD, change_by_pass=((4.5, None), (0.5, None)))
    with open_records(path, HEADER) as records:
        records.append(record)
    assert read_records(path)[1] == [record]


def test_a_record_is_on_disk_as_soon_as_it_is_measured(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    with open_records(path, HEADER) as records:
        records.append(RECORD)
        assert read_records(path)[1] == [RECORD]


def test_the_lines_are_json_that_others_can_read(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    with open_records(path, HEADER) as records:
        records.append(RECORD)
    header, record = (json.loads(line) for line in path.read_text().splitlines())
    assert header["header"]["fingerprint"] == HEADER.fingerprint
    assert record["scores"]["hyoutube"]["fmse"] == [1.5, None]


def test_a_record_that_is_there_is_not_written_again(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    for _ in range(2):
        with open_records(path, HEADER) as records:
            records.append(RECORD)
            records.append(RECORD)
            assert ("clip/1", "mkl") in records
    assert len(path.read_text().splitlines()) == 2


@pytest.mark.parametrize("left", [b"", b'{"clip": "b", "met', b"\xff\xfe broken"])
def test_a_line_that_was_cut_off_is_removed_and_the_rest_kept(tmp_path: Path, left: bytes) -> None:
    path = tmp_path / "records.jsonl"
    with open_records(path, HEADER) as records:
        records.append(RECORD)
    whole = path.read_bytes()
    path.write_bytes(whole + left)
    with open_records(path, HEADER) as records:
        assert records.records == [RECORD]
    assert path.read_bytes() == whole


def test_a_header_that_was_cut_off_is_written_again(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    path.write_text('{"header": {"data')
    with open_records(path, HEADER):
        pass
    assert read_records(path) == (HEADER, [])


def test_a_line_that_is_no_record_is_named(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    with open_records(path, HEADER) as records:
        records.append(RECORD)
    path.write_text(path.read_text() + '{"clip": "x"}\n')
    with pytest.raises(UnreadableFileError, match=r"records\.jsonl:3: is no record"):
        read_records(path)


def test_two_runs_do_not_write_to_one_file(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    with open_records(path, HEADER), pytest.raises(InputError, match="another run"), open_records(path, HEADER):
        pass


def test_a_folder_without_records_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"records\.jsonl: holds no records"):
        read_records(tmp_path / "records.jsonl")


def line_of(record: Record, **changed: object) -> bytes:
    return json.dumps(asdict(record) | changed).encode() + b"\n"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"\xff\xfe\n", "no UTF-8 text"),
        (b"[" * 100_000 + b"\n", "nested too deeply"),
        (b"[]\n", "is no record"),
        (line_of(RECORD, clip="\ud800"), "half of a surrogate pair"),
        (line_of(RECORD, clip=["x"]), r"\['x'\] is not text"),
        (line_of(RECORD, method=None), "None is not text"),
        (line_of(RECORD, num_frames="x"), "'x' is not a count"),
        (line_of(RECORD, num_frames=0), "0 is not a count"),
        (line_of(RECORD, num_frames=3), "hyoutube mse is no list of 3 figures"),
        (line_of(RECORD, method_seconds="x"), "'x' is not a figure"),
        (
            line_of(RECORD, scores={"hyoutubf": FIGURES["hyoutube"]}),
            r"figures of \['hyoutubf'\], not of \['hyoutube'\]",
        ),
        (line_of(RECORD, scores={"hyoutube": {"fmse": [1, 2]}}), "hyoutube mse is no list of 2 figures"),
        (line_of(RECORD, scores={"hyoutube": {"mse": ["1", 2]}}), "'1' is not a figure"),
        (line_of(RECORD, temporal={"tl": [float("inf")]}), "inf is not a figure"),
        (line_of(RECORD, temporal={"tl": [1.0]}), r"temporal figures \['tl'\]"),
        (line_of(RECORD, more=1), "is no record"),
    ],
)
def test_a_line_that_is_json_and_no_record_is_named(tmp_path: Path, line: bytes, said: str) -> None:
    path = tmp_path / "records.jsonl"
    with open_records(path, HEADER):
        pass
    path.write_bytes(path.read_bytes() + line)
    with pytest.raises(UnreadableFileError, match=rf"records.jsonl:2: .*{said}.*; remove the line, or the file"):
        read_records(path)


@pytest.mark.parametrize(
    "changed", [{"num_clips": "2"}, {"protocols": ["none"]}, {"flow": "none"}, {"size": [1]}, {"x": 1}]
)
def test_a_header_that_says_nothing_is_named(tmp_path: Path, changed: dict[str, object]) -> None:
    path = tmp_path / "records.jsonl"
    path.write_text(json.dumps({"header": asdict(HEADER) | changed}) + "\n")
    with pytest.raises(UnreadableFileError, match=r"records.jsonl:1: is no record"):
        read_records(path)


def test_an_infinite_figure_is_refused_with_its_clip_and_method(tmp_path: Path) -> None:
    with (
        open_records(tmp_path / "records.jsonl", HEADER) as records,
        pytest.raises(NonFiniteError, match=r"clip/1, mkl"),
    ):
        records.append(replace(RECORD, method_seconds=float("inf")))
