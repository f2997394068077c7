"""Pipes as files of a clip: input pipes are copied first; the result is written to standard output frame by frame."""

import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from chromacord.cli.batch.clips import Clip
from chromacord.errors import ChromacordError, InputError, OutputError

STDOUT = "-"
_PICTURES = ("composite", "mask", "foreground", "alpha", "background")


@contextmanager
def without_pipes(clip: Clip) -> Iterator[Clip]:
    """Replace "-" and named pipes among a clip's pictures by temporary files.

    Errors and warnings name the pipes.

    Raises:
        InputError: a pipe cannot be copied (see `spooled`), or a timeline would refer to its copy.
    """
    from chromacord.io.writing.spool import is_pipe, spooled  # loads the codecs, which would delay the help

    paths: dict[str, str] = {name: path for name, path in clip.inputs.items() if name in _PICTURES}
    for output in clip.outputs.values():
        if Path(output).suffix.lower() == ".otio" and is_pipe(clip.source):
            raise InputError(f"{output}: a timeline names the clip's file, but {clip.source} is a pipe; write an .edl")
    with spooled(paths) as files, _named({files[name]: path for name, path in paths.items() if files[name] != path}):
        replaced: dict[str, Any] = files
        yield replace(clip, **replaced)


@contextmanager
def _named(pipes: Mapping[str, str]) -> Iterator[None]:
    """Name pipes instead of their copies in errors and warnings."""

    def reworded(text: str) -> str:
        for copy, pipe in pipes.items():
            text = text.replace(copy, pipe)
        return text

    with warnings.catch_warnings():
        ordinary = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *rest: Any, **named: Any) -> None:
            ordinary(category(reworded(str(message))), category, *rest, **named)

        warnings.showwarning = show
        try:
            yield
        except ChromacordError as error:
            error.args = tuple(reworded(each) if isinstance(each, str) else each for each in error.args)
            raise


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
