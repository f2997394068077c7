import json
import re
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

from chromacord import __version__
from chromacord.job import installation
from chromacord.render import compiled
from tests.cli.conftest import Run
from tests.pages import ROOT
from tests.test_without_torch import MAIN, python


def parts(run: Run) -> dict[str, dict[str, str | None]]:
    found = json.loads(run("doctor", "--json").out)["parts"]
    return {part["name"]: part for part in found}


def test_everything_that_a_run_needs_is_there_with_its_version(run: Run) -> None:
    done = run("doctor")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[-1] == "ready to harmonize"
    found = parts(run)
    assert found["chromacord"]["found"] == __version__
    assert found["av"]["found"] == version("av")
    assert found["codecs"]["found"] == "all can be written"


def test_a_missing_library_comes_with_the_command_that_installs_it(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def lacking(name: str) -> str:
        if name == "av":
            raise PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(installation, "version", lacking)
    done = run("doctor")
    assert done.code == 2
    assert re.search("^ +-> pip install 'av[<>]", done.out, flags=re.MULTILINE)
    assert "renderer" not in done.out
    assert not json.loads(run("doctor", "--json").out)["ready"]


def test_a_library_of_another_version_is_not_ready(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "requires", lambda _: ["av<19,>=18", "rich>=14"])
    for found, is_ready in (("18.1.0", True), ("18", True), ("19.0.2", False), ("17.9", False)):
        monkeypatch.setattr(installation, "version", lambda name, found=found: found if name == "av" else version(name))
        done = run("doctor")
        assert (done.code == 0) == is_ready, found
        assert ("unsupported" in done.out) != is_ready
        assert ("-> pip install 'av<19,>=18'" in done.out) != is_ready


def test_the_tested_versions_are_supported_and_the_next_major_of_pyav_is_not() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    pinned = (ROOT / "constraints.txt").read_text(encoding="utf-8").lower().splitlines()
    tested = dict(line.split("==") for line in pinned if "==" in line)
    for line in declared:
        name, bounds = re.split("[<>]", line)[0], re.findall(r"(>=|<)([\d.]+)", line)
        assert all(installation._fits(tested[name], *bound) for bound in bounds), line
    # PyAV removes arguments in major versions: 19 refused `metadata_errors`, and every command failed.
    (bound,) = (re.search(r"<(\d+)$", line) for line in declared if line.startswith("av"))
    assert bound is not None
    assert int(bound[1]) == int(tested["av"].split(".")[0]) + 1


def test_a_missing_compiled_renderer_is_no_obstacle(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(compiled, "BINARY", tmp_path / "none.so")
    assert run("doctor").code == 0
    renderer = parts(run)["renderer"]
    assert str(renderer["found"]).startswith("portable")
    assert "C compiler" in str(renderer["remedy"])


def test_a_wrong_ocio_variable_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCIO", "/nowhere.ocio")
    config = parts(run)["colour config"]
    assert "/nowhere.ocio" in str(config["found"])
    assert config["remedy"] == "correct or unset $OCIO"


def test_without_torch_it_says_what_torch_is_for() -> None:
    done = python(MAIN, "doctor")
    assert done.returncode == 0, done.stderr
    assert "torch" in done.stdout
    assert "pip install '.[torch]'" in done.stdout
    assert "6 of 13 can run here" in done.stdout


def test_the_version_names_the_renderer(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert run("--version").out == f"chromacord {__version__} ({compiled.renderer_name()} renderer)\n"
    monkeypatch.setattr(compiled, "BINARY", tmp_path / "none.so")
    assert run("--version").out == f"chromacord {__version__} (portable renderer)\n"


def test_a_run_without_the_compiled_renderer_warns_once(
    run: Run, footage: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(compiled, "BINARY", tmp_path / "none.so")
    compiled.warn_once.cache_clear()
    done = run("harmonize", footage / "comp.mp4", "--mask", footage / "mask.mkv", "-o", tmp_path / "out.mp4")
    compiled.warn_once.cache_clear()
    assert done.code == 0
    assert done.err.count(f"warning: {compiled.MISSING}\n") == 1
    assert "C compiler" in done.err
