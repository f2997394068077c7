from pathlib import Path

import pytest
import torch

from chromacord import weights
from chromacord.lab.weight_files import save
from chromacord.methods import METHODS, list_methods
from tests.cli.conftest import Run
from tests.weights.test_weights import CARD


def test_every_method_has_a_line_with_what_can_be_exported(run: Run) -> None:
    done = run("methods")
    assert done.code == 0
    table, _, note = done.out.partition("\n\n")
    rows = {line.split()[0]: line for line in table.splitlines()[1:] if not line.startswith(" ")}
    assert list(rows) == list(METHODS)
    assert note == "Any grade can be written as a LUT with --lut-out.\n"
    assert "LUT" not in done.out.partition("\n")[0]
    learned = {name for name, row in rows.items() if "learned" in row}
    assert learned == {method.name for method in list_methods() if method.is_learned}
    assert "shotgrade" in learned
    assert all("classical" in row for name, row in rows.items() if name not in learned)


def test_the_cards_of_weights_are_shown_in_the_order_of_the_methods(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights, "FOLDER", tmp_path)
    assert run("methods", "--cards").out == "no weights are shipped: all methods are classical\n"
    for name, method in (("first", "mkl"), ("second", "reinhard")):
        sha256 = save({"bias": torch.zeros(1)}, tmp_path / f"{name}.safetensors")
        card = CARD.format(sha256=sha256).replace('"small"', f'"{name}"').replace('"mkl"', f'"{method}"')
        (tmp_path / f"{name}.toml").write_text(card)
    done = run("methods", "--cards")
    assert done.code == 0
    assert [line.split(":")[0] for line in done.out.splitlines() if line[:1].strip()] == ["second", "first"]
    for part in ("--method reinhard:weights=second", "Apache-2.0", "DAVIS 2017 (CC BY 4.0)", "fmse 1000.5"):
        assert part in done.out
