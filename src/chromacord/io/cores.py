"""This process's share of the cores for decoding and encoding."""

import os

_share: int | None = None


def share_cores(cores: int | None) -> None:
    """Say how many cores are this process's share; files that are open already keep their threads.

    Args:
        cores: at least 1; None: all, and encoders take as many threads as they think best.
    """
    global _share
    _share = cores


def core_share() -> int | None:
    """Return what `share_cores` was last told."""
    return _share


def num_cores() -> int:
    """Return how many cores this process may use."""
    return _share or len(os.sched_getaffinity(0))
