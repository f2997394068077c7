"""Worker process of `chromacord bench methods`, run as `python -m ...method_speed_worker METHOD JSON`."""

import json
import math
import sys
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from chromacord.lab.bench.fresh_process import peak_megabytes
from chromacord.lab.networks.grade_network import GradeNetwork
from chromacord.lab.networks.lookup import network_of
from chromacord.methods import lacks_weights, load_method
from chromacord.methods.base import Method, State, Window
from chromacord.types import Device, Size

SIZE = Size(256, 256)
"""Frame size for methods that accept any size: the size at which the others work."""

_SHARE = 0.25
"""Share of the picture that the mask covers."""

_TINT = (1.25, 1.0, 0.8)
"""Gains of the foreground's red, green and blue, so that there is something to harmonize."""


class Work(NamedTuple):
    """Measurement settings."""

    frames: int
    repeats: int
    device: Device
    threads: int


class SyntheticClip(NamedTuple):
    """A synthetic clip, or one window of it."""

    composite: Tensor
    """RGB in [0, 1]. Shape (T, 3, H, W), or (1, L, 3, H, W) for a window."""

    mask: Tensor
    """Foreground weight. Shape (T, 1, H, W), or (1, L, 1, H, W) for a window."""


def make_clip(num_frames: int, size: Size) -> SyntheticClip:
    """Make a smooth, slowly changing clip with a soft, tinted disc that moves back and forth.

    Args:
        num_frames: number of frames, T.
        size: height and width.
    """
    ends = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    first, last = functional.interpolate(ends, tuple(size), mode="bicubic", align_corners=False).clamp(0, 1)
    times = torch.linspace(0, 1, num_frames)[:, None, None, None]
    scene = torch.lerp(first, last, times)
    rows, columns = torch.arange(size.height)[:, None], torch.arange(size.width)[None, :]
    centers = size.width * (0.5 + 0.1 * torch.sin(2 * math.pi * times))
    distance = torch.hypot((rows - size.height / 2).float(), columns - centers)
    radius = math.sqrt(_SHARE * size.height * size.width / math.pi)
    mask = ((radius - distance) / 3 + 0.5).clamp(0, 1)
    tinted = (scene * torch.tensor(_TINT)[:, None, None]).clamp(0, 1)
    return SyntheticClip(torch.lerp(scene, tinted, mask), mask)


def measure(name: str, work: Work) -> Mapping[str, object]:
    """Load a method, warm it up on the whole clip, then time several runs over the clip.

    Args:
        name: as for `load_method`. If no weights ship, random ones are used: they cost the same.
        work: measurement settings.

    Returns:
        The method's properties, CPU and wall seconds of each run, and the number of multiply-adds in one.
    """
    # The peak so far is that of the imports.
    floor = peak_megabytes()
    device = torch.device(work.device)
    is_untrained = lacks_weights(name)
    method = (load_method(name, weights=None) if is_untrained else load_method(name)).on(work.device)
    size = method.working_size or SIZE
    hop = method.window.hop
    clip = make_clip(hop * math.ceil(work.frames / hop), size)
    pieces = cut(clip, method.window)
    _run(method, pieces)
    cpu_seconds, seconds = [], []
    for _ in range(work.repeats):
        wall, cpu = time.perf_counter(), time.process_time()
        _run(method, pieces)
        cpu_seconds.append(time.process_time() - cpu)
        seconds.append(time.perf_counter() - wall)
    peak = peak_megabytes()
    is_cuda = device.type == "cuda"
    return {
        "window": {**method.window._asdict(), "length": method.window.length},
        "size": list(size),
        "parameters": sum(parameter.numel() for parameter in network_of(method).parameters()),
        "is_untrained": is_untrained,
        "device": torch.cuda.get_device_name(device) if is_cuda else "cpu",
        "frames": len(clip.composite),
        "windows": len(pieces),
        "cpu_seconds": cpu_seconds,
        "seconds": seconds,
        "multiply_adds": _multiply_adds(method, pieces),
        "peak_memory_mb": {
            "whole": round(peak, 1),
            "without_imports": round(peak - floor, 1),
            **({"device": round(torch.cuda.max_memory_allocated(device) / 1e6, 1)} if is_cuda else {}),
        },
    }


def cut(clip: SyntheticClip, window: Window) -> list[SyntheticClip]:
    """Cut a clip into windows as the pipeline does, as views: copying must not count as the method's cost.

    Args:
        clip: a whole number of hops.
        window: as declared by the method.

    Returns:
        Composite and mask of each window. Shape (1, L, C, H, W).
    """
    last = len(clip.composite) - 1
    places = torch.arange(-window.past, last + 1 + window.future).clamp(0, last)
    composite, mask = clip.composite[places], clip.mask[places]
    spans = [slice(start, start + window.length) for start in range(0, last + 1, window.hop)]
    return [SyntheticClip(composite[span][None], mask[span][None]) for span in spans]


def _run(method: Method, pieces: Sequence[SyntheticClip]) -> None:
    state: State = None
    for composite, mask in pieces:
        state = method.harmonize(composite.numpy(), mask.numpy(), state).state


def _multiply_adds(method: Method, pieces: Sequence[SyntheticClip]) -> int:
    """Count multiply-adds of convolutions and matrix products over the clip; other operations are negligible.

    A network that runs in another library is counted through its torch twin, once per frame.
    """
    network = network_of(method)
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        if isinstance(network, GradeNetwork):
            for composite, mask in pieces:
                network(composite.flatten(0, 1), mask.flatten(0, 1))
        else:
            _run(method, pieces)
    return int(counter.get_total_flops()) // 2


def main() -> None:
    """Measure a method and print the result as JSON."""
    work = Work(**json.loads(sys.argv[2]))
    torch.set_num_threads(work.threads)
    print(json.dumps(measure(sys.argv[1], work)))


if __name__ == "__main__":
    main()
