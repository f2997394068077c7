"""What the pages show is run: each command in the order of its page, each block of Python."""

import json
import shlex
import shutil
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

import chromacord.weights
from benchmarks.__main__ import PROGRAM as BENCHMARKS
from benchmarks.__main__ import app as benchmarks
from chromacord.cli import app
from chromacord.cli.help import EXAMPLES
from tests.clips import make_clip
from tests.footage import SIZE, disc, make_composite, recoloured
from tests.hyoutube_lookalike import LookAlike
from tests.images import write
from tests.pages import DOCUMENTS, PAGES, blocks, command_lines, mentions

NUM_FRAMES = 52
COMPOSITE = "comp.mp4 --mask mask.mp4"
PERIOD = 8
"""Frames after which the disc jumps back, so that it stays in the picture."""
SCREENED = [(150, 130), (120, 90), (140, 80)]
"""Y' Cb Cr of the disc, and of a green screen."""

RUN = {"harmonize", "grade", "apply", "matte", "info", "methods", "doctor"}
"""Commands that need no more than small clips; the others are parsed."""

ABSENT = ("--device cuda", "issam", "modnet", "--engine ray")
"""What a command needs that no test has: a GPU; networks that others published; a cluster."""


def can_run(line: str) -> bool:
    return line.split()[1] in RUN and not any(what in line for what in ABSENT)


COMMANDS = [pytest.param(line, id=line) for examples in EXAMPLES.values() for line in examples.values()]
COMMANDS += [pytest.param(line, id=f"{page}: {line}") for page, text in PAGES.items() for line in command_lines(text)]

MEASUREMENTS = [
    pytest.param(line, id=f"{page}: {line}")
    for page, text in DOCUMENTS.items()
    for line in (*command_lines(text, BENCHMARKS), *mentions(text, BENCHMARKS))
]
"""Commands that measure chromacord itself: parsed, because they take minutes."""


def make_workspace(folder: Path) -> Path:
    """Make the small files that the pages name."""
    for name in ("demo/composite.mp4", "demo/background.mp4", "demo/foreground.mp4", "comp.mp4", "shot.mp4"):
        (folder / name).parent.mkdir(exist_ok=True)
        make_pasted(folder / name)
    for name in ("demo/mask.mp4", "mask.mp4", "matte.mp4"):
        make_matte(folder / name)
    make_screened(folder / "green.mp4")
    for name in ("a.mp4", "b.mov"):
        for kind, make in (("shots", make_pasted), ("masks", make_matte)):
            (folder / kind).mkdir(exist_ok=True)
            make(folder / kind / name)
    (folder / "edl").mkdir()
    event = "001  AX  V  C  00:00:00:00 00:00:00:08 01:00:00:00 01:00:00:08\n"
    (folder / "edl" / "b.edl").write_text(f"TITLE: b\nFCM: NON-DROP FRAME\n{event}")
    make_pasted(folder / "comp.mov", "yuv422p10le", codec="prores_ks")
    make_matte(folder / "matte.mov")
    layer = [[*recoloured("yuv444p10le", 0), disc(0, top=1023)]] * NUM_FRAMES
    make_clip(folder / "fg.mov", codec="prores_ks", pix_fmt="yuva444p10le", size=SIZE, frames=layer)
    make_clip(folder / "plate.mov", codec="prores_ks", pix_fmt="yuv422p10le", size=SIZE, num_frames=NUM_FRAMES)
    colours = np.random.default_rng(0).integers(0, 256, (*SIZE, 3)).astype(np.uint8)
    write(folder / "cutout.png", np.dstack([colours, disc(0)]))
    for name in ("plates", "mattes", "run"):
        (folder / name).mkdir()
    for number in range(1001, 1004):
        matte = disc(number - 1001).astype(np.float32)[..., None] / 255
        light = np.random.default_rng(number).uniform(0, 4, (*SIZE, 3)).astype(np.float32)
        write(folder / "plates" / f"shot.{number}.exr", light * (1 - matte / 2), "half")
        write(folder / "mattes" / f"shot.{number}.exr", matte, "half")
    (folder / "shots.csv").write_text("composite,mask,output\ncomp.mp4,mask.mp4,listed.mp4\n")
    session = {"clip": {"composite": "comp.mp4", "mask": "mask.mp4"}, "outputs": {"output": "of_session.mp4"}}
    head = {"format": "chromacord session", "version": 1}
    (folder / "session.json").write_text(json.dumps(head | session))
    weights = Path(chromacord.weights.__file__).parent
    for suffix in ("safetensors", "toml"):
        shutil.copy(weights / f"shotgrade.{suffix}", folder / "run")
    return folder


