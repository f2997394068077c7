"""The main job runs without torch: every import of it is blocked here, as if it were not installed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from chromacord.errors import INSTALL_TORCH
from chromacord.methods import METHODS, MethodInfo, list_methods
from tests.footage import make_composite, make_mask

BLOCK = """
import importlib.util, sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocked())
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name == "torch" else found(name, package)
"""
MAIN = "from chromacord.cli import main; main(sys.argv[1:])"


def python(code: str, *arguments: str | Path, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run code in a separate process without torch.

    Args:
        code: runs after the block.
        arguments: of the process.
        path: a folder that hides modules from the process and from all that it starts.
    """
    check = "\nassert not [name for name in sys.modules if name.partition('.')[0] == 'torch']"
    command = [sys.executable, "-c", BLOCK + code + check, *map(str, arguments)]
    places = [] if path is None else [str(path)]
    places += [os.environ["PYTHONPATH"]] if "PYTHONPATH" in os.environ else []
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(places)}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def test_the_package_and_all_that_it_shows_are_imported() -> None:
    done = python("import chromacord as cc\nfor name in cc.__all__:\n    getattr(cc, name)")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", [[], ["harmonize"], ["grade"], ["apply"], ["info"], ["methods"], ["bench"]])
def test_help_is_shown(command: list[str]) -> None:
    done = python(MAIN, *command, "--help")
    assert done.returncode == 0, done.stderr
    assert "Usage" in done.stdout


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--method", "reinhard"],
        ["--method", "mkl", "--lut-out", "luts"],
        ["--method", "mkl", "--lut-out", "look.cc"],
        ["--method", "histogram", "--consistency", "frame"],
        ["--method", "poisson:mixed=true", "--grade-out", "grade.json"],
        ["--method", "identity", "--preview", "both.mp4"],
    ],
    ids=lambda options: " ".join(options) or "default",
)
def test_a_clip_is_harmonized(tmp_path: Path, options: list[str]) -> None:
    composite, mask = make_composite(tmp_path / "comp.mp4"), make_mask(tmp_path / "mask.mkv")
    for number, word in enumerate(options):
        if number and options[number - 1].endswith(("-out", "--preview")):
            options = [*options[:number], str(tmp_path / word), *options[number + 1 :]]
    done = python(MAIN, "harmonize", composite, "--mask", mask, "--output", tmp_path / "out.mp4", *options)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out.mp4").stat().st_size


def test_several_clips_are_harmonized_in_processes(tmp_path: Path) -> None:
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden/torch.py").write_text("raise ModuleNotFoundError('hidden', name='torch')")
    for name in ("a", "b"):
        make_composite(tmp_path / f"{name}.mp4")
        make_mask(tmp_path / f"{name}.mkv")
    clips, mask, output = [tmp_path / "a.mp4", tmp_path / "b.mp4"], tmp_path / "{name}.mkv", tmp_path / "out_{name}.mp4"
    done = python(
        MAIN, "harmonize", *clips, "--mask", mask, "--output", output, "--jobs", "2", path=tmp_path / "hidden"
    )
    assert done.returncode == 0, done.stderr
    assert len(list(tmp_path.glob("out_*.mp4"))) == 2


def test_methods_that_need_torch_are_listed_with_the_command_that_installs_it() -> None:
    done = python(MAIN, "methods")
    assert done.returncode == 0, done.stderr
    text = " ".join(done.stdout.split())
    assert all(name in text for name in METHODS)
    assert INSTALL_TORCH in text


def test_methods_are_described_as_with_torch() -> None:
    code = "import json\nfrom chromacord.methods import list_methods\nprint(json.dumps(list_methods()))"
    found = [MethodInfo(*each) for each in json.loads(python(code).stdout)]
    assert [each[:4] for each in found] == [each[:4] for each in list_methods()]
    assert {each.name for each in found if each.has_weights and each.install} == {"chen2024"}
    assert {"shotgrade", "mkl"} <= {each.name for each in found if each.has_weights and not each.install}


@pytest.mark.parametrize(
    ("command", "what"),
    [
        (["--method", "issam"], "method 'issam' needs torch"),
        (["--method", "chen2024:weights=none.safetensors"], "method 'chen2024' needs torch"),
        (["--device", "cuda"], "device cuda needs torch"),
    ],
)
def test_what_needs_torch_is_one_line_that_says_what_to_install(tmp_path: Path, command: list[str], what: str) -> None:
    composite, mask = make_composite(tmp_path / "comp.mp4"), make_mask(tmp_path / "mask.mkv")
    done = python(MAIN, "harmonize", composite, "--mask", mask, "--output", tmp_path / "out.mp4", *command)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert what in line
    assert INSTALL_TORCH in line
    assert not (tmp_path / "out.mp4").exists()


@pytest.mark.parametrize(
    "command",
    [["train", "none.toml", "--data", "none"], ["evaluate", "--data", "none"], ["bench", "flow", "--data", "none"]],
)
def test_commands_that_need_torch_say_so(command: list[str], tmp_path: Path) -> None:
    done = python(MAIN, *command, "--output", tmp_path / "out")
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.splitlines()
    assert "needs torch" in line
    assert INSTALL_TORCH in line


def test_the_photographs_of_the_demo_need_neither_torch_nor_scikit_image() -> None:
    code = """
sys.modules["skimage"] = sys.modules["scipy"] = None
from chromacord.sample.scene import ASTRONAUT, ROCKET, read_photograph
assert read_photograph(ASTRONAUT).shape == (512, 512, 3)
assert read_photograph(ROCKET).shape == (427, 640, 3)
"""
    done = python(code)
    assert done.returncode == 0, done.stderr
