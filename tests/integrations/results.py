"""Keep the results of tests with real programs, for the record in benchmarks/results."""

import json
import os
import subprocess
from datetime import UTC, datetime

from tests.pages import ROOT


def record(name: str, python: str | None, *packages: str, **figures: object) -> None:
    """Add a result to the JSON file that CHROMACORD_INTEGRATIONS names, if it is set.

    Args:
        name: the integration.
        python: the interpreter with the packages; None if figures state their own versions.
        packages: distributions whose versions are kept.
        figures: the measurements.
    """
    target = os.environ.get("CHROMACORD_INTEGRATIONS")
    if target is None:
        return
    file = ROOT / target  # tests work in folders of their own
    known = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    versions = {}
    for package in packages if python is not None else ():
        code = f"from importlib.metadata import version; print(version({package!r}))"
        versions[package] = subprocess.run(
            [str(python), "-c", code], capture_output=True, text=True, check=True
        ).stdout.strip()
    rounded = {key: round(value, 3) if isinstance(value, float) else value for key, value in figures.items()}
    known[name] = {"day": datetime.now(UTC).date().isoformat(), "versions": versions, **rounded}
    file.write_text(json.dumps(known, indent=2, sort_keys=True) + "\n", encoding="utf-8")
