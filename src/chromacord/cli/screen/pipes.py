"""Pipes as files of a clip: input pipes are copied first; the result is written to standard output frame by frame."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from chromacord.cli.batch.clips import Clip
from chromacord.errors import InputError, OutputError

STDOUT = "-"
_PICTURES = ("composite", "mask", "foreground", "alpha", "background")


@contextmanager
def without_pipes(clip: Clip) -> Iterator[Clip]:
    """Replace "-" and named pipes among a clip's pictures by temporary files.

    Raises:
        InputError: a pipe cannot be copied; see `spooled`.
    """
    from chromacord.io.writing.spool import spooled  # loads the codecs, which would delay the help

    paths: dict[str, str] = {name: path for name, path in clip.inputs.items() if name in _PICTURES}
    with spooled(paths) as files:
        replaced: dict[str, Any] = files
        yield replace(clip, **replaced)


def check_standard_output(*, log_json: bool) -> None:
    """Check that a clip can be written to standard output.

    Raises:
        InputError: JSON lines would be mixed into it.
        OutputError: it is a terminal.
    """
    if log_json:
        raise InputError("-: --log-json prints on standard output too; omit it, or name a file")
    if os.isatty(1):
        raise OutputError("-: standard output is a terminal; pipe it into a program, or name a file")
