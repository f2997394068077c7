"""The documents (README, ARCHITECTURE, CONTRIBUTING, SECURITY, docs/), and the commands and code in them."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]

PAGES: dict[str, str] = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
}
"""README and the pages of docs/, by their paths."""

DOCUMENTS: dict[str, str] = PAGES | {
    name: (ROOT / name).read_text(encoding="utf-8") for name in ("ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md")
}
"""The pages, and what contributors read."""


def shown(table: str) -> str:
    """Return what stands between the markers of a table, which one page has, once."""
    start, end = f"<!-- {table}:start -->", f"<!-- {table}:end -->"
    (text,) = (text for text in PAGES.values() if start in text)
    assert text.count(start) == text.count(end) == 1, table
    return text.partition(start)[2].partition(end)[0].strip()


def prose() -> str:
    """Return all pages with their lines joined, to find sentences in."""
    return " ".join(" ".join(PAGES.values()).split())


def blocks(text: str, *languages: str) -> list[str]:
    """Return the fenced blocks of a page in any of these languages."""
    return re.findall(rf"^```(?:{'|'.join(languages)})\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


def command_lines(text: str, program: str = "chromacord") -> list[str]:
    """Return the commands of a program that a page shows, with continued lines joined."""
    joined = "\n".join(blocks(text, "sh", "console")).replace("\\\n", " ")
    return [line.partition(" #")[0].strip() for line in joined.splitlines() if line.startswith(f"{program} ")]


def mentions(text: str, program: str) -> list[str]:
    """Return the commands of a program that a page names within its sentences and tables."""
    return [match for match in re.findall(r"`([^`\n]+)`", text) if match.startswith(f"{program} ")]
