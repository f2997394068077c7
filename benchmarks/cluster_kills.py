"""Kill nodes of a Ray cluster at random while clips are harmonized; nothing may be lost.

python -m benchmarks cluster-kills --kills 20 --output benchmarks/results/cluster_kills.json
"""

import random
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.cluster_speed import add_node, make_clips, pixels_of, start_cluster
from chromacord.lab.bench.provenance import provenance

CHUNK_FRAMES = 8
NUM_FRAMES = 160
SHARE = 0.2
"""Probability that a node is killed when a chunk is finished."""

MOST_SECONDS = 0.3
"""Longest time from then to the kill."""


def survive(kills: int, *, seed: int = 0) -> dict[str, Any]:
    """Harmonize clips again and again until enough nodes were killed in the middle.

    Args:
        kills: number of nodes to kill, one at a time, each replaced by a new one.
        seed: of the times and the choice of nodes.

    Returns:
        Numbers of runs, kills, frames and lost frames, and whether every run gave the same pixels as one machine.
    """
    from chromacord import harmonize_video
    from chromacord.cluster.connection import connected
    from chromacord.cluster.engine import Asked, Engine, Finished
    from chromacord.job.options import Options
    from chromacord.types import Encoding

    options = Options("mkl", encoding=Encoding("ffv1"), force=True)
    dice, log = random.Random(seed), []
    with tempfile.TemporaryDirectory() as folder, start_cluster(3) as cluster:
        files: dict[str, Any] = make_clips(Path(folder), 1, NUM_FRAMES)[0]
        single = Path(folder, "single.mkv")
        harmonize_video(**{**files, "output": str(single)}, options=options)
        wanted = pixels_of(single)
        killer = _Killer(cluster, kills, dice)
        with connected(cluster.address) as ray:
            while killer.num_killed < kills:
                last: Any = None
                with Engine(ray, chunk_frames=CHUNK_FRAMES, retries=20) as engine:
                    for _, last in engine.run([Asked("clip", files, options)]):
                        killer.tempt(last)
                assert isinstance(last, Finished)
                pixels = pixels_of(Path(files["output"])) if last.error is None else []
                log.append({"kills_so_far": killer.num_killed, "frames": len(pixels), "equal": pixels == wanted})
                print(log[-1], flush=True)
    return {
        **provenance(),
        "nodes": 3,
        "kills": killer.num_killed,
        "runs": len(log),
        "frames_wanted": len(log) * len(wanted),
        "frames_lost": sum(len(wanted) - each["frames"] for each in log),
        "runs_that_equal_one_machine": sum(each["equal"] for each in log),
        "log": log,
    }


class _Killer:
    """Kills a worker node after a random time when chunks are finished, while others are rendered, and adds another."""

    def __init__(self, cluster: Any, kills: int, dice: random.Random) -> None:
        self._cluster, self._kills, self._dice = cluster, kills, dice
        self.num_killed = 0

    def tempt(self, told: Any) -> None:
        """Kill a node, perhaps, on hearing of progress."""
        from chromacord.types import Progress

        is_under_way = isinstance(told, Progress) and told.total is not None and told.done < told.total
        if not is_under_way or self.num_killed == self._kills or self._dice.random() > SHARE:
            return
        time.sleep(self._dice.uniform(0, MOST_SECONDS))
        victims = [node for node in self._cluster.list_all_nodes() if not node.head]
        self._cluster.remove_node(self._dice.choice(victims), allow_graceful=False)
        self.num_killed += 1
        add_node(self._cluster)
