"""Record where figures come from: commit, machine, and library versions."""

import os
import platform
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from chromacord.render.compiled import renderer_name

PACKAGES = ("chromacord", "torch", "numpy", "av", "opencv-python-headless", "opencolorio")


def provenance() -> Mapping[str, object]:
    """Return machine, versions, commit and whether the compiled renderer is present, for a JSON file of figures."""
    return {
        "machine": {"cpu": _cpu_name(), "cores": os.cpu_count(), "system": platform.platform()},
        "versions": {"python": platform.python_version(), **_versions()},
        "commit": commit(),
        "compiled_render": renderer_name() == "compiled",
    }


def _versions() -> dict[str, str | None]:
    """Return the version of each of `PACKAGES`; None if it is not installed."""
    found: dict[str, str | None] = dict.fromkeys(PACKAGES)
    for name in PACKAGES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def _cpu_name() -> str:
    known = Path("/proc/cpuinfo")  # Linux
    for line in known.read_text(encoding="utf-8").splitlines() if known.exists() else ():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def code_version() -> str:
    """Return the package's version and, in a clone, the commit."""
    found = commit()
    return version("chromacord") + (f" ({found})" if found else "")


def commit() -> str | None:
    """Return `git describe` of the working tree, with "-dirty" for uncommitted changes; None outside a clone."""
    root = Path(__file__).parents[4]
    # An installed package may lie inside another repository, whose commits are unrelated.
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "describe", "--always", "--dirty"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return done.stdout.strip() or None
