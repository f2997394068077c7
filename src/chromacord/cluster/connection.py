"""Connect to a Ray cluster, and check its nodes before any work starts."""

import logging
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chromacord.cluster.node_tasks import Node, describe_node
from chromacord.errors import InputError

INSTALL_RAY = "pip install 'ray>=2.50'"
SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",  # disable ray's usage reports
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # ray's future default; without it ray warns
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".*",  # ray prints messages about lost nodes to stdout, where only ours belongs
}
"""Environment variables that ray reads when it is imported; those that are set stay."""

_SECONDS_TO_ANSWER = 5.0
_SECONDS_TO_DESCRIBE = 120.0
_LOCAL = "local"

_SETTINGS = b"\x04"
_LEAST_ANSWER = 9
_GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + _SETTINGS + bytes(5)
"""A client's first bytes in HTTP/2, which Ray's head speaks: a preface and an empty SETTINGS frame. The server answers
with such a frame, whose header has nine bytes; the fourth is its type (RFC 9113, sections 3.4 and 4.1)."""


@contextmanager
def connected(address: str | None, *, folder: Path | None = None, libraries: Sequence[str] = ()) -> Iterator[Any]:
    """Connect to a cluster, or start one on this machine for as long as the context lasts.

    Args:
        address: "HOST:PORT" of the cluster's head; "auto": the cluster that runs on this machine, or that of
            $RAY_ADDRESS; None: start one here.
        folder: working folder of the tasks, which all nodes must have; None: tasks get absolute paths.
        libraries: packages, besides `node_tasks.LIBRARIES`, whose versions must agree.

    Yields:
        The module `ray`.

    Raises:
        InputError: ray is not installed, nothing answers at the address, the nodes' versions differ, or one
            lacks the folder.
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
        _check_nodes(ray, None if folder is None else str(folder), tuple(libraries))
        yield ray
    finally:
        ray.shutdown()


def _check_answers(address: str) -> None:
    """Refuse an address where nothing or something else listens: ray would wait for minutes, and end the process."""
    host, colon, port = address.rpartition(":")
    if not colon or not host or "/" in host or not port.isdecimal() or not 0 < int(port) < 1 << 16:
        raise InputError(f"--address {address}: is not HOST:PORT; give the address that `ray start --head` printed")
    problem = ""
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=_SECONDS_TO_ANSWER) as opened:
            if os.environ.get("RAY_USE_TLS", "0") == "0":
                opened.sendall(_GREETING)
                answer = opened.recv(_LEAST_ANSWER, socket.MSG_WAITALL)
                problem = "" if answer[3:4] == _SETTINGS else "something else does"
    except OSError as error:
        problem = error.strerror or str(error)
    if problem:
        raise InputError(
            f"--address {address}: no Ray cluster answers there ({problem}); start one with `ray start --head`, or "
            "correct the address"
        ) from None


def _check_nodes(ray: Any, folder: str | None, libraries: tuple[str, ...]) -> None:
    """Refuse nodes that would give other results than this machine, or none."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    ours = describe_node(folder, libraries)
    task = ray.remote(num_cpus=0, max_retries=0)(describe_node)
    nodes = [node for node in ray.nodes() if node["Alive"]]
    asked = {
        # One task pinned to each node, all started before waiting for any.
        task.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)).remote(
            folder, libraries
        ): node
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
                f"chromacord {ours.versions['chromacord']} there"
            ) from None
        except ray.exceptions.RayError:
            continue  # the node died a moment ago; its tasks will run elsewhere
        check_same(name, theirs, ours)
        if not theirs.has_folder:
            raise InputError(f"{name}: has no folder {folder}; start the command in a folder that all machines share")


def check_same(name: str, theirs: Node, ours: Node) -> None:
    """Refuse a node whose versions differ from this machine's.

    Raises:
        InputError: names the node and what differs.
    """
    for what, mine in ours.versions.items():
        other = theirs.versions.get(what)
        if other != mine:
            raise InputError(
                f"{name}: has {f'{what} {other}' if other else f'no {what}'}, this machine has {mine or 'none'}; "
                "install the same on all nodes"
            )
