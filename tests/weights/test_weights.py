"""How weights are written, found, checked and loaded; and that the shipped ones are complete."""

import hashlib
import random
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import Tensor, nn

from chromacord import weights
from chromacord.errors import InputError, MissingFileError, OutputError, UnreadableFileError
from chromacord.lab.flow.spynet import SHIPPED, SPyNet
from chromacord.lab.networks.lookup import network_of
from chromacord.lab.training.recipe import read_recipe
from chromacord.lab.weight_files import fit_part, load_into, packed, save, state_dict
from chromacord.methods import DEFAULT_METHOD, METHODS, list_cards, load_method
from chromacord.weights import Card, card, list_weights
from chromacord.weights.cards import parse_card

ROOT = Path(__file__).parent.parent.parent
MAX_BYTES = 12_000_000
FREE = {
    "Apache-2.0",
    "CC BY 2.0",
    "CC BY 4.0",
    "CC BY-SA 4.0",
    "CC BY and CC BY-SA",
    "CC0",
    # Each picture under one of these, as its list of sources says; Unsplash and Pexels let anybody use them.
    "CC0, CC BY, CC BY-SA, Unsplash or Pexels, listed per picture in sources.csv",
    "MIT",
    "public domain",
    # The repository with the photographs is under MIT; it states nothing else about them.
    "MIT (repository), LabelMe photos",
    # LUTs that were only learned from.
    "project",
}
"""What training data of weights for everybody may be under, word for word: a longer text may take back what the first
words give."""

CARD = """
name = "small"
method = "mkl"
title = "Two layers for a test"
licence = "Apache-2.0"
sha256 = "{sha256}"
num_parameters = 14
recipe = "recipes/small.toml"
commit = "0123abc"
limits = ["Colour only.", "Films by day."]

[[data]]
name = "DAVIS 2017"
licence = "CC BY 4.0"
num_items = 1200

[[data]]
name = "textures"
licence = "CC0"
num_items = 3
note = "made by the project"

[training]
steps = 20000
hours = 1.5
machine = "one H100"

[[figures]]
data = "davis-lut-dev"
protocol = "hyoutube"
command = "chromacord evaluate --data dev"
commit = "4567def"
values = {{ fmse = 1000.5, psnr = 30 }}
"""


