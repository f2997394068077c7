"""Published checkpoints: what is read from them, and which are refused."""

import os
import random
import resource
import zipfile
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from torch import nn

from chromacord.errors import InputError, MissingFileError, UnreadableFileError
from chromacord.lab.published import read_checkpoint, weights_of
from chromacord.lab.weight_files import renamed

STATE = {"weight": torch.tensor([1.0, 2.0], dtype=torch.float16), "steps": torch.tensor(3)}


@pytest.mark.parametrize("wrapped", [STATE, {"params": STATE}, {"state_dict": STATE, "epoch": 4, "args": {"lr": 0.1}}])
def test_tensors_are_found_bare_or_under_a_usual_name(tmp_path: Path, wrapped: dict[str, object]) -> None:
    torch.save(wrapped, tmp_path / "a.pth")
    found = read_checkpoint(tmp_path / "a.pth")
    assert list(found) == ["weight", "steps"]
    assert found["weight"].dtype == torch.float16
    assert found["weight"].tolist() == [1, 2]
    assert found["steps"].dtype == torch.int64


def test_a_running_mean_goes_before_the_last_weights(tmp_path: Path) -> None:
    torch.save({"params": {"a": torch.zeros(1)}, "params_ema": {"a": torch.ones(1)}}, tmp_path / "a.pth")
    assert read_checkpoint(tmp_path / "a.pth")["a"].item() == 1


class Harmful:
    """Asks for a function when it is read."""

    def __init__(self, function: object = print, argument: str = "executed") -> None:
        self.asked = function, (argument,)

    def __reduce__(self) -> tuple[object, ...]:
        return self.asked


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "old format"])
@pytest.mark.parametrize(("function", "name"), [(os.mkdir, f"{os.name}.mkdir"), (exec, "exec")])
def test_whatever_code_is_asked_for_is_named_and_not_run(
    tmp_path: Path, function: object, name: str, zipped: bool
) -> None:
    """torch words it otherwise for modules that it never lets through."""
    made = tmp_path / "made"
    argument = str(made) if function is os.mkdir else f"import os; os.mkdir({str(made)!r})"
    path = tmp_path / "a.pth"
    torch.save(STATE | {"more": Harmful(function, argument)}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(UnreadableFileError, match=rf"would run Python code \({name}\), which is refused"):
        read_checkpoint(path)
    assert not made.exists()


@pytest.mark.parametrize(
    "odd",
    [
        torch.eye(3).to_sparse(),
        torch.ones(2, dtype=torch.complex64),
        torch.ones(2, device="meta"),
    ],
    ids=["sparse", "complex", "meta"],
)
def test_tensors_that_hold_no_plain_numbers_are_refused_in_one_line(tmp_path: Path, odd: torch.Tensor) -> None:
    torch.save(STATE | {"odd": odd}, tmp_path / "a.pth")
    with pytest.raises(UnreadableFileError, match=r"a\.pth: odd is sparse, quantized, complex or") as caught:
        read_checkpoint(tmp_path / "a.pth")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", ["missing", "text", "cut", "a list", "words", "code"])
def test_what_holds_no_tensors_is_refused_in_one_line(
    tmp_path: Path, content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.pth"
    if content in ("a list", "words", "code"):
        torch.save({"a list": [1, 2], "words": {"a": "b"}, "code": {"a": Harmful()}}[content], path)
    elif content == "cut":
        torch.save(STATE, path)
        path.write_bytes(path.read_bytes()[:-40])
    elif content == "text":
        path.write_text("not found")
    with pytest.raises(MissingFileError if content == "missing" else UnreadableFileError, match=r"a.pth: ") as caught:
        read_checkpoint(path)
    assert "\n" not in str(caught.value)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "old format"])
def test_a_file_that_is_damaged_anywhere_is_refused_in_one_line_or_read(tmp_path: Path, zipped: bool) -> None:
    """What torch raises depends on where the damage is."""
    path, chance = tmp_path / "a.pth", random.Random(0)
    torch.save(OrderedDict(STATE, bias=torch.zeros(3)), path, _use_new_zipfile_serialization=zipped)
    assert list(read_checkpoint(path)) == ["weight", "steps", "bias"]
    whole = path.read_bytes()
    refused = []
    for _ in range(200):
        damaged = bytearray(whole)
        for _ in range(5):
            damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
        path.write_bytes(damaged[: chance.choice([len(damaged), chance.randrange(len(damaged))])])
        try:
            read_checkpoint(path)
        except UnreadableFileError as error:
            refused.append(str(error))
    assert len(refused) > 100
    assert not any("\n" in each for each in refused)


def expanded(*shape: int) -> torch.Tensor:
    """Return a tensor of one number that is expanded to any size; a file stores only the number."""
    return torch.zeros(1, dtype=torch.float16).as_strided(shape, (0,) * len(shape))


@pytest.mark.parametrize("shape", [(20_000, 50_000), (2_000_000, 5_000_000)])
def test_a_small_file_takes_no_memory_that_its_shapes_claim(tmp_path: Path, shape: tuple[int, int]) -> None:
    torch.save({"weight": expanded(*shape), "bias": torch.zeros(2)}, tmp_path / "a.pth")
    assert (tmp_path / "a.pth").stat().st_size < 3000
    module = nn.Linear(3, 2)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InputError, match=rf"of another shape: weight \({shape[0]}, {shape[1]}\) for \(2, 3\)"):
        weights_of(tmp_path / "a.pth", lambda state: renamed(state, module, {"weight": "weight", "bias": "bias"}))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000


def test_weights_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    torch.save(
        {"weight": torch.full((2, 3), torch.nan, dtype=torch.float16), "bias": torch.zeros(2)}, tmp_path / "a.pth"
    )
    names = {"weight": "weight", "bias": "bias"}
    with pytest.raises(InputError, match=r"a.pth: weight holds NaN or infinity"):
        weights_of(tmp_path / "a.pth", lambda state: renamed(state, nn.Linear(3, 2), names))


def test_an_archive_that_was_packed_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(1_000_000)}, tmp_path / "a.pth")
    with (
        zipfile.ZipFile(tmp_path / "a.pth") as whole,
        zipfile.ZipFile(tmp_path / "b.pth", "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for name in whole.namelist():
            packed.writestr(name, whole.read(name))
    assert (tmp_path / "b.pth").stat().st_size < 10_000
    with pytest.raises(UnreadableFileError, match=r"b.pth: unpacks to more than its size"):
        read_checkpoint(tmp_path / "b.pth")
