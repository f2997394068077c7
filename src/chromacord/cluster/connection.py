"""Connect to a Ray cluster, and check its nodes before any work starts."""

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from chromacord.cluster.node_tasks import Node, describe_node
from chromacord.errors import InputError

INSTALL_RAY = "pip install 'ray>=2.50'"
SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",  # ray would report to a server of its makers
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # its future default, without which it warns
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".*",  # it prints messages about lost nodes on stdout, which is ours
}
"""Environment variables that ray reads when it is imported; those that are set stay."""

_SECONDS_TO_ANSWER = 5.0
_SECONDS_TO_DESCRIBE = 120.0
_LOCAL = "local"


@contextmanager
def connected(address: str | None) -> Iterator[Any]:
    """Connect to a cluster, or start one on this machine for as long as the context lasts.

    Args:
        address: "HOST:PORT" of the cluster's head; "auto": the cluster that runs on this machine, or that of
            $RAY_ADDRESS; None: start one here.

    Yields:
        The module `ray`.

    Raises:
        InputError: ray is not installed, nothing answers at the address, or the nodes' versions differ.
    """
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    try:
        import ray
    except ModuleNotFoundError:
        raise InputError(f"--engine ray needs ray, which is not installed: {INSTALL_RAY}") from None
    if address is not None and address != "auto":
        _check_answers(address)
    try:
        ray.init(
            address=address or _LOCAL,
            log_to_driver=False,
            logging_level=logging.ERROR,
            configure_logging=False,
            **({} if address else {"include_dashboard": False}),
        )
    except (ConnectionError, RuntimeError, ValueError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise InputError(f"--address {address or _LOCAL}: cannot join the cluster: {reason}") from error
    try:
        _check_versions(ray)
        yield ray
    finally:
        ray.shutdown()


def _check_answers(address: str) -> None:
    """Refuse an address where nothing listens; ray itself would wait for minutes."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon or not host or not port.isdecimal() or not 0 < int(port) < 1 << 16:
        raise InputError(f"--address {address}: is not HOST:PORT; give the address that `ray start --head` printed")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_SECONDS_TO_ANSWER).close()
    except OSError as error:
        raise InputError(
            f"--address {address}: no Ray cluster answers there ({error.strerror or error}); start one with "
            "`ray start --head`, or correct the address"
        ) from None


def _check_versions(ray: Any) -> None:
    """Refuse nodes that would give other results, or none, than this machine."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    ours = describe_node()
    task = ray.remote(num_cpus=0, max_retries=0)(describe_node)
    nodes = [node for node in ray.nodes() if node["Alive"]]
    asked = {
        # One task pinned to each node, all asked before any answer is waited for.
        task.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)).remote(): node
        for node in nodes
    }
    for answer, node in asked.items():
        name = f"node {node['NodeManagerAddress']} ({node['NodeManagerHostname']})"
        try:
            theirs: Node = ray.get(answer, timeout=_SECONDS_TO_DESCRIBE)
        except ray.exceptions.RayTaskError as error:
            reason = str(getattr(error, "cause", None) or error).strip().splitlines()
            raise InputError(
                f"{name}: cannot run chromacord ({reason[-1] if reason else type(error).__name__}); install "
                f"chromacord {ours.chromacord} there"
            ) from None
        except ray.exceptions.RayError:
            continue  # it died a moment ago; the tasks will run elsewhere
        check_same(name, theirs, ours)


def check_same(name: str, theirs: Node, ours: Node) -> None:
    """Refuse a node whose versions differ from this machine's.

    Raises:
        InputError: names the node and what differs.
    """
    for field, mine in ours._asdict().items():
        other = getattr(theirs, field)
        if other != mine:
            raise InputError(f"{name}: has {field} {other}, this machine has {mine}; install the same on all nodes")