def module() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Linear(2, 2, bias=False))


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of shipped weights that holds "small"."""
    folder = tmp_path / "shipped"
    folder.mkdir()
    monkeypatch.setattr(weights, "FOLDER", folder)
    sha256 = save(module().state_dict(), folder / "small.safetensors")
    (folder / "small.toml").write_text(CARD.format(sha256=sha256))
    return folder


def test_weights_come_back_as_float32_rounded_to_half_precision(tmp_path: Path) -> None:
    state = {"weight": torch.tensor([1 / 3, -6e4]), "steps": torch.tensor(7), "seen": torch.tensor([True])}
    save(state, tmp_path / "own.safetensors")
    found = state_dict(tmp_path / "own.safetensors")
    # float16 has a significand of 11 bits: 1/3 becomes 1365 / 2**12 (IEEE 754).
    assert found["weight"].tolist() == [1365 / 4096, -6e4]
    assert {key: tensor.dtype for key, tensor in found.items()} == {
        "weight": torch.float32,
        "steps": torch.int64,
        "seen": torch.bool,
    }
    assert found["steps"] == 7


def test_weights_in_bfloat16_and_float64_are_read_as_float32(tmp_path: Path) -> None:
    path = tmp_path / "own.safetensors"
    stored = {"short": torch.ones(2, dtype=torch.bfloat16), "long": torch.ones(2, dtype=torch.float64)}
    safetensors.torch.save_file(stored, path)
    assert {tensor.dtype for tensor in state_dict(str(path)).values()} == {torch.float32}


def test_saving_returns_the_files_hash_and_equal_weights_give_equal_files(tmp_path: Path) -> None:
    path, again = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    assert save(module().state_dict(), path) == hashlib.sha256(path.read_bytes()).hexdigest()
    save(dict(reversed(module().state_dict().items())), again)
    assert path.read_bytes() == again.read_bytes()


def test_tensors_that_share_memory_or_are_transposed_are_saved_whole(tmp_path: Path) -> None:
    whole = torch.arange(6, dtype=torch.float16).reshape(2, 3)
    save({"whole": whole, "turned": whole.T, "same": whole}, tmp_path / "own.safetensors")
    assert torch.equal(state_dict(tmp_path / "own.safetensors")["turned"], whole.T.float())


@pytest.mark.parametrize(("value", "said"), [(7e4, "70000"), (float("nan"), "nan"), (float("-inf"), "inf")])
def test_what_half_precision_cannot_hold_is_refused_by_key_and_nothing_is_written(
    tmp_path: Path, value: float, said: str
) -> None:
    with pytest.raises(InputError, match=f"^layer.weight: float16 holds finite values up to 65504, got {said}"):
        save({"fine": torch.ones(1), "layer.weight": torch.tensor([0, value])}, tmp_path / "own.safetensors")
    assert not list(tmp_path.iterdir())


def test_a_failed_write_keeps_the_file_that_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "own.safetensors"
    save({"a": torch.ones(1)}, path)
    before = path.read_bytes()

    def fill_disk(path: Path, content: bytes) -> None:
        path.open("wb").write(content[:8])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fill_disk)
    with pytest.raises(OutputError, match=r"own.safetensors: cannot be written: No space left on device"):
        save({"a": torch.zeros(1)}, path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_weights_are_saved_under_their_ending_only(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"own.pt: weights are saved as .safetensors"):
        save({}, tmp_path / "own.pt")


def test_a_card_says_all_that_was_written(shipped: Path) -> None:
    found = card("small")
    assert (found.name, found.method, found.num_parameters) == ("small", "mkl", 14)
    assert [(each.name, each.licence, each.num_items, each.note) for each in found.data] == [
        ("DAVIS 2017", "CC BY 4.0", 1200, ""),
        ("textures", "CC0", 3, "made by the project"),
    ]
    assert found.training == {"steps": 20000, "hours": 1.5, "machine": "one H100"}
    assert found.figures[0].values == {"fmse": 1000.5, "psnr": 30}
    assert found.limits == ("Colour only.", "Films by day.")


def test_a_card_is_described_in_lines(shipped: Path) -> None:
    lines = [line.strip() for line in card("small").describe().splitlines()]
    assert lines[0] == "small: Two layers for a test"
    for line in (
        "use         --method mkl:weights=small",
        "data        DAVIS 2017 (CC BY 4.0): 1,200",
        "textures (CC0): 3; made by the project",
        "training    steps 20000, hours 1.5, machine one H100",
        "figures     davis-lut-dev, protocol hyoutube: fmse 1000.5, psnr 30",
        "by chromacord evaluate --data dev at 4567def",
    ):
        assert line in lines


def test_weights_of_no_method_say_how_they_are_used_and_are_listed_last(shipped: Path) -> None:
    text = (shipped / "small.toml").read_text().replace('"mkl"', '"flow"')
    (shipped / "small.toml").write_text('use = "--flow small"\n' + text)
    lines = [line.strip() for line in card("small").describe().splitlines()]
    assert "use         --flow small" in lines
    sha256 = save(module().state_dict(), shipped / "a.safetensors")
    (shipped / "a.toml").write_text(CARD.format(sha256=sha256).replace('"small"', '"a"'))
    sha256 = save(module().state_dict(), shipped / "z.safetensors")
    (shipped / "z.toml").write_text(CARD.format(sha256=sha256).replace('"small"', '"z"'))
    assert [each.name for each in list_cards()] == ["a", "z", "small"]


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda text: text.replace('commit = "4567def"\n', ""), r"figures\[0\].commit is missing"),
        (lambda text: text.replace('licence = "CC0"', "licence = 0"), r"data\[1\].licence must be text, got 0"),
        (lambda text: text.replace("num_parameters = 14", "num_parameters = true"), "num_parameters must be a whole"),
        (lambda text: text.replace("steps = 20000", "steps = [1]"), "training must be a table with text or a whole"),
        (lambda text: text.replace("note =", "notes ="), r"data\[1\].notes is not known; choose one of name, licence"),
        (
            lambda text: text.replace('"Colour only."', "3"),
            r"limits must be a list of texts, got \[3, 'Films by day.'\]",
        ),
        (lambda text: text.replace('"0123abc"', '""'), "commit is empty"),
        (lambda text: text.replace("{{ fmse = 1000.5, psnr = 30 }}", "{{}}"), r"figures\[0\].values is empty"),
        (lambda text: text.replace("[[data]]", "[[other]]"), "other is not known"),
        (lambda text: text.replace("{sha256}", "12ab"), "sha256 must be 64 hexadecimal digits, got '12ab'"),
        (lambda text: text + "=", "cannot be read as TOML: Invalid statement"),
        (
            lambda text: text.replace("num_parameters = 14", f"num_parameters = {10**30}"),
            "num_parameters must be a finite number",
        ),
        (lambda text: text.replace("psnr = 30", "psnr = nan"), r"figures\[0\].values must be .*, got nan"),
        (lambda text: "a = " + 100_000 * "[", "nested too deeply"),
    ],
)
def test_a_card_that_cannot_be_used_is_refused_with_file_and_key(edit: Callable[[str], str], said: str) -> None:
    text = edit(CARD).format(sha256=64 * "a")
    with pytest.raises(InputError, match=rf"^small.toml: .*{said}") as refused:
        parse_card(text.encode(), where="small.toml")
    assert "\n" not in str(refused.value)


def test_a_card_under_another_name_is_refused(shipped: Path) -> None:
    (shipped / "small.toml").rename(shipped / "large.toml")
    with pytest.raises(InputError, match=r"large.toml: the key 'name' must be 'large', like the file, got 'small'"):
        card("large")


def test_shipped_weights_are_found_by_name(shipped: Path) -> None:
    assert list_weights() == ("small",)
    assert [each.name for each in list_cards()] == ["small"]
    found = state_dict("small")
    assert all(torch.equal(found[key], value) for key, value in halved(module().state_dict()).items())


def halved(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {key: tensor.half().float() if tensor.is_floating_point() else tensor for key, tensor in state.items()}


def test_damaged_or_missing_shipped_weights_are_refused(shipped: Path) -> None:
    file = shipped / "small.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(UnreadableFileError, match=r"small.safetensors: is damaged, .*; reinstall chromacord"):
        state_dict("small")
    file.unlink()
    with pytest.raises(UnreadableFileError, match="is missing or empty"):
        state_dict("small")


def test_a_file_of_another_kind_is_no_unknown_name(tmp_path: Path) -> None:
    (tmp_path / "run.pt").touch()
    with pytest.raises(InputError, match=r"run\.pt: is not a .safetensors file; import a published checkpoint with"):
        state_dict(tmp_path / "run.pt")


def test_an_unknown_name_lists_the_names(shipped: Path) -> None:
    for read in (card, state_dict):
        with pytest.raises(InputError, match=r"no weights 'large'; choose one of small, or give a .safetensors file"):
            read("large")


def test_files_that_are_absent_or_of_another_kind_are_named(shipped: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"own.safetensors: no such file; choose one of small"):
        state_dict(tmp_path / "own.safetensors")
    (tmp_path / "own.safetensors").write_bytes(b"no weights at all")
    with pytest.raises(UnreadableFileError, match=r"own.safetensors: cannot be read as safetensors") as refused:
        state_dict(tmp_path / "own.safetensors")
    assert "\n" not in str(refused.value)


def test_a_module_gets_its_weights(shipped: Path) -> None:
    torch.manual_seed(1)
    other = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Linear(2, 2, bias=False))
    load_into(other, "small")
    assert all(torch.equal(other.state_dict()[key], value) for key, value in halved(module().state_dict()).items())


def test_weights_of_another_module_are_refused_with_the_first_keys_that_differ(shipped: Path) -> None:
    other = nn.Sequential(nn.Linear(3, 2), nn.Identity(), nn.Linear(2, 2))
    said = (
        "small: does not fit Sequential (missing: 2.bias; unexpected: 1.bias, 1.num_batches_tracked, "
        "1.running_mean and 2 more; of another shape: 0.weight (2, 2) for (2, 3)); "
        "give weights that were trained for it"
    )
    with pytest.raises(InputError, match=f"^{re.escape(said)}$"):
        load_into(other, "small")


@pytest.fixture(params=list_weights())
def real_card(request: pytest.FixtureRequest) -> Card:
    return card(request.param)


def test_shipped_weights_are_small_and_as_their_card_says(real_card: Card) -> None:
    file = weights.FOLDER / f"{real_card.name}.safetensors"
    assert len(file.read_bytes()) <= MAX_BYTES
    state = state_dict(real_card.name)  # which checks the hash
    assert 0 < real_card.num_parameters <= sum(tensor.numel() for tensor in state.values())
    assert all(tensor.isfinite().all() for tensor in state.values())


def test_the_papers_method_and_its_flow_are_small_together() -> None:
    assert sum((weights.FOLDER / f"{name}.safetensors").stat().st_size for name in ("chen2024", SHIPPED)) < 10_000_000


def test_shipped_weights_belong_to_a_method_and_a_recipe(real_card: Card) -> None:
    assert real_card.method in (*METHODS, SHIPPED)
    assert (ROOT / real_card.recipe).is_file()
    assert real_card.figures
    assert real_card.limits


def test_weights_for_everybody_come_from_data_for_everybody(real_card: Card) -> None:
    licences = {each.licence for each in real_card.data}
    if real_card.name.endswith("-research"):
        assert licences - FREE  # else they would be for everybody
        assert real_card.licence not in FREE
    else:
        assert real_card.licence in FREE
        assert licences <= FREE


def test_a_card_tells_where_its_weights_come_from(real_card: Card) -> None:
    recipe = read_recipe(ROOT / real_card.recipe)
    assert (recipe.name, recipe.method) == (real_card.name, real_card.method)
    assert re.fullmatch("[0-9a-f]{7,40}", real_card.commit)
    assert all(re.fullmatch("[0-9a-f]{7,40}", each.commit) for each in real_card.figures)
    is_flow = real_card.method == SHIPPED
    built = SPyNet(weights=real_card.name) if is_flow else load_method(real_card.method, weights=real_card.name)
    network = built if isinstance(built, SPyNet) else getattr(built, "network", network_of(built))
    assert isinstance(network, torch.nn.Module)
    held = state_dict(real_card.name)  # chen2024's weights do not include SPyNet's, which are separate
    assert real_card.num_parameters == sum(value.numel() for key, value in network.named_parameters() if key in held)


@pytest.mark.parametrize("path", sorted((ROOT / "recipes").rglob("*.toml")), ids=lambda path: path.stem)
def test_a_recipe_for_everybody_draws_from_data_for_everybody(path: Path) -> None:
    """HYouTube and iHarmony4 are for research only: recipes for them need the user's copy, and ship no weights."""
    recipe = read_recipe(path)
    if recipe.data.get("layout", "photographs") != "photographs":
        assert recipe.name not in list_weights()
        return
    assert recipe.name.endswith("-research") or set(recipe.data["licences"]) <= FREE


