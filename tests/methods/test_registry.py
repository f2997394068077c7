"""How methods are found and built."""

import inspect
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest

from chromacord.errors import InputError
from chromacord.lab.torch_method import TorchMethod
from chromacord.methods import METHODS, list_methods, load_method, methods_with_weights
from chromacord.methods.identity import Identity
from chromacord.methods.spec import base_name, check_options, parse_spec
from chromacord.weights import list_weights


def test_a_loaded_method_is_in_evaluation_mode() -> None:
    method = load_method("issam", weights=None, working_side=32)
    assert isinstance(method, TorchMethod)
    assert not method.training


def test_options_reach_the_constructor() -> None:
    assert load_method("poisson", mixed=True).mixed is True


def test_options_behind_the_name_reach_the_constructor() -> None:
    assert load_method("poisson:mixed=true").mixed is True
    assert load_method("mkl:max_gain=2").max_gain == 2


def test_options_of_both_kinds_are_merged_but_none_is_given_twice() -> None:
    assert load_method("mkl", **{"max_gain": 2.5}).max_gain == 2.5
    with pytest.raises(InputError, match="'mkl:max_gain=2': gives the option 'max_gain', which is also an argument"):
        load_method("mkl:max_gain=2", max_gain=2)


def test_an_unknown_name_lists_the_names() -> None:
    for name in ("colormatch", "colormatch:max_gain=2", ""):
        with pytest.raises(InputError, match=f"no method '{base_name(name)}'; choose one of identity, reinhard, mkl"):
            load_method(name)
    assert "colormatch" not in METHODS


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (lambda: load_method("mkl", speed=2), r"'mkl' has no option 'speed'; its options are max_gain: float = 4.0$"),
        (lambda: load_method("mkl:speed=2"), r"'mkl' has no option 'speed'; its options are max_gain: float = 4.0$"),
        (lambda: load_method("identity:speed=2"), "'identity' has no option 'speed'; it has none$"),
        (lambda: load_method("mkl:max_gain=big"), "'max_gain' cannot be 'big'; its options are max_gain: float = 4.0$"),
        (lambda: load_method("mkl:max_gain=true"), "'max_gain' cannot be True"),
        (lambda: load_method("mkl:max_gain=nan"), "'max_gain' cannot be 'nan'"),
        (lambda: load_method("poisson:mixed=1"), "'mixed' cannot be 1; its options are mixed: bool = False$"),
        (lambda: load_method("mkl:max_gain=0.5"), "max_gain .* must be at least 1, got 0.5"),
        (lambda: load_method("reinhard", max_gain=float("nan")), "max_gain .* must be at least 1, got nan"),
        (lambda: load_method("histogram:max_gain=-2"), "max_gain .* must be at least 1, got -2"),
        (lambda: load_method("mkl:max_gain"), "'mkl:max_gain': 'max_gain' is not an option; write NAME:option=value"),
        (lambda: load_method("mkl:=2"), "'=2' is not an option"),
        (lambda: load_method("mkl:max_gain="), "'max_gain=' is not an option"),
        (lambda: load_method("mkl:"), "'' is not an option"),
        (lambda: load_method("mkl:max_gain=2:max_gain=3"), "gives the option 'max_gain' twice"),
    ],
)
def test_options_that_cannot_be_used_are_refused_in_one_line(build: Callable[[], object], said: str) -> None:
    with pytest.raises(InputError, match=said) as refused:
        build()
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("false", False),
        ("True", "True"),
        ("12", 12),
        ("-3", -3),
        ("1_000", "1_000"),
        ("2.0", 2.0),
        ("-.5", -0.5),
        ("1e-3", 1e-3),
        ("inf", "inf"),
        ("shotgrade-research", "shotgrade-research"),
        ("runs/a=b.safetensors", "runs/a=b.safetensors"),
        ("1.2.3", "1.2.3"),
    ],
)
def test_values_are_read_as_truth_numbers_or_text(text: str, value: object) -> None:
    found = parse_spec(f" shotgrade : weights = {text} ")
    assert found == ("shotgrade", {"weights": value})
    assert type(found.options["weights"]) is type(value)


class Picky(Identity):
    """Takes options of every kind."""

    def __init__(
        self,
        weights: str | Path | None = None,
        *,
        mode: Literal["fast", "good"] = "good",
        sizes: Any = (),
        hidden: int = 8,
    ) -> None:
        if hidden == 7:
            raise ValueError("hidden must be even")
        super().__init__()


@pytest.mark.parametrize(
    "options", [{"weights": "a"}, {"weights": Path("a")}, {"weights": None}, {"mode": "fast"}, {"sizes": 3}]
)
def test_values_may_be_of_any_type_that_the_constructor_states(options: dict[str, object]) -> None:
    check_options("picky", Picky, options)


@pytest.mark.parametrize("options", [{"weights": 3}, {"weights": True}, {"mode": "slow"}, {"hidden": 2.5}])
def test_values_of_other_types_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(InputError, match=f"the option '{next(iter(options))}' cannot be .*; its options are weights: "):
        check_options("picky", Picky, options)


def test_what_a_constructor_says_of_a_value_is_shown_with_the_options(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chromacord.methods.METHODS", {"picky": Picky})
    with pytest.raises(
        InputError, match="'picky:hidden=7' cannot be built: hidden must be even; its options are weights"
    ):
        load_method("picky:hidden=7")


def test_methods_are_described_as_their_classes_say() -> None:
    for info in list_methods():
        method = METHODS[info.name]
        weights = inspect.signature(method).parameters.get("weights")
        assert info.description == (method.__doc__ or "").strip().splitlines()[0].rstrip(".")
        assert (info.is_global, info.is_learned) == (method.fitted != "field", weights is not None)
        assert info.has_weights == (weights is None or weights.default in list_weights())
        assert info.install == ""


def test_listing_names_imports_no_method() -> None:
    question = "len(METHODS), 'chromacord.methods.mkl' in sys.modules"
    code = f"import sys; from chromacord.methods import METHODS; print({question})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(len(METHODS)), "False"]


def test_a_learned_method_without_weights_says_how_to_get_some(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chromacord.methods.list_weights", tuple)
    for name in ("shotgrade", "issam"):
        with pytest.raises(
            InputError, match=f"'{name}': this version of chromacord ships no weights '{name}'; .* {name}:weights=PATH"
        ) as caught:
            load_method(name)
        assert "\n" not in str(caught.value)
        assert name not in methods_with_weights()
    assert load_method("issam", weights=None, working_side=32).working_size == (32, 32)
    assert {"identity", "mkl"} <= set(methods_with_weights())


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("issam:width=-3", "'width' must lie in 0..256, got -3"),
        ("issam:width=100000000", "'width' must lie in 0..256, got 100000000"),
        (f"issam:width={'9' * 5000}", "'width' cannot be inf"),
        ("chen2024:frames=1000000000", "'frames' must lie in 0..4096"),
        ("shotgrade:lut_size=4096", "'lut_size' must lie in 0..65"),
        ("shotgrade:caution=1e999", "'caution' must be a finite number, got inf"),
    ],
)
def test_options_that_ask_for_too_much_are_refused(name: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        load_method(name)
    assert len(str(caught.value).split("; its options")[0]) < 5200
