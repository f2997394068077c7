"""Keep a run successful when a standard stream is closed, full or broken."""

import errno
import io
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from chromacord.errors import OutputError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class _Forgiving(io.RawIOBase):
    """Writes to a file descriptor, and stores errors instead of raising them."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.error: OSError | None = None

    def write(self, data: "ReadableBuffer") -> int:
        """Write as much as possible, and report everything as written."""
        try:
            return os.write(self._descriptor, data)
        except OSError as error:
            # The first error says why the stream broke; later ones only follow from it.
            self.error = self.error or error
            # After a short count, the buffer would keep the rest, and raise when it is flushed at exit.
            return memoryview(data).nbytes

    def writable(self) -> bool:
        """See `io.IOBase.writable`."""
        return True

    def fileno(self) -> int:
        """See `io.IOBase.fileno`."""
        return self._descriptor

    def isatty(self) -> bool:
        """See `io.IOBase.isatty`."""
        return os.isatty(self._descriptor)


def prepare() -> None:
    """Wrap this process's standard streams so that printing never raises.

    Closed streams are opened on the null device: an output file could otherwise get their number, and libraries would
    print into it.
    Characters outside a stream's encoding are escaped. Streams replaced by a caller are left alone.
    """
    for descriptor in range(3):
        _open_closed(descriptor)
    if sys.stdout is sys.__stdout__:
        sys.stdout = _forgiving(1, sys.stdout)
    if sys.stderr is sys.__stderr__:
        sys.stderr = _forgiving(2, sys.stderr)


def report(line: str) -> None:
    """Print a line about a result stored elsewhere; failing to print it is not an error."""
    print(line, flush=True)
    raw = _raw(sys.stdout)
    if raw is not None:
        raw.error = None


def check_printed() -> None:
    """Check that a printed result has arrived, or that its reader closed the pipe.

    Raises:
        OutputError: it could not be written.
    """
    sys.stdout.flush()
    raw = _raw(sys.stdout)
    # A reader such as head that has seen enough closes the pipe, which is not an error.
    if raw is not None and raw.error is not None and raw.error.errno != errno.EPIPE:
        raise OutputError(f"standard output: cannot be written: {raw.error.strerror}; redirect it elsewhere")


def _open_closed(descriptor: int) -> None:
    try:
        os.fstat(descriptor)
    except OSError:
        # open() returns the lowest free number, which is this one; child processes inherit it.
        os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)


def _forgiving(descriptor: int, stream: TextIO | None) -> TextIO:
    if stream is None:
        return Path(os.devnull).open("w", encoding="utf-8")
    # "surrogateescape" prints file names as their original bytes.
    errors = stream.errors if stream.errors == "surrogateescape" else "backslashreplace"
    buffered = io.BufferedWriter(_Forgiving(descriptor))
    return io.TextIOWrapper(buffered, stream.encoding, errors, line_buffering=descriptor == 2 or buffered.isatty())


def _raw(stream: TextIO) -> _Forgiving | None:
    raw = getattr(getattr(stream, "buffer", None), "raw", None)
    return raw if isinstance(raw, _Forgiving) else None
