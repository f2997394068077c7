"""The command, run in this process: quick, and as users get it but for the interpreter's start."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from chromacord.cli import main
from tests.footage import make_composite, make_mask


class Done(NamedTuple):
    """What a command left."""

    code: int
    out: str
    err: str


Run = Callable[..., Done]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Return a function that runs `chromacord` with arguments."""
    with running(capsys) as command:
        yield command


@contextmanager
def running(capsys: pytest.CaptureFixture[str], **program: Any) -> Iterator[Run]:
    """Return a function that runs a command line, and restore what it changes in this process."""
    before = signal.getsignal(signal.SIGTERM)

    def command(*arguments: object) -> Done:
        with pytest.raises(SystemExit) as left:
            main([str(argument) for argument in arguments], **program)
        return Done(int(left.value.code or 0), *capsys.readouterr())

    yield command
    signal.signal(signal.SIGTERM, before)


@pytest.fixture(scope="session")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a composite, its mask, and a mask that is too short."""
    folder = tmp_path_factory.mktemp("footage")
    make_composite(folder / "comp.mp4", num_frames=10)
    make_mask(folder / "mask.mkv", num_frames=10)
    make_mask(folder / "short.mkv", num_frames=9)
    return folder
