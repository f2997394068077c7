"""The man page: every command and option of the help, as valid man(7) source."""

import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from chromacord.cli import app
from chromacord.cli.screen.manual import man_page

COMMAND = typer.main.get_command(app)
PAGE = man_page(COMMAND, "chromacord")
PLAIN = PAGE.replace("\\-", "-").replace("\\&", "").replace("\\e", "\\")


def leaves(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    for name, each in getattr(command, "commands", {path: command}).items():
        if hasattr(each, "commands"):
            yield from leaves(each, f"{path} {name}")
        else:
            yield f"{path} {name}", each


def test_every_command_has_a_section_with_all_its_options() -> None:
    found = dict(leaves(COMMAND, "chromacord"))
    assert {"chromacord harmonize", "chromacord doctor", "chromacord bench flow", "chromacord weights import"} <= set(
        found
    )
    for name, command in found.items():
        section = PLAIN.partition(f".SH {name.upper()}\n")[2].partition("\n.SH ")[0]
        assert section, name
        for parameter in command.params:
            if not getattr(parameter, "hidden", False) and parameter.param_type_name == "option":
                assert all(f"{option}" in section for option in parameter.opts), (name, parameter.opts)


def test_hyphens_can_be_copied_and_no_text_is_taken_for_a_request() -> None:
    requests = {".TH", ".SH", ".SS", ".TP", ".PP", ".B", ".I", ".EX", ".EE"}
    for line in PAGE.splitlines():
        assert not line.startswith(".") or line.split()[0] in requests, line
        assert "-" not in line.replace("\\-", "") or line.startswith(".TH"), line


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
def test_groff_formats_the_page_without_warnings() -> None:
    done = subprocess.run(
        ["groff", "-man", "-ww", "-z", "-K", "utf8"], input=PAGE, text=True, capture_output=True, check=True
    )
    assert done.stderr == ""
