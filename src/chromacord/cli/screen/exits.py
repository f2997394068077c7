"""Run a command's work: turn warnings and errors into lines and exit codes."""

import errno
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn, TextIO

from chromacord.cli.screen.display import Display
from chromacord.errors import ChromacordError, ChromacordWarning, InputError, MissingTorchError

OK = 0
BUG = 1
BAD_INPUT = 2
INTERRUPTED = 130
TERMINATED = 143

_REFUSED = (errno.EACCES, errno.EIO, errno.ELOOP, errno.ENAMETOOLONG, errno.EPERM, errno.ESTALE)
"""System errors about paths that no code of ours can prevent."""


class Terminated(SystemExit):
    """SIGTERM was received. An exception, so that context managers remove unfinished outputs."""


def terminate(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001
    """Convert SIGTERM to an exception (a signal handler)."""
    raise Terminated(TERMINATED)


@contextmanager
def job(display: Display, *, stopped: str | None = None) -> Iterator[None]:
    """Run a command's work; show its warnings and its outcome on `display`.

    Args:
        display: shows warnings and errors.
        stopped: what happened to the outputs if a signal ends the work; None: list the complete ones.

    Raises:
        SystemExit: the work failed with an error that users can fix, or was stopped.
    """
    with display, _warnings_to(display):
        try:
            yield
        except (ChromacordError, ModuleNotFoundError, OSError) as error:
            known = as_user_error(error)
            if known is None:
                display.bug(error)
                raise
            display.error(known, str(known))
            raise SystemExit(BAD_INPUT) from None
        except KeyboardInterrupt as error:
            display.error(error, f"stopped with Ctrl-C; {stopped or _kept()}")
            raise SystemExit(INTERRUPTED) from None
        except Terminated as error:
            display.error(error, f"stopped with SIGTERM; {stopped or _kept()}")
            raise
        except Exception as error:
            display.bug(error)
            raise


def as_user_error(error: Exception) -> ChromacordError | None:
    """Convert an error to one of ours; None for a bug.

    Any library call may raise because the system refuses a path, so such errors are handled in one place.
    """
    if isinstance(error, ChromacordError):
        return error
    if isinstance(error, ModuleNotFoundError) and error.name == "torch":
        return MissingTorchError("this command")
    # Without a file name the error is not about a path that the user gave, so it counts as a bug.
    if isinstance(error, OSError) and error.errno in _REFUSED and error.filename is not None:
        return InputError(f"{os.fspath(error.filename)}: {error.strerror}; check the path and its permissions")
    return None


def _kept() -> str:
    """List the committed outputs, because a signal may arrive after a commit."""
    # A module that was never imported has written nothing, and a signal handler should not import it.
    completed = getattr(sys.modules.get("chromacord.io.writing.commit"), "completed", ())
    return f"complete, and kept: {', '.join(completed)}" if completed else "nothing was kept"


@contextmanager
def _warnings_to(display: Display) -> Iterator[None]:
    with warnings.catch_warnings():
        # Only for our warnings, so that filters set by the user or by Python still apply to those of libraries.
        warnings.simplefilter("default", ChromacordWarning)
        ordinary = warnings.showwarning

        def show(
            message: Warning | str,
            category: type[Warning],
            filename: str,
            lineno: int,
            file: TextIO | None = None,
            line: str | None = None,
        ) -> None:
            if issubclass(category, ChromacordWarning):
                display.warning(str(message))
            else:
                ordinary(message, category, filename, lineno, file, line)

        warnings.showwarning = show
        yield
