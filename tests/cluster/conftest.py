"""A real Ray cluster of three nodes on this machine."""

import os
from collections.abc import Iterator
from typing import Any

import pytest

from benchmarks.cluster_speed import start_cluster
from chromacord.cluster.connection import SETTINGS

# Here, and not where a cluster is made: a test that only asks whether there is ray imports it, and then they are read.
for name, value in SETTINGS.items():
    os.environ.setdefault(name, value)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Any]:
    pytest.importorskip("ray", reason="needs the extra `cluster`")
    with start_cluster(3) as made:
        yield made


def kill_a_node(cluster: Any) -> None:
    """Kill a node that is not the head, as a machine dies."""
    victim = next(node for node in cluster.list_all_nodes() if not node.head)
    cluster.remove_node(victim, allow_graceful=False)
