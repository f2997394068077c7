"""What transform and blend cost by themselves, on frames that lie in memory, against a plain copy of the same bytes."""

import time
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import torch

from chromacord.color.transforms import AffineField, ColorTransform, Lut3d, lattice
from chromacord.evaluation.provenance import provenance
from chromacord.evaluation.speed import MeasurementError, Report, check_setting
from chromacord.evaluation.speed_clips import SIZES, describe, made_frames
from chromacord.evaluation.tables import Column, Row, Table, Value
from chromacord.pipeline.device import find_device, open_renderer
from chromacord.pipeline.device_render import DeviceRenderer, Sent
from chromacord.pipeline.masks import MaskedFrame, MaskReader
from chromacord.pipeline.prefetch import single_threaded
from chromacord.pipeline.render import Renderer
from chromacord.types import VideoInfo

_COLUMNS = (
    Column("whole", "frame to frame: ms", 3),
    Column("whole_rate", "frames/s", 1),
    Column("whole_ratio", "times a copy", 1),
    Column("resident", "on the device: ms", 3),
    Column("resident_rate", "frames/s", 1),
    Column("resident_ratio", "times a copy", 1),
    Column("fused", "compiled: ms", 3),
    Column("fused_rate", "frames/s", 1),
    Column("fused_ratio", "times a copy", 1),
)


class RenderSetting(NamedTuple):
    """What is measured."""

    size: str = "4k"
    """A key of `chromacord.evaluation.speed_clips.SIZES`; 8-bit 4:2:0."""

    device: str = "cpu"
    foreground: float = 0.25
    """Share of the picture that the mask covers; its box is larger by 4 / pi."""

    num_frames: int = 8
    """Held in memory, and rendered in turn: more than a GPU's cache holds."""

    repeats: int = 5
    """How often all frames are rendered; medians are reported."""


