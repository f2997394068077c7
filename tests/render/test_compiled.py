"""How the compiled renderer is built, found, and reported where it is missing."""

import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from chromacord.errors import ChromacordWarning
from chromacord.render import compiled
from chromacord.render.cpu import Renderer
from chromacord.types import PixelFormat
from tests.render.test_cpu import TRANSFORMS
from tests.scenes import describe, masked

ROOT = Path(__file__).parents[2]
COMMON = PixelFormat("yuv", 8, subsampling=(1, 1))


def build_hook() -> ModuleType:
    """Return hatch_build.py, which imports a package that only builds have."""
    interface = ModuleType("hatchling.builders.hooks.plugin.interface")
    interface.BuildHookInterface = object  # type: ignore[attr-defined]
    names = ["hatchling", "hatchling.builders", "hatchling.builders.hooks", "hatchling.builders.hooks.plugin"]
    modules = {**{name: ModuleType(name) for name in names}, interface.__name__: interface}
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        for name, each in modules.items():
            patch.setitem(sys.modules, name, each)
        spec.loader.exec_module(module)
    return module


def can_build() -> bool:
    """Whether this is a clone on a machine that compiles extension modules."""
    needed = (importlib.util.find_spec(name) for name in ("setuptools", "cffi"))
    return (ROOT / "hatch_build.py").exists() and all(needed) and build_hook().find_obstacle() is None


needs_tools = pytest.mark.skipif(not can_build(), reason="no clone, or no C compiler, Python headers or setuptools")
needs_clone = pytest.mark.skipif(not (ROOT / "hatch_build.py").exists(), reason="this is no clone")


