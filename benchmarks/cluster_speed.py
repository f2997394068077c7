"""Measure a Ray cluster of several nodes on this machine: the engine's overhead, and one clip on 1, 2 and 4 nodes.

    python -m benchmarks cluster --output benchmarks/results/cluster.json

All nodes share this machine's cores, so wall time means little with more nodes than cores. CPU time of the tasks and of
the command is compared instead.
"""

import os
import resource
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av

from chromacord.lab.bench.provenance import provenance

NODE = {"num_cpus": 1, "object_store_memory": 80 << 20}
SIZE = (1280, 720)
NUM_FRAMES, CHUNK_FRAMES = 480, 120


def measure(*, repeats: int = 3, nodes: tuple[int, ...] = (1, 2, 4)) -> dict[str, Any]:
    """Measure one clip in chunks on clusters of several sizes, and the same work without an engine.

    Args:
        repeats: runs of each; medians are reported.
        nodes: numbers of nodes.

    Returns:
        CPU and wall seconds for one machine and for each cluster. "engine_share" is the CPU time of the command, which
        schedules, as a share of all tasks' CPU time.
    """
    import cv2

    from chromacord import harmonize_video
    from chromacord.cluster.connection import connected
    from chromacord.cluster.engine import Asked, Engine, Finished
    from chromacord.io.cores import share_cores
    from chromacord.job.options import Options
    from chromacord.types import Encoding

    options = Options(encoding=Encoding(preset="veryfast"), force=True)
    result: dict[str, Any] = {"frames": NUM_FRAMES, "chunk_frames": CHUNK_FRAMES, "cores": os.cpu_count(), "runs": []}
    with tempfile.TemporaryDirectory() as folder:
        files: dict[str, Any] = make_clips(Path(folder), 1, NUM_FRAMES, size=SIZE, suffix=".mp4")[0]
        share_cores(1)
        cv2.setNumThreads(1)
        times = []
        for _ in range(repeats):
            wall, cpu = time.perf_counter(), time.process_time()
            harmonize_video(**files, options=options)
            times.append((time.perf_counter() - wall, time.process_time() - cpu))
        result["one_machine"] = {"wall": _median(times, 0), "cpu": _median(times, 1)}
        for number in nodes:
            with start_cluster(number) as cluster, connected(cluster.address) as ray:
                samples = []
                for _ in range(repeats + 1):
                    wall, cpu = time.perf_counter(), _own_cpu()
                    with Engine(ray, chunk_frames=CHUNK_FRAMES) as engine:
                        last = [told for _, told in engine.run([Asked("clip", files, options)])][-1]
                    assert isinstance(last, Finished)
                    assert last.error is None, last.error
                    samples.append((time.perf_counter() - wall, last.cpu_seconds, _own_cpu() - cpu))
                samples = samples[1:]  # the first one starts the worker processes, which then stay
                tasks, own = _median(samples, 1), _median(samples, 2)
                run = {"nodes": number, "wall": _median(samples, 0), "tasks_cpu": tasks, "command_cpu": own}
                result["runs"].append({**run, "engine_share": round(own / tasks, 4)})
                print(result["runs"][-1], flush=True)
    return {**result, **provenance()}


def make_clips(
    folder: Path, number: int, num_frames: int, *, size: tuple[int, int] = (96, 72), suffix: str = ".mkv"
) -> list[dict[str, Any]]:
    """Write clips with masks, and return their files by arguments of `harmonize_video`."""
    import numpy as np

    made = []
    for index in range(number):
        files = {"composite": folder / f"{index}.mp4", "mask": folder / f"{index}_mask.mkv"}
        rows, columns = np.mgrid[0 : size[1], 0 : size[0]]
        for name, path in files.items():
            with av.open(str(path), "w") as container:
                options = {"preset": "veryfast"} if name == "composite" else {}
                stream: Any = container.add_stream("libx264" if options else "ffv1", rate=25, options=options)
                stream.width, stream.height, stream.pix_fmt = *size, "yuv420p" if options else "gray"
                for at in range(num_frames):
                    center = size[0] * (0.3 + 0.4 * at / num_frames)
                    inside = np.hypot(columns - center, rows - size[1] / 2) < size[1] / 4
                    values = np.where(inside, 255, 0) if not options else np.where(inside, 150, 60 + columns % 97)
                    frame = av.VideoFrame.from_ndarray(values.astype(np.uint8), format="gray")
                    container.mux(stream.encode(frame.reformat(format=stream.pix_fmt)))
                container.mux(stream.encode(None))
        made.append({key: str(path) for key, path in files.items()} | {"output": str(folder / f"{index}_out{suffix}")})
    return made


def pixels_of(path: Path) -> list[bytes]:
    """Return all decoded frames of a video."""
    with av.open(str(path)) as container:
        return [frame.to_ndarray().tobytes() for frame in container.decode(video=0)]


@contextmanager
def start_cluster(number: int) -> Iterator[Any]:
    """Start a cluster of several nodes on this machine, each with one core."""
    from chromacord.cluster.connection import SETTINGS

    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    from ray.cluster_utils import Cluster

    cluster = Cluster()
    try:
        add_node(cluster, include_dashboard=False)
        for _ in range(number - 1):
            add_node(cluster)
        yield cluster
    finally:
        cluster.shutdown()


def add_node(cluster: Any, *, tries: int = 4, **more: Any) -> None:
    """Add a node; the first one is the head. Ray gives each 30 seconds to start, which a busy machine may exceed."""
    for left in reversed(range(tries)):
        try:
            cluster.add_node(**NODE, **more)
        except Exception as error:  # ray raises just this
            if left == 0 or "timed out during startup" not in str(error):
                raise
        else:
            return


def _own_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _median(samples: list[Any], place: int) -> float:
    return float(round(statistics.median(sample[place] for sample in samples), 3))
