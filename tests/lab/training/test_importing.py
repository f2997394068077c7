"""Import published checkpoints as our weights: what is written, and what is refused."""

import hashlib
import os
import pickle
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor

from chromacord.errors import (
    ChromacordError,
    InputError,
    MissingFileError,
    OutputError,
    OutputExistsError,
    UnreadableFileError,
)
from chromacord.lab.flow.spynet import SPyNet
from chromacord.lab.methods.issam import ISSAM
from chromacord.lab.training.importing import import_published, importable
from chromacord.lab.weight_files import state_dict
from chromacord.methods import load_method
from chromacord.weights.cards import parse_card
from tests.lab.methods import published_issam


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("published") / "last.pth"
    torch.save(published_issam.checkpoint(), path)
    return path


def test_numbers_keep_their_full_precision(checkpoint: Path, tmp_path: Path) -> None:
    made = import_published("issam", checkpoint, tmp_path / "own.safetensors")
    ours = ISSAM.from_published(published_issam.checkpoint())
    found = state_dict(made.weights)
    assert found.keys() == ours.keys()
    assert all(torch.equal(found[key], value) for key, value in ours.items())
    assert made.num_values == sum(value.numel() for value in ours.values())


def test_the_weights_give_what_the_checkpoint_gives(checkpoint: Path, tmp_path: Path) -> None:
    made = import_published("issam", checkpoint, tmp_path / "own")
    composite = torch.rand(1, 1, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    mask = torch.zeros(1, 1, 1, 32, 32)
    mask[..., 8:24, 8:24] = 1
    with torch.inference_mode():
        imported, direct = (
            load_method("issam", weights=str(path), working_side=32)(composite, mask).harmonized
            for path in (made.weights, checkpoint)
        )
    assert torch.equal(imported, direct)


def test_the_card_says_what_is_known_and_that_the_rest_is_not(checkpoint: Path, tmp_path: Path) -> None:
    made = import_published("issam", checkpoint, tmp_path / "own")
    assert (made.weights, made.card) == (tmp_path / "own.safetensors", tmp_path / "own.toml")
    card = tomllib.loads(made.card.read_text())
    assert (card["name"], card["method"]) == ("own", "issam")
    assert card["licence"].startswith("not known")
    assert card["training_data"] == "not known"
    assert card["sha256"] == hashlib.sha256(made.weights.read_bytes()).hexdigest()
    assert card["imported_from"] == {
        "name": "last.pth",
        "sha256": hashlib.sha256(checkpoint.read_bytes()).hexdigest(),
    }
    assert card["use"] == f"--method issam:weights={made.weights}"


def test_nothing_ships_with_such_a_card(checkpoint: Path, tmp_path: Path) -> None:
    made = import_published("issam", checkpoint, tmp_path / "own")
    with pytest.raises(InputError, match=r"^own.toml: imported_from, num_values, training_data is not known"):
        parse_card(made.card.read_bytes(), where="own.toml")


@pytest.mark.parametrize("name", ['a "b" \\ c', "tab\there", "del\x7f", "\N{GRINNING FACE}", os.fsdecode(b"\xff")])
def test_the_card_can_be_read_whatever_the_files_are_called(checkpoint: Path, tmp_path: Path, name: str) -> None:
    odd = tmp_path / f"{name}.pth"
    odd.write_bytes(checkpoint.read_bytes())
    card = tomllib.loads(import_published("issam", odd).card.read_text(encoding="utf-8"))
    assert card["imported_from"]["name"] == f"{name}.pth".encode("utf-8", "surrogateescape").decode(errors="replace")


@pytest.mark.parametrize("given", ["own", "own.safetensors", "own.v2", None])
def test_the_ending_may_be_left_out_and_so_may_the_output(checkpoint: Path, tmp_path: Path, given: str | None) -> None:
    beside = tmp_path / "last.pth"
    beside.write_bytes(checkpoint.read_bytes())
    made = import_published("issam", beside, tmp_path / given if given else None)
    expected = {"own.v2": "own.v2.safetensors", None: "last.safetensors"}.get(given, "own.safetensors")
    assert made.weights == tmp_path / expected
    assert made.card == (tmp_path / expected).with_suffix(".toml")
    assert {made.weights, made.card, beside} == set(tmp_path.iterdir())


def test_files_that_exist_are_replaced_by_force_alone_and_then_with_the_same_bytes(
    checkpoint: Path, tmp_path: Path
) -> None:
    made = import_published("issam", checkpoint, tmp_path / "own")
    before = made.weights.read_bytes(), made.card.read_bytes()
    with pytest.raises(OutputExistsError, match=r"own.safetensors: exists already; use --force"):
        import_published("issam", checkpoint, tmp_path / "own")
    made.weights.unlink()
    with pytest.raises(OutputExistsError, match=r"own.toml: exists already"):
        import_published("issam", checkpoint, tmp_path / "own")
    assert import_published("issam", checkpoint, tmp_path / "own", force=True) == made
    assert (made.weights.read_bytes(), made.card.read_bytes()) == before


def test_a_folder_that_is_missing_is_not_made(checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"own.safetensors: the folder .*none does not exist; create it first"):
        import_published("issam", checkpoint, tmp_path / "none" / "own")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize("wrapper", [None, "state_dict", "model_state_dict", "net"])
def test_the_usual_wrappers_are_taken_off(tmp_path: Path, prefix: str, wrapper: str | None) -> None:
    state: dict[str, object] = {f"{prefix}{key}": value for key, value in published_issam.checkpoint().items()}
    state["_metadata"] = {"": {"version": 1}}
    torch.save({wrapper: state, "epoch": 3} if wrapper else state, tmp_path / "a.pth")
    made = import_published("issam", tmp_path / "a.pth")
    assert state_dict(made.weights).keys() == ISSAM.from_published(published_issam.checkpoint()).keys()


def test_optical_flow_of_either_layout_is_imported_too(tmp_path: Path) -> None:
    network = SPyNet()
    state = {
        f"basic_module.{level}.basic_module.{rest}": value
        for level, rest, value in ((*key.split(".", 2)[1:], value) for key, value in network.state_dict().items())
    }
    torch.save({"params": state}, tmp_path / "spynet.pth")
    made = import_published("spynet", tmp_path / "spynet.pth")
    found = SPyNet(weights=made.weights).state_dict()
    assert all(torch.equal(found[key], value) for key, value in network.state_dict().items())
    assert made.use == f'flow_weights = "{made.weights}" in a recipe'


class Harmful:
    def __reduce__(self) -> tuple[object, ...]:
        return (print, ("executed",))


def _without(state: Mapping[str, Tensor], key: str) -> dict[str, Tensor]:
    return {name: value for name, value in state.items() if name != key}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("missing", r"no such file; name a checkpoint"),
        ("cut", r"is damaged, or not a checkpoint of tensors; download it again"),
        ("text", r"is damaged, or not a checkpoint of tensors"),
        ("empty", r"is damaged, or not a checkpoint of tensors"),
        ("code", r"would run Python code \(print\), which is refused; give a file of weights alone"),
        ("bare pickle with code", r"is damaged, or not a checkpoint of tensors|would run Python code"),
        ("no tensors", r"holds no table of tensors"),
        ("nothing", r"holds no table of tensors"),
        ("another method", r"does not fit HarmonizationNetwork \(missing: encoder.*; unexpected: levels\.0"),
        ("a key short", r"does not fit HarmonizationNetwork \(missing: decoder\.to_rgb\.bias\)"),
        ("not a number", r"decoder.to_rgb.bias holds NaN or infinity"),
    ],
)
def test_what_cannot_be_imported_is_refused_in_one_line_and_leaves_nothing(
    tmp_path: Path, content: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.pth"
    good = published_issam.checkpoint()
    states: dict[str, object] = {
        "cut": good,
        "code": {**good, "more": Harmful()},
        "no tensors": {"a": 1},
        "nothing": {},
        "another method": SPyNet().state_dict(),
        "a key short": _without(good, "decoder.to_rgb.bias"),
        "not a number": {**good, "decoder.to_rgb.bias": torch.full((3,), float("nan"))},
    }
    if content in states:
        torch.save(states[content], path)
    elif content != "missing":
        path.write_bytes({"text": b"not found", "empty": b""}.get(content, pickle.dumps({"a": Harmful()})))
    if content == "cut":
        path.write_bytes(path.read_bytes()[:-1000])
    kind = {"missing": MissingFileError}.get(content, InputError if "does not" in said else UnreadableFileError)
    kind = InputError if content == "not a number" else kind
    with pytest.raises(kind, match=rf"a\.pth: .*(?:{said})") as refused:
        import_published("issam", path)
    assert "\n" not in str(refused.value)
    assert capsys.readouterr().out == ""
    assert [each.name for each in tmp_path.iterdir()] in ([], ["a.pth"])


@pytest.mark.parametrize(
    ("method", "said"),
    [
        ("chen2024", "method 'chen2024': no checkpoints of it were published; choose one of .*issam, .*spynet"),
        ("mkl", "method 'mkl': no checkpoints of it were published"),
        ("swan", "method 'swan': there is no such method; choose one of .*issam"),
    ],
)
def test_methods_without_published_checkpoints_are_refused_with_those_that_have_some(
    checkpoint: Path, method: str, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        import_published(method, checkpoint)


def test_a_file_that_is_no_checkpoint_by_its_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"")
    with pytest.raises(InputError, match=r"a.bin: does not look like a checkpoint; give a file that ends in .pth, .pt"):
        import_published("issam", tmp_path / "a.bin")


@pytest.mark.parametrize("name", ["~nobody-is-called-so/a.pth", "n" * 300 + ".pth"])
def test_a_path_that_no_system_takes_is_refused_in_one_line(name: str) -> None:
    with pytest.raises(ChromacordError, match=name[:20]):
        import_published("issam", Path(name))


def test_every_method_says_itself_whether_checkpoints_of_it_were_published() -> None:
    assert {"issam", "iih", "dovenet", "rainnet", "huang2019", "co2net", "shotgrade"} <= set(importable())
    assert importable()[-1] == "spynet"
    assert not {"chen2024", "mkl"} & set(importable())
