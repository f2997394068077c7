"""No file makes a parser raise anything but an error of ours, or take long.

Each parser gets a few damaged files here. `make fuzz` tries 500 of each, and records the outcomes.
"""

import os
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chromacord.errors import ChromacordError
from chromacord.parsing import read_file
from tests.fuzz.attack import attack
from tests.fuzz.mutation import mutated
from tests.fuzz.targets import MAKERS, Target, make_targets

EXAMPLES = int(os.environ.get("CHROMACORD_FUZZ", "15"))

CPU_SECONDS = 20.0
"""A parser that takes so long hangs; the slowest files of `make fuzz` take one second."""


@pytest.fixture(scope="module")
def targets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Target]:
    return make_targets(tmp_path_factory.mktemp("fuzz"))


@pytest.mark.parametrize("name", MAKERS)
def test_a_good_file_is_read(targets: dict[str, Target], name: str) -> None:
    targets[name].read(targets[name].content)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", MAKERS)
@settings(max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32))
def test_a_damaged_file_is_read_or_refused_in_one_line(targets: dict[str, Target], name: str, seed: int) -> None:
    attempt = attack(targets[name], mutated(targets[name].content, Random(seed)))
    assert attempt.outcome in ("read", "refused"), attempt
    assert attempt.seconds < CPU_SECONDS


def test_a_path_of_any_bytes_is_a_missing_file(targets: dict[str, Target], tmp_path: Path) -> None:
    for name in ("\udcff", "a\nb", "\x7f", "~nobody", "%n", "a" * 255):
        with pytest.raises(ChromacordError):
            read_file(tmp_path / name, limit=10)
