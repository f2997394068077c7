"""Measure each method in a fresh process: CPU time, wall time and memory."""

from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any, NamedTuple

import torch

from chromacord.errors import InputError
from chromacord.lab.bench.fresh_process import Report, run_fresh
from chromacord.lab.bench.provenance import provenance
from chromacord.lab.reporting.literature import SOURCE, paper_tables
from chromacord.lab.reporting.tables import Column, Row, Table
from chromacord.methods import lacks_weights, load_method

DEVICES = ("cpu", "cuda")

_COLUMNS = (
    Column("window", "window"),
    Column("parameters", "parameters", 0),
    Column("gmac", "GMAC a frame", 2),
    Column("window_ms", "CPU ms a window", 2),
    Column("min", "CPU ms a frame: min", 2),
    Column("median", "median", 2),
    Column("max", "max", 2),
    Column("wall_window", "wall ms a window", 2),
    Column("wall", "wall ms a frame", 2),
    Column("memory", "MB beside imports", 0),
)

_TABLE_4 = {frames: f"chen2024:frames={frames}:hop={frames}:working_side=256:flow_reduction=1" for frames in (3, 5, 7)}
"""The paper's settings by T. With hops as long as the window, consecutive windows share no frame."""

TABLE_4_METHODS = tuple(_TABLE_4.values())


class MethodSetting(NamedTuple):
    """What to measure."""

    methods: tuple[str, ...]
    """Names as accepted by `chromacord.methods.load_method`."""

    num_frames: int = 16
    """Length of the synthetic clip, rounded up to whole hops of each method's window."""

    repeats: int = 5
    threads: int = 1
    """Number of torch threads."""

    device: str = "cpu"
    """A key of `DEVICES`."""


def measure_methods(setting: MethodSetting, *, tell: Callable[[str], object] | None = None) -> Report:
    """Measure methods one after another. Only the method runs: no I/O, no fitting, no rendering.

    Args:
        setting: what to measure.
        tell: called with a progress line for each method.

    Returns:
        The output of `chromacord bench methods`: for each method minimum, median and maximum CPU and wall time over the
        repeats, in ms per window and per output frame (in the pipeline: per analysed frame), and billions of
        multiply-adds (GMAC) per frame.

    Raises:
        InputError: a method or another setting is invalid.
        MeasurementError: a measuring process failed; the message includes the last line of its output.
    """
    _check(setting)
    tell = tell or (lambda _: None)
    measured = {}
    for number, method in enumerate(setting.methods):
        tell(f"method {number + 1} of {len(setting.methods)}: {method}")
        work = {"frames": setting.num_frames, "repeats": setting.repeats, "device": setting.device}
        module = "chromacord.lab.bench.method_speed_worker"
        found = run_fresh(module, method, {**work, "threads": setting.threads}, threads=setting.threads)
        measured[method] = summarize_method(found)
    return {"setting": setting._asdict(), "methods": measured, **provenance()}


def summarize_method(found: Mapping[str, Any]) -> Report:
    """Convert the output of a method's process to its part of the report."""
    facts = {name: value for name, value in found.items() if name not in ("cpu_seconds", "seconds", "multiply_adds")}
    return {
        **facts,
        "gmac_per_frame": round(found["multiply_adds"] / found["frames"] / 1e9, 4),
        "cpu_ms_per_window": _spread(found["cpu_seconds"], found["windows"]),
        "cpu_ms_per_frame": _spread(found["cpu_seconds"], found["frames"]),
        "wall_ms_per_window": _spread(found["seconds"], found["windows"]),
        "wall_ms_per_frame": _spread(found["seconds"], found["frames"]),
    }


def speed_table(report: Mapping[str, Any]) -> Table:
    """Format the report of `measure_methods` as a table."""
    setting = report["setting"]
    rows = tuple(Row(name, _values(values)) for name, values in report["methods"].items())
    devices = sorted({values["device"] for values in report["methods"].values()})
    untrained = [name for name, values in report["methods"].items() if values["is_untrained"]]
    return Table(
        "speed",
        f"Methods alone, at the size they work at, on {', '.join(devices)}, torch threads: {setting['threads']}",
        _COLUMNS,
        rows,
        notes=(
            "Window: frames before + frames that come out + frames after. CPU time is the whole process's.",
            f"{setting['repeats']} repeats; medians where nothing else is said.",
            "GMAC: billions of multiplications with addition in convolutions and matrix products.",
            *([f"With random weights, since none ship: {', '.join(untrained)}."] if untrained else []),
        ),
    )


def window_table(report: Mapping[str, Any]) -> Table:
    """Format a report of `TABLE_4_METHODS` like the paper's Table 4, with the paper's times beside ours."""
    setting, methods = report["setting"], report["methods"]
    measured = [methods[name] for name in TABLE_4_METHODS]
    paper = paper_tables()[3]
    place = [column.key for column in paper.columns].index("time")
    rows = tuple(
        Row(
            f"{found['window']['hop']} frames",
            (
                found["wall_ms_per_window"]["median"] / 1000,
                found["wall_ms_per_frame"]["median"] / 1000,
                found["cpu_ms_per_frame"]["median"] / 1000,
                row.values[place],
            ),
        )
        for found, row in zip(measured, paper.rows, strict=True)
    )
    return Table(
        "windows",
        f"Time of a window of T frames, 256×256, flow included, on {measured[0]['device']}, torch threads: "
        f"{setting['threads']}",
        (
            Column("window", "s a window", 3),
            Column("frame", "s a frame", 3),
            Column("cpu", "CPU s a frame", 3),
            Column("paper", "the paper's time (s)", 3),
        ),
        rows,
        first="T",
        notes=(f"All frames of a window come out. The paper's: {SOURCE}, Table 4, one RTX 3090.",),
    )


def _values(found: Mapping[str, Any]) -> tuple[float | str, ...]:
    window = found["window"]
    frame = found["cpu_ms_per_frame"]
    return (
        f"{window['past']}+{window['hop']}+{window['future']}",
        found["parameters"],
        found["gmac_per_frame"],
        found["cpu_ms_per_window"]["median"],
        frame["min"],
        frame["median"],
        frame["max"],
        found["wall_ms_per_window"]["median"],
        found["wall_ms_per_frame"]["median"],
        found["peak_memory_mb"]["without_imports"],
    )


def _check(setting: MethodSetting) -> None:
    if not setting.methods:
        raise InputError("no method is given; `chromacord methods` lists them")
    for name, value in (("frames", setting.num_frames), ("repeats", setting.repeats), ("threads", setting.threads)):
        if value < 1:
            raise InputError(f"{name} must be 1 or more, got {value}")
    if setting.device not in DEVICES:
        raise InputError(f"there is no device {setting.device!r}; choose one of {', '.join(DEVICES)}")
    if setting.device == "cuda" and not torch.cuda.is_available():
        raise InputError("device cuda: torch finds none on this machine; measure on the cpu, or install torch for CUDA")
    # Check all methods before measuring the first.
    for method in setting.methods:
        load_method(method, weights=None) if lacks_weights(method) else load_method(method)


def _spread(seconds: Sequence[float], count: int) -> dict[str, float]:
    each = [1000 * value / count for value in seconds]
    return {"min": round(min(each), 3), "median": round(median(each), 3), "max": round(max(each), 3)}
