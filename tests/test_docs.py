"""What is written about the code is there, and true."""

import ast
import inspect
import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from typer.testing import CliRunner

import chromacord
from chromacord import __version__
from chromacord.cli import app
from chromacord.color.parameters.parametric import LIMITS
from chromacord.grade.exports import EXPORT_FORMATS
from chromacord.methods import METHODS
from tests.pages import DOCUMENTS, PAGES, ROOT, prose, shown

PACKAGE = ROOT / "src" / "chromacord"
README = PAGES["README.md"]

Documented = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def public(body: list[ast.stmt]) -> Iterator[Documented]:
    """Return the public functions and classes, and those inside public classes."""
    for node in body:
        if isinstance(node, Documented) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from public(node.body)


@cache
def definitions() -> list[tuple[str, Documented]]:
    """Return all that is public, each with the place where it stands."""
    return [
        (f"{path.relative_to(PACKAGE)}:{node.lineno} {node.name}", node)
        for path in sorted(PACKAGE.rglob("*.py"))
        for node in public(ast.parse(path.read_text(encoding="utf-8")).body)
    ]


def test_what_is_public_has_a_docstring() -> None:
    assert not [place for place, node in definitions() if not (ast.get_docstring(node) or _is_overload(node))]


def test_a_function_of_tensors_states_their_shape() -> None:
    assert not [place for place, node in definitions() if _takes_tensors(node) and not _states_shape(node)]


def _takes_tensors(node: Documented) -> bool:
    if isinstance(node, ast.ClassDef):
        return False
    arguments = node.args.posonlyargs + node.args.args + node.args.kwonlyargs
    types = [ast.unparse(argument.annotation) for argument in arguments if argument.annotation is not None]
    return any(re.search(r"\bTensor\b", kind) for kind in types)


def _states_shape(node: Documented) -> bool:
    text = ast.get_docstring(node) or ""
    return "Shape (" in text or "Any shape" in text


def test_the_page_of_python_names_all_that_is_public() -> None:
    page = PAGES["docs/python.md"]
    told = set(re.findall(r"`(\w+)", page))
    assert {*chromacord.__all__} <= told
    kinds = {name for name, kind in vars(chromacord.errors).items() if inspect.isclass(kind) and _is_ours(kind)}
    assert kinds <= told
    for name, (low, high) in LIMITS.items():
        assert name == "pivot" or f"| {low:g}..{high:g} |" in page.partition(f"| `{name}`")[2].partition("\n")[0], name


def _is_ours(kind: type) -> bool:
    return issubclass(kind, chromacord.ChromacordError | chromacord.ChromacordWarning)


def _is_overload(node: Documented) -> bool:
    return any(ast.unparse(decorator).endswith("overload") for decorator in node.decorator_list)


@cache
def help_of(command: str) -> str:
    result = CliRunner().invoke(app, [*command.split(), "--help"], env={"COLUMNS": "200", "TERM": "dumb"})
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize(
    "command",
    ["harmonize", "grade", "apply", "matte", "ui", "synthesize", "evaluate", "compare", "train", "weights import"],
)
def test_the_pages_list_every_option(command: str) -> None:
    options = set(re.findall(r"(?<![\w-])--[a-z-]+", help_of(command))) - {"--help"}
    assert options <= set(re.findall(r"--[a-z-]+", prose()))


def test_the_readme_is_short_and_starts_with_the_two_commands() -> None:
    assert len(README.splitlines()) <= 130
    assert re.findall(r"^make (\w+)", README, flags=re.MULTILINE) == ["demo", "test"]


@pytest.mark.parametrize("page", DOCUMENTS)
def test_the_targets_of_make_exist(page: str) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"(?:`|^)make ([a-z-]+)", DOCUMENTS[page], flags=re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target


def test_the_map_names_all_packages() -> None:
    packages = {f"src/chromacord/{path.parent.name}/" for path in PACKAGE.glob("*/__init__.py")}
    assert packages <= set(re.findall(r"^\| `([^`]+)`", PAGES["docs/architecture.md"], flags=re.MULTILINE))


