"""This process's share of the cores for decoding and encoding."""

import os

_share: int | None = None


def share_cores(cores: int | None) -> None:
    """Set this process's share of the cores; files that are already open keep their threads.

    Args:
        cores: at least 1; None: all cores, with encoders choosing their number of threads.
    """
    global _share
    _share = cores


def core_share() -> int | None:
    """Return the last value passed to `share_cores`."""
    return _share


def num_cores() -> int:
    """Return the number of cores that this process may use."""
    return _share or all_cores()


def all_cores() -> int:
    """Return the number of cores that the system lets this process use, whatever its share."""
    allowed = getattr(os, "sched_getaffinity", None)  # Linux alone has it
    return len(allowed(0)) if allowed is not None else os.cpu_count() or 1
