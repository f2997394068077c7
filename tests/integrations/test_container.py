"""The Dockerfile, as far as it can be read without building it; its README logs a build."""

import re

from tests.pages import ROOT

LINES = (ROOT / "integrations/container/Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
STAGE = LINES[len(LINES) - 1 - LINES[::-1].index("FROM ${BASE}") :]


def test_the_image_runs_the_command_without_privileges() -> None:
    users = [line.split()[1] for line in STAGE if line.startswith("USER ")]
    assert users == ["chromacord"]
    assert re.search(r"useradd --uid [1-9]\d* .*chromacord", "\n".join(STAGE))
    assert 'ENTRYPOINT ["chromacord"]' in STAGE


def test_what_it_copies_exists_and_is_all_that_a_build_reads() -> None:
    copied = {
        name for line in LINES if line.startswith("COPY ") and "--from" not in line for name in line.split()[1:-1]
    }
    assert all((ROOT / name).exists() for name in copied)
    # The wheel's build hook, its metadata, and the pins.
    assert {"src", "hatch_build.py", "pyproject.toml", "README.md", "LICENSE", "constraints.txt"} <= copied