def make_pasted(path: Path, pix_fmt: str = "yuv420p", **options: Any) -> Path:
    """Write a disc that does not fit the rest of the picture."""
    frames = [recoloured(pix_fmt, index % PERIOD) for index in range(NUM_FRAMES)]
    return make_composite(path, pix_fmt, frames=frames, **options)


def make_screened(path: Path) -> Path:
    """Write a grey disc before a green screen."""
    half = (slice(None, None, 2), slice(None, None, 2))
    shares = [disc(index % PERIOD)[place] / 255 for index in range(NUM_FRAMES) for place in ((), half, half)]
    codes = [
        np.rint(front + (behind - front) * (1 - share))
        for share, (front, behind) in zip(shares, SCREENED * NUM_FRAMES, strict=True)
    ]
    planes = [plane.astype(np.uint8) for plane in codes]
    return make_clip(path, size=SIZE, frames=[planes[first : first + 3] for first in range(0, len(planes), 3)])


def make_matte(path: Path) -> Path:
    """Write the disc's mask as H.264."""
    grey = np.full((SIZE.height // 2, SIZE.width // 2), 128, np.uint8)
    frames = [[disc(index % PERIOD), grey, grey] for index in range(NUM_FRAMES)]
    return make_clip(path, size=SIZE, frames=frames)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_workspace(tmp_path_factory.mktemp("files"))


@pytest.fixture
def workspace(files: Path, tmp_path: Path) -> Iterator[Path]:
    """Return a fresh copy of the files, made the current folder."""
    folder = tmp_path / "work"
    shutil.copytree(files, folder)
    with chdir(folder):
        yield folder


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_can_be_parsed(line: str) -> None:
    """The parser takes every option and every value, and misses none."""
    parse(app, shlex.split(line))


@pytest.mark.parametrize("line", MEASUREMENTS)
def test_a_measurement_can_be_parsed(line: str) -> None:
    parse(benchmarks, [BENCHMARKS, *shlex.split(line.removeprefix(BENCHMARKS))])


def test_every_measurement_is_on_a_page() -> None:
    shown = {str(each.values[0]).split()[3] for each in MEASUREMENTS}
    assert shown == set(typer.main.get_command(benchmarks).commands)  # type: ignore[attr-defined]


def parse(program: typer.Typer, words: list[str]) -> None:
    """Parse a command line down to its last command."""
    command, context = typer.main.get_command(program), None
    for _ in range(3):
        name, *words = words
        with command.make_context(name, list(words), parent=context) as context:
            if not hasattr(command, "commands"):
                return
            words = [*context._protected_args, *context.args]
            command = command.commands[words[0]]


@pytest.mark.parametrize("page", [page for page, text in PAGES.items() if any(map(can_run, command_lines(text)))])
@pytest.mark.filterwarnings("ignore::chromacord.ChromacordWarning")
def test_the_commands_of_a_page_run_one_after_the_other(page: str, workspace: Path) -> None:
    for line in filter(can_run, command_lines(PAGES[page])):
        words = [path for word in shlex.split(line)[1:] for path in expanded(word, workspace)]
        result = CliRunner().invoke(app, words)
        assert result.exit_code == 0, f"{line}: {result.output}"


def test_the_examples_of_the_help_run_one_after_the_other(workspace: Path) -> None:
    made = [f"{mask} -o {name}.json" for mask, name in (("cutout.png --mask alpha", "cutout"), (COMPOSITE, "grade"))]
    lines = [line for examples in EXAMPLES.values() for line in examples.values() if line.split()[1] != "ui"]
    for line in (*(f"chromacord grade {each}" for each in made), *lines):
        words = [path for word in shlex.split(line)[1:] for path in expanded(word, workspace)]
        result = CliRunner().invoke(app, words)
        assert result.exit_code == 0, f"{line}: {result.output}"


def expanded(word: str, folder: Path) -> list[str]:
    """Expand * as a shell does. Patterns with ** are in quotes, for chromacord."""
    is_pattern = "*" in word and "**" not in word
    return sorted(path.relative_to(folder).as_posix() for path in folder.glob(word)) if is_pattern else [word]


@pytest.mark.parametrize("page", [page for page, text in PAGES.items() if blocks(text, "python")])
@pytest.mark.filterwarnings("ignore::chromacord.ChromacordWarning")
def test_the_python_of_a_page_runs(page: str, workspace: Path) -> None:
    LookAlike(workspace / "HYouTube").write()
    names: dict[str, object] = {}
    for block in blocks(PAGES[page], "python"):
        exec(compile(block, page, "exec"), names)
