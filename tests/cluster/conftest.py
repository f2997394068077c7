"""A real Ray cluster of three nodes on this machine."""

import os
from collections.abc import Iterator
from typing import Any

import pytest

from chromacord.cluster.connection import SETTINGS

NODE = {"num_cpus": 1, "object_store_memory": 80 << 20}

# Here, and not where a cluster is made: a test that only asks whether there is ray imports it, and then they are read.
for name, value in SETTINGS.items():
    os.environ.setdefault(name, value)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Any]:
    pytest.importorskip("ray", reason="needs the extra `cluster`")
    from ray.cluster_utils import Cluster

    made = Cluster()
    add_a_node(made, include_dashboard=False)
    for _ in range(2):
        add_a_node(made)
    yield made
    made.shutdown()


def add_a_node(cluster: Any, *, tries: int = 4, **more: Any) -> None:
    """Add a node; the first one is the head. Ray gives each 30 seconds to start, which a busy machine may exceed."""
    for left in reversed(range(tries)):
        try:
            cluster.add_node(**NODE, **more)
        except Exception as error:  # ray raises just this
            if left == 0 or "timed out during startup" not in str(error):
                raise
        else:
            return


def kill_a_node(cluster: Any) -> None:
    """Kill a node that is not the head, as a machine dies."""
    victim = next(node for node in cluster.list_all_nodes() if not node.head)
    cluster.remove_node(victim, allow_graceful=False)
