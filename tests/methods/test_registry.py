"""How methods are found and built."""

import subprocess
import sys

import pytest

from chromacord.errors import InputError
from chromacord.methods import METHODS, load_method


def test_a_loaded_method_is_in_evaluation_mode() -> None:
    assert not load_method("mkl").training


def test_options_reach_the_constructor() -> None:
    assert load_method("poisson", mixed=True).mixed is True


def test_an_unknown_name_lists_the_names() -> None:
    with pytest.raises(InputError, match="no method 'colormatch'; choose one of identity, reinhard, mkl"):
        load_method("colormatch")
    assert "colormatch" not in METHODS


def test_an_unknown_option_is_named() -> None:
    with pytest.raises(InputError, match=r"'mkl' cannot be built with the options \['speed'\]"):
        load_method("mkl", speed=2)


def test_listing_names_imports_no_method() -> None:
    question = "len(METHODS), 'chromacord.methods.mkl' in sys.modules"
    code = f"import sys; from chromacord.methods import METHODS; print({question})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(len(METHODS)), "False"]
