"""The structure of ARCHITECTURE.md, checked on every import, those inside functions too."""

import ast
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "chromacord"

EVERYONE = {"types", "errors"}
MAY_IMPORT: dict[str, set[str]] = {
    "types": set(),
    "errors": set(),
    "parsing": set(),
    "typed_tables": {"parsing"},
    "color": {"parsing"},
    "weights": {"parsing", "typed_tables"},
    "io": {"parsing", "color"},
    "methods": {"parsing", "typed_tables", "color", "weights"},
    "masks": {"parsing", "color", "io"},
    "grade": {"parsing", "color", "io"},
    "analysis": {"parsing", "color", "io", "methods", "masks", "grade"},
    "render": {"parsing", "color", "io", "masks", "grade"},
    "job": {"parsing", "typed_tables", "color", "io", "methods", "masks", "grade", "analysis", "render"},
    "matte": {"parsing", "typed_tables", "color", "io", "masks", "analysis", "job"},
    "api": {"parsing", "color", "io", "methods", "grade", "analysis", "job"},
    "sample": {"color", "io"},
    "cluster": {"io", "grade", "render", "job", "api"},
    "ui": {"parsing", "typed_tables", "color", "io", "methods", "masks", "grade", "job", "matte", "api"},
    "cli": {
        "parsing",
        "color",
        "io",
        "methods",
        "grade",
        "analysis",
        "render",
        "job",
        "matte",
        "api",
        "sample",
        "cluster",
        "ui",
        "lab",
    },
}
MAY_IMPORT["lab"] = {*MAY_IMPORT} - {"types", "errors", "matte", "sample", "cluster", "ui", "cli"}
"""What each package may import besides itself and `types` and `errors`."""

OUTSIDE_ONLY_IN = {"av": "io", "OpenImageIO": "io", "typer": "cli", "rich": "cli", "ray": "cluster"}
"""Libraries that only one package may import."""

NEED_TORCH = "lab"
"""The package whose modules may import torch; nothing below it imports it."""

MAX_FILE_LINES, MAX_CLI_LINES = 400, 160
MAX_FOLDER_FILES = 12
MAX_FUNCTION_LINES = 60


class Import(NamedTuple):
    """One imported module, as a dotted name."""

    module: str
    line: int
    at_load: bool
    """False inside a function and under TYPE_CHECKING."""

    runs: bool
    """False under TYPE_CHECKING alone: an import inside a function closes a circle too, only later."""


@cache
def files() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def module_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def package_of(module: str) -> str:
    """Return the part that the table names: "io" for chromacord.io.video.video_source, "" for chromacord itself."""
    return [*module.split("."), ""][1]


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def imports(path: Path) -> tuple[Import, ...]:
    return tuple(_walk(tree(path), at_load=True))


def _walk(node: ast.AST, *, at_load: bool, runs: bool = True) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (Import(alias.name, child.lineno, at_load, runs) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, f"line {child.lineno}: relative import"
            yield from (Import(f"{child.module}.{alias.name}", child.lineno, at_load, runs) for alias in child.names)
        else:
            is_checked_alone = _is_type_checking(child)
            later = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) or is_checked_alone
            yield from _walk(child, at_load=at_load and not later, runs=runs and not is_checked_alone)


def _is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def lines_of(path: Path, found: Iterable[Import]) -> list[str]:
    """Return, for a message, where these imports stand."""
    return [f"{path.relative_to(PACKAGE)}:{each.line} {each.module}" for each in found]


def test_a_package_imports_only_what_the_table_allows() -> None:
    wrong = []
    for path in files():
        package = package_of(module_of(path))
        if path.parent == PACKAGE and path.stem not in MAY_IMPORT:
            continue
        allowed = {package} | EVERYONE | MAY_IMPORT[package]
        if package in EVERYONE:
            allowed = {package}
        elif package in ("cli", "cluster"):
            allowed.add("__version__")
        ours = (found for found in imports(path) if found.module.split(".")[0] == "chromacord")
        wrong += lines_of(path, (found for found in ours if package_of(found.module) not in allowed))
    assert not wrong