@pytest.fixture
def told_anew(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No compiled renderer, as if the process had just begun."""
    monkeypatch.setattr(compiled, "BINARY", tmp_path / "none.so")
    compiled.warn_once.cache_clear()
    yield
    compiled.warn_once.cache_clear()


def sources(folder: Path, *, change: str = "") -> Path:
    """Return a folder with the sources; something is added to the end of native.c."""
    folder.mkdir()
    for path in compiled.SOURCES:
        shutil.copy(path, folder)
    with (folder / "native.c").open("a", encoding="utf-8") as file:
        file.write(change)
    return folder


def test_a_library_that_is_missing_or_broken_is_not_used(tmp_path: Path) -> None:
    broken = tmp_path / "broken.so"
    broken.write_bytes(b"no library")
    assert compiled.opened(tmp_path / "missing.so") is None
    assert compiled.opened(broken) is None


@needs_tools
@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no compiler of this name")
def test_a_library_that_is_no_module_is_not_used(tmp_path: Path) -> None:
    """Such as one of an older version, which was opened with ctypes."""
    plain = tmp_path / "plain.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-xc", "-", "-o", plain], input=b"int one = 1;", check=True)
    assert compiled.opened(plain) is None


@needs_tools
class TestBuild:
    def test_a_compiler_makes_a_module_that_is_used(self, tmp_path: Path) -> None:
        made = tmp_path / "_native.abi3.so"
        build_hook().build(ROOT / build_hook().FOLDER, made)
        assert compiled.opened(made) is not None
        assert list(tmp_path.iterdir()) == [made]

    @pytest.mark.parametrize("name", [path.name for path in compiled.SOURCES])
    def test_one_of_other_sources_is_not_used(self, tmp_path: Path, name: str) -> None:
        folder, hook = sources(tmp_path / "sources"), build_hook()
        hook.FLAGS = tuple(flag for flag in hook.FLAGS if flag != "-O3")  # it compiles in a third of the time
        with (folder / name).open("a", encoding="utf-8") as file:
            file.write("/* changed */\n")
        hook.build(folder, tmp_path / "other.so")
        assert compiled.opened(tmp_path / "other.so") is None

    def test_the_module_is_for_every_python(self, tmp_path: Path) -> None:
        """It uses the stable ABI alone: private symbols, which begin with _Py, change with versions."""
        if shutil.which("nm") is None:
            pytest.skip("nm is missing")
        done = subprocess.run(["nm", "-D", "--undefined-only", compiled.BINARY], capture_output=True, text=True)
        if done.returncode:
            pytest.skip("it was not compiled")
        names = {line.split()[-1] for line in done.stdout.splitlines()}
        # Python's documentation lists these two as parts of the stable ABI ("Contents of Limited API").
        assert {name for name in names if name.startswith("_Py")} <= {"_Py_Dealloc", "_Py_NoneStruct"}
        assert [name for name in names if name.startswith("Py")]

    def test_code_that_does_not_compile_fails_the_installation_and_changes_nothing(
        self, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        folder, made = sources(tmp_path / "sources", change="not C;\n"), tmp_path / "made.so"
        made.write_bytes(b"old")
        with pytest.raises(SystemExit, match="cannot compile its C files"):
            build_hook().build(folder, made)
        assert "error:" in "".join(capfd.readouterr())
        assert made.read_bytes() == b"old"
        assert sorted(tmp_path.iterdir()) == [made, folder]

    @pytest.mark.parametrize("compiler", ["false", "no-such-compiler"])
    def test_a_compiler_that_fails_or_is_named_wrongly_fails_the_installation(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compiler: str
    ) -> None:
        monkeypatch.setenv("CC", compiler)
        before = dict(os.environ)
        with pytest.raises(SystemExit, match=f"{compiler} cannot compile"):
            build_hook().build(ROOT / build_hook().FOLDER, tmp_path / "made.so")
        assert dict(os.environ) == before
        assert list(tmp_path.iterdir()) == []

    def test_an_editable_installation_has_it(self) -> None:
        assert compiled.opened(ROOT / build_hook().BINARY) is not None, "run: pip install --editable ."


@needs_clone
class TestObstacles:
    def test_without_a_compiler_nothing_is_compiled(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.delenv("CC", raising=False)
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.setattr(sysconfig, "get_config_var", lambda name: {"CC": "gcc -pthread"}[name])
        assert "no C compiler" in str(build_hook().find_obstacle())

    def test_another_compiler_than_that_of_python_does(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        (tmp_path / "clang").write_text("#!/bin/sh\n")
        (tmp_path / "clang").chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.setattr(sysconfig, "get_config_var", lambda name: {"CC": "x86_64-conda-linux-gnu-cc -B x"}[name])
        assert build_hook().find_compiler() == "clang"

    def test_without_headers_nothing_is_compiled(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("CC", "cc")
        monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path))
        assert "python3-dev" in str(build_hook().find_obstacle())

    def test_elsewhere_than_on_linux_nothing_is_compiled(self, monkeypatch: pytest.MonkeyPatch) -> None:
        hook = build_hook()
        monkeypatch.setattr(sys, "platform", "darwin")
        assert "Linux" in hook.find_obstacle()


def test_a_run_without_it_warns_once(told_anew: None) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(3):
            info = describe(COMMON)
            Renderer(info).render(masked(info), TRANSFORMS["lut"])
    assert [str(each.message) for each in caught if each.category is ChromacordWarning] == [compiled.MISSING]


@pytest.mark.parametrize(("pixel_format", "kind"), [(PixelFormat("gray", 8), "lut"), (COMMON, "field")])
def test_what_no_compiled_code_renders_brings_no_warning(told_anew: None, pixel_format: PixelFormat, kind: str) -> None:
    info = describe(pixel_format)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Renderer(info).render(masked(info), TRANSFORMS[kind])


def test_the_renderer_in_use_has_a_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert compiled.renderer_name() == ("compiled" if compiled.opened(compiled.BINARY) else "portable")
    monkeypatch.setattr(compiled, "BINARY", tmp_path / "none.so")
    assert compiled.renderer_name() == "portable"


def test_finding_it_imports_no_library() -> None:
    code = "import sys\nfrom chromacord.render.compiled import renderer_name\nrenderer_name()\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"numpy", "av", "cv2"} & {*done.stdout.split()}


@needs_clone
def test_the_man_page_is_that_of_the_sources(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """pip hides an editable installation from builds, and with it the folder that PYTHONPATH names too."""
    hiding = f"import sys; sys.path[:] = [path for path in sys.path if path != {str(ROOT / 'src')!r}]"
    (tmp_path / "sitecustomize.py").write_text(hiding)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(ROOT / "src")]))
    build_hook().write_man_page(ROOT, tmp_path / "page.1")
    assert (tmp_path / "page.1").read_text().startswith(".TH CHROMACORD 1")
