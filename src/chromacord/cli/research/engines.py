"""Select the engine for research commands: processes on this machine, or a Ray cluster."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from chromacord.lab.data.pool import Engine


class Chosen(NamedTuple):
    """The options of a command."""

    engine: str
    jobs: int
    """Number of processes on this machine; 0: one per core."""

    address: str | None
    retries: int


@contextmanager
def opened(chosen: Chosen) -> Iterator["Engine"]:
    """Connect to the cluster and check its nodes, if the options select one.

    Raises:
        InputError: no cluster answers, its nodes differ, or one lacks the working folder.
    """
    from chromacord.io.cores import all_cores
    from chromacord.lab.data.pool import Processes

    if chosen.engine == "local":
        yield Processes(chosen.jobs or all_cores())
        return
    from chromacord.cluster.connection import connected
    from chromacord.cluster.spread import Spread

    folder = Path.cwd()
    with connected(chosen.address, folder=folder, libraries=("torch",)) as ray:
        yield Spread(ray, folder=folder, retries=chosen.retries)
