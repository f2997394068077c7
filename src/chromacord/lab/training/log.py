"""A run's log: JSON lines, TensorBoard, and the validation curve."""

import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from chromacord.io.writing.staging import output_errors, write_text
from chromacord.parsing import read_file

LOG = "log.jsonl"
CURVE = "curve.svg"

_MAX_BYTES = 1 << 30


class RunLog:
    """The log of one run. If the run resumes from a checkpoint, later lines are removed.

    Only one process of a run may open it.
    """

    def __init__(self, folder: Path, *, step: int) -> None:
        """Open the log.

        Args:
            folder: folder of the run.
            step: number of completed steps over all stages; later lines are removed.
        """
        from torch.utils.tensorboard import SummaryWriter

        path = folder / LOG
        content = read_file(path, limit=_MAX_BYTES, remedy="remove it") if path.exists() else b""
        lines = content.decode(errors="replace").splitlines()
        self._entries = [entry for entry in map(_parsed, lines) if entry is not None and entry["step"] <= step]
        write_text(path, "".join(json.dumps(entry) + "\n" for entry in self._entries), force=True)
        self._path = path
        with output_errors(path):
            self._file = path.open("a", encoding="utf-8")
            self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1)

    def write(self, kind: str, step: int, values: Mapping[str, float | str]) -> None:
        """Append a line.

        Args:
            kind: "train", "validate" or "calibrate".
            step: step over all stages, counted from 1.
            values: figures by name.
        """
        entry = {"kind": kind, "step": step, **values}
        self._entries.append(entry)
        with output_errors(self._path):
            self._file.write(json.dumps(entry) + "\n")
            self._file.flush()
            for name, value in values.items():
                if not isinstance(value, str):
                    self._board.add_scalar(f"{kind}/{name}", value, step)  # type: ignore[no-untyped-call]

    def entries(self, kind: str) -> list[dict[str, Any]]:
        """Return the lines of one kind, in order."""
        return [entry for entry in self._entries if entry["kind"] == kind]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with output_errors(self._path):
            self._file.close()
            self._board.close()  # type: ignore[no-untyped-call]


def _parsed(line: str) -> dict[str, Any] | None:
    """Return a line's values; None for an incomplete or foreign line."""
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):
        return None
    is_entry = isinstance(values, dict) and isinstance(values.get("step"), int) and isinstance(values.get("kind"), str)
    return values if is_entry else None