def test_the_weights_of_the_default_method_are_shipped() -> None:
    assert DEFAULT_METHOD in list_weights()


def test_every_file_of_weights_has_a_card() -> None:
    files = {each.name.removesuffix(".safetensors") for each in weights.FOLDER.iterdir() if "safetensors" in each.name}
    assert files == set(list_weights())


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e39])
def test_weights_that_are_no_numbers_are_refused(tmp_path: Path, value: float) -> None:
    state = {"weight": torch.tensor([[1.0, 0, 0], [0, value, 0]], dtype=torch.float64), "bias": torch.zeros(2)}
    (tmp_path / "a.safetensors").write_bytes(safetensors.torch.save(state))
    with pytest.raises(InputError, match=r"a.safetensors: weight holds NaN or infinity; the file is damaged"):
        load_into(nn.Linear(3, 2), tmp_path / "a.safetensors")
    parts = nn.ModuleDict({"layer": nn.Linear(3, 2), "other": nn.Linear(1, 1)})
    with pytest.raises(InputError, match=r"^here: layer.weight holds NaN or infinity"):
        fit_part(parts, {f"layer.{key}": tensor for key, tensor in state.items()}, source="here")


def test_a_key_of_a_file_cannot_break_a_message(tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(safetensors.torch.save({"a\n" + "b" * 5000: torch.zeros(1)}))
    with pytest.raises(InputError, match=r"unexpected: a\\nbbb") as caught:
        load_into(nn.Linear(3, 2), tmp_path / "a.safetensors")
    assert len(str(caught.value).splitlines()) == 1
    assert len(str(caught.value)) < 400


def test_a_damaged_file_of_weights_is_refused_or_read(tmp_path: Path) -> None:
    path, chance = tmp_path / "a.safetensors", random.Random(0)
    whole = packed({"weight": torch.ones(2, 3), "bias": torch.zeros(2), "steps": torch.tensor(3)})
    refused = 0
    for _ in range(300):
        damaged = bytearray(whole)
        damaged[chance.randrange(len(whole))] = chance.randrange(256)
        path.write_bytes(damaged[: chance.choice([len(whole), chance.randrange(len(whole))])])
        try:
            state_dict(path)
        except InputError:
            refused += 1
    assert 100 < refused < 300
