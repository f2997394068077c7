"""The site built from docs/ loads nothing from other hosts."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pages import PAGES, ROOT


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site strictly: a link, an anchor or a page of the navigation that is missing fails."""
    pytest.importorskip("material", reason="needs mkdocs-material: pip install '.[docs]'")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return folder


def test_every_page_is_built(site: Path) -> None:
    pages = {Path(page).stem for page in PAGES if page.startswith("docs/")}
    assert pages <= {path.stem for path in site.glob("*.html")}


def test_no_page_loads_anything_from_another_host(site: Path) -> None:
    """Links may lead elsewhere; scripts, styles, fonts and pictures may not."""
    for path in site.rglob("*.html"):
        loaded = re.findall(r"<(?:script|link|img|iframe|source)\b[^>]*>", path.read_text(encoding="utf-8"))
        assert loaded
        assert not [element for element in loaded if re.search(r"(?:src|href)=[\"']?(?:https?:)?//", element)]
    for path in site.rglob("*.css"):
        assert not re.search(r"url\([\"']?(?:https?:)?//|@import", path.read_text(encoding="utf-8"))


def test_what_would_make_the_theme_ask_another_host_is_off() -> None:
    """The theme's script asks GitHub for stars where a repository is named, and a CDN where a page has a diagram."""
    config = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert not re.search(r"^(?:repo_url|site_url|extra_javascript|extra_css):", config, flags=re.MULTILINE)
    assert re.search(r"^  font: false\b", config, flags=re.MULTILINE)
    assert not [page for page, text in PAGES.items() if "```mermaid" in text]