@pytest.mark.parametrize("page", DOCUMENTS)
def test_the_paths_that_are_named_exist(page: str) -> None:
    """Paths of the repository, and of the package where they end in .py."""
    text = re.sub(r"^```.*?^```", "", DOCUMENTS[page], flags=re.MULTILINE | re.DOTALL)
    named = re.findall(r"`((?:src|tests|recipes|benchmarks)/[\w./-]*\w/?|[a-z_]+(?:/[\w-]+)+\.py)`", text)
    assert not [path for path in named if not (ROOT / path).exists() and not (PACKAGE / path).exists()]


@pytest.mark.parametrize("page", DOCUMENTS)
def test_links_inside_the_project_lead_somewhere(page: str) -> None:
    folder = (ROOT / page).parent
    for target, _, anchor in re.findall(r"\]\((?!https?:)([^)#]*)(#?)([^)]*)\)", DOCUMENTS[page]):
        path = (folder / target).resolve() if target else ROOT / page
        assert path.exists(), target
        if anchor:
            assert anchor in anchors(path.read_text(encoding="utf-8")), f"{target}#{anchor}"


def anchors(text: str) -> set[str]:
    """Return what links may name of a page: its headings, as GitHub and MkDocs both spell them."""
    headings = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("install it without torch", "`pip install .`"),
        ("EXR sequence in ACEScg", "--input-space ACEScg"),
        ("get a CDL", ".cdl"),
        ("confidence mean", "estimated probability that the grade improves the match"),
        ("add a method", "one class that inherits `Method`"),
        ("What was measured, on which data", "davis-lut-dev"),
        ("use the weights commercially", "permits commercial use"),
        ("report a bug", "chromacord doctor"),
    ],
)
def test_the_readme_leads_to_an_answer_with_one_click(question: str, answer: str) -> None:
    (row,) = (line for line in README.splitlines() if line.startswith("|") and question in line)
    target, anchor = re.findall(r"\]\(([^)#]+)#([^)]+)\)", row)[0]
    assert answer in " ".join(section(DOCUMENTS[target], anchor).split())


