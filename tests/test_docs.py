"""What is written about the code is there, and true."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from chromacord.cli import app

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "chromacord"
README = (ROOT / "README.md").read_text(encoding="utf-8")
ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")

Documented = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def public(body: list[ast.stmt]) -> Iterator[Documented]:
    """Return the public functions and classes, and those inside public classes."""
    for node in body:
        if isinstance(node, Documented) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from public(node.body)


def definitions() -> list[pytest.ParameterSet]:
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in public(ast.parse(path.read_text(encoding="utf-8")).body):
            name = f"{path.relative_to(PACKAGE)}:{node.name}:{node.lineno}"
            found.append(pytest.param(node, id=name))
    return found


@pytest.mark.parametrize("node", definitions())
def test_what_is_public_has_a_docstring(node: Documented) -> None:
    assert ast.get_docstring(node) or _is_overload(node)


@pytest.mark.parametrize("node", definitions())
def test_a_function_of_tensors_states_their_shape(node: Documented) -> None:
    if isinstance(node, ast.ClassDef):
        return
    arguments = node.args.posonlyargs + node.args.args + node.args.kwonlyargs
    types = [ast.unparse(argument.annotation) for argument in arguments if argument.annotation is not None]
    text = ast.get_docstring(node) or ""
    if any(re.search(r"\bTensor\b", kind) for kind in types):
        assert "Shape (" in text or "Any shape" in text


def _is_overload(node: Documented) -> bool:
    return any(ast.unparse(decorator).endswith("overload") for decorator in node.decorator_list)


def command_lines() -> list[str]:
    """Return the commands that the README shows, with continued lines joined."""
    blocks = re.findall(r"^```(?:sh|console)\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)
    joined = "\n".join(blocks).replace("\\\n", " ")
    return [line for line in joined.splitlines() if line.startswith("chromacord ")]


def help_of(command: str) -> str:
    result = CliRunner().invoke(app, [*command.split(), "--help"], env={"COLUMNS": "200", "TERM": "dumb"})
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize("line", command_lines())
def test_the_readme_shows_commands_and_options_that_exist(line: str) -> None:
    words = line.split("#")[0].split()[1:]
    command = " ".join(words[:2]) if words[0] in ("bench", "weights") else words[0]
    known = help_of("" if command.startswith("-") else command)
    for option in re.findall(r"(?<!\S)--?[a-z][a-z-]*", line):
        assert re.search(rf"(?<![\w-]){option}(?![\w-])", known), option


@pytest.mark.parametrize(
    "command", ["harmonize", "grade", "apply", "synthesize", "evaluate", "compare", "train", "weights import"]
)
def test_the_readme_lists_every_option(command: str) -> None:
    options = set(re.findall(r"(?<![\w-])--[a-z-]+", help_of(command))) - {"--help"}
    assert options <= set(re.findall(r"--[a-z-]+", README))


def test_the_readme_starts_with_the_two_commands() -> None:
    targets = re.findall(r"^make (\w+)", README, flags=re.MULTILINE)
    assert targets[:2] == ["demo", "test"]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"(?:`|^)make ([a-z-]+)", README, flags=re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target


def test_the_map_names_existing_paths_and_all_packages() -> None:
    code_map = README.partition("## Map of the code")[2].partition("\n## ")[0]
    named = re.findall(r"^\| `([^`]+)`", code_map, flags=re.MULTILINE)
    assert not [path for path in named if not (ROOT / path).exists()]
    packages = {f"src/chromacord/{path.parent.name}/" for path in PACKAGE.glob("*/__init__.py")}
    assert packages <= set(named)


@pytest.mark.parametrize("text", [README, ARCHITECTURE], ids=["README", "ARCHITECTURE"])
def test_links_inside_the_project_lead_somewhere(text: str) -> None:
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", text)
    assert not [target for target in targets if not (ROOT / target).exists()]


def test_the_files_that_contributors_are_sent_to_exist() -> None:
    named = re.findall(r"`((?:src|tests|recipes)/[\w./-]+)`", CONTRIBUTING)
    assert named
    assert not [path for path in named if not (ROOT / path).exists()]


def test_the_exit_codes_of_the_help_are_those_of_the_readme() -> None:
    codes = re.findall(r"\b(\d+) (?:done|a bug|an input|stopped)", " ".join(help_of("harmonize").split()))
    section = README.partition("## Exit codes")[2].partition("\n## ")[0]
    assert codes == re.findall(r"^\| (\d+) \|", section, flags=re.MULTILINE)