def measure_render(setting: RenderSetting, *, tell: Callable[[str], object] | None = None) -> Report:
    """Measure the renderer of a device. Every frame has a grade of its own, as when a grade moves.

    Args:
        setting: what to measure.
        tell: called with a line for each thing that is done.

    Returns:
        What `chromacord bench render` prints: for each kind of grade ms and frames a second, from frame to frame in the
        host's memory ("whole") and, on a GPU, of what has been uploaded, with a kernel for each step ("resident") and
        compiled ("fused"); bytes that a frame must move; and how often longer than a copy of as many bytes on that
        device it takes.

    Raises:
        InputError: a value of the setting cannot be used.
        MeasurementError: the device's frames are not those of the CPU.
    """
    check_setting(
        setting.size, setting.foreground, num_frames=setting.num_frames, repeats=setting.repeats, fewest_frames=1
    )
    tell = tell or (lambda _: None)
    device = torch.device(find_device(setting.device))
    with single_threaded(), torch.inference_mode():
        tell(f"making {setting.num_frames} frames of {setting.size}")
        info, frames = _frames(setting)
        sent = DeviceRenderer(info, device=device).send(frames[0])
        num_bytes = _bytes_touched(sent)
        copy = _spread(_copies(num_bytes, device, setting))
        grades: dict[str, object] = {}
        difference = 0
        for kind, transforms in _transforms(setting.num_frames).items():
            tell(f"grade: {kind}")
            difference = max(difference, _difference(info, frames[0], transforms[0], device))
            grades[kind] = _measured(info, frames, transforms, device, setting, copy["median"])
    return {
        "setting": setting._asdict(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "box": {"height": sent.padded.height, "width": sent.padded.width},
        "bytes_per_frame": num_bytes,
        "copy": {"ms_per_frame": copy, "gb_per_s": round(num_bytes / copy["median"] / 1e6, 1)},
        "largest_difference_from_cpu": difference,
        "grades": grades,
        **provenance(),
    }


def render_table(report: Mapping[str, Any]) -> Table:
    """Return the report of `measure_render` as a table."""
    setting, box = report["setting"], report["box"]
    return Table(
        "render",
        f"Transform and blend alone, {setting['size']}, 8-bit 4:2:0, on {report['device']}",
        _COLUMNS,
        tuple(Row(kind, _values(found)) for kind, found in report["grades"].items()),
        first="grade",
        notes=(
            f"A box of {box['width']}×{box['height']}: {report['bytes_per_frame'] / 1e6:.1f} MB a frame to read and "
            f"write; a plain copy of as many bytes takes {report['copy']['ms_per_frame']['median']:.3f} ms "
            f"({report['copy']['gb_per_s']} GB/s).",
            f"Largest difference from the CPU's renderer: {report['largest_difference_from_cpu']} of 255.",
        ),
    )


def _frames(setting: RenderSetting) -> tuple[VideoInfo, list[MaskedFrame]]:
    info = describe(SIZES[setting.size], setting.num_frames)
    reader = MaskReader(info, info)
    pairs = made_frames(SIZES[setting.size], setting.num_frames, setting.foreground)
    return info, [MaskedFrame(composite, reader.read(mask)) for composite, mask in pairs]


def _transforms(count: int) -> dict[str, list[ColorTransform]]:
    """Return grades that differ a little from frame to frame, by their kind."""
    shares = [0.1 + 0.02 * number for number in range(count)]
    identity = np.eye(3, 4, dtype=np.float32)[None, :, :, None, None]
    darker = np.array([0.85, 0.9, 0.95], np.float32)[:, None]
    return {
        "lut": [Lut3d(lattice(9)[None] ** (1 + share)) for share in shares],
        "affine": [
            AffineField((identity * (darker - share).reshape(1, 3, 1, 1, 1) + 0.03).astype(np.float32))
            for share in shares
        ],
    }


def _difference(info: VideoInfo, masked: MaskedFrame, transform: ColorTransform, device: torch.device) -> int:
    """Return by how many codes the torch renderer differs from the CPU's, at most.

    Raises:
        MeasurementError: by more than one.
    """
    expected = Renderer(info).render(masked, transform)
    made = DeviceRenderer(info, device=device).render(masked, transform)
    pairs = zip(expected.planes, made.planes, strict=True)
    found = max(int(np.abs(one.astype(np.int32) - other.astype(np.int32)).max()) for one, other in pairs)
    if found > 1:
        raise MeasurementError(f"device {device}: a frame differs from the CPU's by {found} of 255, so nothing counts")
    return found


def _measured(
    info: VideoInfo,
    frames: Sequence[MaskedFrame],
    transforms: Sequence[ColorTransform],
    device: torch.device,
    setting: RenderSetting,
    copy: float,
) -> dict[str, object]:
    renderer = open_renderer(info, device="cuda" if device.type == "cuda" else "cpu")

    def whole() -> None:
        for masked, transform in zip(frames, transforms, strict=True):
            renderer.render(masked, transform)

    found: dict[str, object] = {"whole": _rates(_times(whole, device, setting), copy)}
    if device.type == "cuda":
        for name, fuse_after in (("resident", None), ("fused", 0)):
            resident = _resident(info, frames, transforms, device, fuse_after)
            found[name] = _rates(_times(resident, device, setting), copy)
    return found


def _resident(
    info: VideoInfo,
    frames: Sequence[MaskedFrame],
    transforms: Sequence[ColorTransform],
    device: torch.device,
    fuse_after: int | None,
) -> Callable[[], None]:
    """Upload all frames, and return what grades them there. A renderer for each frame, since each holds one box."""
    held = [DeviceRenderer(info, device=device, fuse_after=fuse_after) for _ in frames]
    sent = [renderer.send(masked) for renderer, masked in zip(held, frames, strict=True)]

    def grade() -> None:
        for renderer, box, transform in zip(held, sent, transforms, strict=True):
            renderer.grade(box, transform)

    return grade


def _bytes_touched(sent: Sent) -> int:
    """Return what must be moved at least: the planes of the box and its mask read, the planes written."""
    planes = [*sent.composite.colors, sent.weights.codes, *sent.results]
    return sum(plane.numel() * plane.element_size() for plane in planes)


def _copies(num_bytes: int, device: torch.device, setting: RenderSetting) -> list[float]:
    """Return ms of plain copies that read and write `num_bytes` together, from one place of memory to another."""
    half = num_bytes // 2
    memory = torch.zeros(2 * setting.num_frames, half, dtype=torch.uint8, device=device)

    def copy() -> None:
        for number in range(setting.num_frames):
            memory[2 * number].copy_(memory[2 * number + 1])

    return _times(copy, device, setting)


def _times(work: Callable[[], None], device: torch.device, setting: RenderSetting) -> list[float]:
    """Return wall ms a frame of each repeat, after one that does not count."""
    times = []
    for _ in range(setting.repeats + 1):
        _wait(device)
        started = time.perf_counter()
        work()
        _wait(device)
        times.append(1000 * (time.perf_counter() - started) / setting.num_frames)
    return times[1:]


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _rates(times: Sequence[float], copy: float) -> dict[str, object]:
    spread = _spread(times)
    return {
        "ms_per_frame": spread,
        "frames_per_second": round(1000 / spread["median"], 2),
        "times_a_copy": round(spread["median"] / copy, 2),
    }


def _spread(times: Sequence[float]) -> dict[str, float]:
    return {"min": round(min(times), 4), "median": round(median(times), 4), "max": round(max(times), 4)}


def _values(found: Mapping[str, Any]) -> tuple[Value, ...]:
    values: list[Value] = []
    for name in ("whole", "resident", "fused"):
        part = found.get(name)
        values += (
            [part["ms_per_frame"]["median"], part["frames_per_second"], part["times_a_copy"]] if part else [None] * 3
        )
    return tuple(values)