def section(page: str, anchor: str) -> str:
    """Return a page's text from a heading to the next one of the same level or above."""
    heading = next(line for line in page.splitlines() if line.startswith("#") and anchors(line) == {anchor})
    level = len(heading) - len(heading.lstrip("#"))
    return re.split(rf"^#{{1,{level}}} ", page.partition(f"\n{heading}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


@pytest.mark.parametrize(
    ("template", "asked"),
    [("bug", ("chromacord doctor", "chromacord info FILE", "command")), ("result", ("chromacord doctor", "--preview"))],
)
def test_the_issue_templates_ask_for_what_is_needed(template: str, asked: tuple[str, ...]) -> None:
    text = (ROOT / ".github" / "ISSUE_TEMPLATE" / f"{template}.yml").read_text(encoding="utf-8")
    assert all(each in text for each in asked)
    assert f"(.github/ISSUE_TEMPLATE/{template}.yml)" in DOCUMENTS["CONTRIBUTING.md"]


def test_the_exit_codes_of_the_help_are_those_of_the_page() -> None:
    codes = re.findall(r"\b(\d+) (?:done|a bug|an input|stopped)", " ".join(help_of("harmonize").split()))
    section = PAGES["docs/command-line.md"].partition("## Exit codes")[2].partition("\n## ")[0]
    assert codes == re.findall(r"^\| (\d+) \|", section, flags=re.MULTILINE)


def result(name: str) -> Any:
    return json.loads((ROOT / "benchmarks" / "results" / f"{name}.json").read_text(encoding="utf-8"))


def quality() -> dict[tuple[str, str], dict[str, Any]]:
    """Return the measurements by data set and method."""
    return {(row["label"], row["method"]): row for row in result("quality")["tables"][0]["rows"]}


def test_the_readme_shows_the_results_that_were_measured() -> None:
    measured = quality()
    lines = ["| method | recoloured clips | real pairs | single adjustments | change to matching clips |"]
    lines.append("|---|---:|---:|---:|---:|")
    for method in ("identity", "histogram", "reinhard", "mkl", "poisson", "shotgrade"):
        ratios = [measured[name, method]["ratio"] for name in ("davis-lut-dev", "pairs-dev", "adjust-dev")]
        cells = [*(f"{ratio:.2f}" for ratio in ratios), f"{measured['real-dev', method]['result']:.1f}"]
        name = "untouched composite" if method == "identity" else f"`{method}`"
        lines.append(f"| {' | '.join([name, *cells])} |")
    expected = "\n".join(lines)
    assert shown("results") == expected, f"put this into README.md:\n{expected}"


def test_the_sentences_of_the_readme_have_the_figures_that_were_measured() -> None:
    measured, text = quality(), " ".join(README.split())
    largest = result("speed")["rows"]["4k ultrafast"]
    more, memory = largest["overhead_cpu_ms_per_frame"]["min"], largest["peak_memory_mb"]["job"]
    assert f"costs {more:.1f} ms of CPU time per frame beyond decoding and encoding" in text
    assert f"and {memory:.0f} MB of memory" in text
    left = [measured[name, "shotgrade"]["ratio"] for name in ("davis-lut-dev", "pairs-dev")]
    assert f"leaves {left[0]:.2f} of the error on recoloured clips and {left[1]:.2f} on real pairs" in text
    harm, classical = (measured["real-dev", name]["result"] for name in ("shotgrade", "poisson"))
    assert f"by a squared error of {harm:.1f}; the safest classical method changes it by {classical:.1f}." in text
    assert f"{len(shown('formats').splitlines()) - 2} formats from H.264 to half-float EXR" in text
    assert f"in one of {len(EXPORT_FORMATS)} formats, from `.cube` and CLF to ASC CDL, EDL and OpenTimelineIO" in text


def test_the_page_of_methods_has_the_calibration_of_the_card() -> None:
    (limit,) = re.findall(
        r"Mean confidence in five.*?: ([\d., ]+); share that the grade improved: ([\d., ]+)\.\"",
        (PACKAGE / "weights" / "shotgrade.toml").read_text(encoding="utf-8"),
    )
    expected, observed = ([*map(str.strip, values.split(","))] for values in limit)
    assert f"mean confidence {', '.join(expected[:-1])} and {expected[-1]}" in prose()
    assert f"brought {', '.join(observed[:-1])} and {observed[-1]} of the composites" in prose()


def test_the_page_of_the_browser_has_the_figures_that_were_measured() -> None:
    measured, text = result("ui"), prose()
    times, memory = measured["1080p"], measured["4k"]["peak_memory_mb"]
    seconds = [times["first_picture_ms"], times["scrub_ms"]["median"], times["slider_to_screen_ms"]["median"]]
    first, scrub, slider = (f"{each / 1000:.1f} s" for each in seconds)
    assert f"first picture after {first}, another frame after {scrub}" in text
    assert times["slider_refreshes"] == 1
    assert f"at the next refresh of the screen, which took {slider} to draw" in text
    assert f"server held {memory['server']} MB, with its tasks {memory['server_and_tasks']} MB" in text


def test_the_pages_count_what_there_is() -> None:
    words = {3: "Three", 13: "thirteen"}
    assert f"{words[len(METHODS)]} methods behind one interface" in prose()
    weights = [*(PACKAGE / "weights").glob("*.safetensors")]
    assert f"{words[len(weights)]} sets of weights ship" in prose()
    assert max(path.stat().st_size for path in weights) <= 12_000_000


def test_the_version_is_the_same_wherever_it_is_stated() -> None:
    stated = {
        "pyproject.toml": r'^version = "(.+)"$',
        "CITATION.cff": r"^version: (.+)$",
        "CHANGELOG.md": r"^## \[(\d.+)\] - \d{4}-\d{2}-\d{2}$",
    }
    for name, pattern in stated.items():
        text = (ROOT / name).read_text(encoding="utf-8")
        found = re.search(pattern, text, flags=re.MULTILINE)
        assert found, name
        assert found[1] == __version__, name