def test_a_library_of_one_package_is_not_imported_by_another() -> None:
    wrong = []
    for path in files():
        package = package_of(module_of(path))
        others = (each for each in imports(path) if OUTSIDE_ONLY_IN.get(each.module.split(".")[0], package) != package)
        wrong += lines_of(path, others)
    assert not wrong


def test_torch_is_imported_late_outside_the_lab() -> None:
    wrong = []
    for path in files():
        if package_of(module_of(path)) != NEED_TORCH:
            wrong += lines_of(path, (found for found in imports(path) if found.at_load and _is_of_torch(found)))
    assert not wrong


def _is_of_torch(found: Import) -> bool:
    parts = found.module.split(".")
    return parts[0] == "torch" or parts[:2] == ["chromacord", NEED_TORCH]


def test_modules_do_not_import_each_other_in_circles() -> None:
    modules = {module_of(path): path for path in files()}
    graph = {
        name: {target for found in imports(path) if found.runs for target in _loaded(found.module, modules)} - {name}
        for name, path in modules.items()
    }
    while graph:
        free = [name for name, targets in graph.items() if not targets & graph.keys()]
        assert free, f"these import each other: {sorted(graph)}"
        for name in free:
            del graph[name]


def _loaded(name: str, modules: dict[str, Path]) -> set[str]:
    """Return the module that `from a.b import c` loads by name: a.b.c where that is a module, else a.b."""
    return {name} if name in modules else {name.rpartition(".")[0]} & modules.keys()


def test_files_and_functions_stay_small() -> None:
    long = []
    for path in files():
        text, place = path.read_text(encoding="utf-8"), path.relative_to(PACKAGE)
        num_lines = len(text.splitlines())
        if num_lines > (MAX_CLI_LINES if package_of(module_of(path)) == "cli" else MAX_FILE_LINES):
            long.append(f"{place}: {num_lines} lines")
        nodes = (node for node in ast.walk(tree(path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
        long += [f"{place}:{node.lineno} {node.name}" for node in nodes if _code_lines(node) > MAX_FUNCTION_LINES]
    assert not long


def _code_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return the number of lines from `def` to the end, without the docstring: documentation makes nothing long."""
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function) is not None:
        lines -= (first.end_lineno or first.lineno) - first.lineno + 1
    return lines


def test_a_folder_holds_what_one_look_takes_in() -> None:
    folders = Counter(path.parent.relative_to(PACKAGE).as_posix() for path in files())
    assert not {name: count for name, count in folders.items() if count > MAX_FOLDER_FILES}


def test_a_name_means_one_module() -> None:
    """Command modules have the commands' names; other modules are named after their contents."""
    names = Counter(path.stem for path in files() if path.stem != "__init__" and not _is_command(path))
    assert not [name for name, count in names.items() if count > 1]


def _is_command(path: Path) -> bool:
    return path.parent in (PACKAGE / "cli", PACKAGE / "cli/research")


def test_there_are_no_drawers_for_leftovers() -> None:
    drawers = {"utils", "util", "helpers", "common", "misc"}
    assert not [path for path in PACKAGE.rglob("*") if path.stem in drawers]


def test_the_architecture_prints_this_table() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    table = text.partition("<!-- imports:start -->")[2].partition("<!-- imports:end -->")[0]
    assert table.strip() == import_table().strip()


def is_there(package: str) -> bool:
    return (PACKAGE / package).is_dir() or (PACKAGE / f"{package}.py").is_file()


def import_table() -> str:
    """Return the table as Markdown: `python tests/test_layering.py` prints it."""
    rows = ["| package | may import, besides itself, `types` and `errors` |", "|---|---|"]
    for package, allowed in MAY_IMPORT.items():
        if is_there(package):
            names = [name for name in MAY_IMPORT if name in allowed and is_there(name)]
            what = "nothing of ours, nor each other" if package in EVERYONE else ", ".join(names) or "nothing of ours"
            rows.append(f"| {package} | {what} |")
    return "\n".join(rows)


if __name__ == "__main__":
    print(import_table())
