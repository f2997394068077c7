"""Huang's method is iSSAM trained otherwise: the same network, the same checkpoints."""

from pathlib import Path

import pytest
import torch

from chromacord.errors import InputError
from chromacord.lab.methods.huang2019 import Huang2019
from chromacord.lab.methods.issam import ISSAM
from chromacord.methods import load_method
from tests.lab.methods import published_issam


def test_it_has_as_many_parameters_as_issam() -> None:
    assert sum(value.numel() for value in Huang2019(None).parameters()) == 2_185_340


def test_a_published_checkpoint_gives_what_issams_network_gives(tmp_path: Path) -> None:
    published = published_issam.checkpoint()
    torch.save(published, tmp_path / "huang.pth")
    method = load_method("huang2019", weights=str(tmp_path / "huang.pth"), working_side=32)
    generator = torch.Generator().manual_seed(4)
    composite, mask = torch.rand(2, 3, 32, 32, generator=generator), torch.zeros(2, 1, 32, 32)
    mask[..., 8:24, 8:24] = 1
    with torch.inference_mode():
        harmonized = method(composite[None], mask[None]).harmonized[0]
        expected = published_issam.harmonize(published, composite, mask).clamp(0, 1)
    torch.testing.assert_close(harmonized, mask * expected + (1 - mask) * composite, atol=1e-4, rtol=0)
    found = Huang2019.from_published(published)
    assert all(torch.equal(value, found[key]) for key, value in ISSAM.from_published(published).items())


def test_a_checkpoint_of_another_network_is_refused() -> None:
    with pytest.raises(InputError, match=r"missing: encoder\.block0\.convs"):
        Huang2019.from_published({"stem.weight": torch.zeros(2)})


def test_without_weights_it_says_how_to_get_some() -> None:
    with pytest.raises(InputError, match="huang2019:weights=PATH"):
        load_method("huang2019")
