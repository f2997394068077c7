"""IIH against a second implementation on published names, the authors' parameter counts, and invalid options."""

import json
from hashlib import sha256
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from chromacord.errors import InputError, UnreadableFileError
from chromacord.lab import weight_files
from chromacord.lab.methods.iih import IIH, load_weights, published_key
from chromacord.lab.networks.iih_network import IIHNetwork, LayerNorm, cell_attention, rebuilt
from chromacord.methods import load_method
from tests.lab.methods import published_iih

WIDTH = 4
KEYS = {
    "reflectance_enc.model.0.conv.weight": [64, 4, 7, 7],
    "reflectance_enc.model.3.model.3.model.1.norm.gamma": [256],
    "illumination_dec.model.1.conv.weight": [128, 256, 5, 5],
    "lighting.light_mlp.fc.weight": [8, 256],
    "lightingRes.resblocks.3.lt_2.light_mlp.fc.weight": [1024, 8],
    "lightingRes.resblocks.0.lt_1.rgb_model.norm.weight": [768],
    "lightingRes.resblocks.0.conv_1.weight": [256, 256, 3, 3],
    "ifm.model.0.conv.weight": [32, 4, 7, 7],
    "ifm.model.5.conv.bias": [256],
    "illuminationRec.resblocks.1.harmonyRecConv.conv.weight": [256, 512, 3, 3],
}
"""One of each kind of the authors' checkpoint."""

ALL_KEYS = "068372181b1c5403868bb8bdb6d4f9a047df24ed4b0906cf7d4b9ced9bd4db5f"
"""SHA-256 of the names and shapes of the authors' checkpoint, as JSON sorted by name."""


def material(count: int = 2, side: int = 256) -> tuple[Tensor, Tensor]:
    """Return pictures and soft masks. Shape (count, 3 or 1, side, side)."""
    generator = torch.Generator().manual_seed(4)
    coarse = torch.rand(count, 4, 9, 11, generator=generator)
    smooth = F.interpolate(coarse, (side, side), mode="bilinear", align_corners=True)
    return smooth[:, :3], ((smooth[:, 3:] - 0.4) * 4).clamp(0, 1)


def full_width() -> IIHNetwork:
    """Build the published network without its memory."""
    with torch.device("meta"):
        return IIHNetwork()


def saved(path: Path, state: object) -> str:
    torch.save(state, path)
    return str(path)


def test_it_has_as_many_parameters_as_the_authors_network() -> None:
    network = full_width()
    counts = [sum(value.numel() for value in part.parameters()) for part in (network, network.guide, network.lighting)]
    assert counts == [40_863_086, 8_373_024, 18_970_624]


def test_the_names_and_shapes_are_those_of_published_checkpoints() -> None:
    ours = {published_key(key): list(value.shape) for key, value in full_width().state_dict().items()}
    assert ours == {key: list(value.shape) for key, value in published_iih.checkpoint().items()}
    assert {key: ours[key] for key in KEYS} == KEYS
    assert sha256(json.dumps(ours, sort_keys=True).encode()).hexdigest() == ALL_KEYS


def test_a_published_checkpoint_gives_what_the_authors_network_gives(tmp_path: Path) -> None:
    """With soft masks, and a batch whose normalisations must not mix."""
    published = published_iih.checkpoint(WIDTH)
    network = IIHNetwork(WIDTH).eval()
    load_weights(network, saved(tmp_path / "iih.pth", {f"module.{key}": value for key, value in published.items()}))
    composite, mask = material()
    with torch.inference_mode():
        found = network(composite, mask)
        expected = published_iih.harmonize(published, composite, mask)
    for name in ("harmonized", "reflectance", "illumination", "guide"):
        torch.testing.assert_close(getattr(found, name), getattr(expected, name), atol=1e-5, rtol=0)
        assert getattr(expected, name).std() > 0.01


@pytest.mark.slow
def test_at_full_width_it_is_the_authors_network_too(tmp_path: Path) -> None:
    published = published_iih.checkpoint()
    network = IIHNetwork().eval()
    network.load_state_dict(IIH.from_published(published))
    composite, mask = material(1)
    with torch.inference_mode():
        found, expected = network(composite, mask), published_iih.harmonize(published, composite, mask)
    for name in found._fields:
        torch.testing.assert_close(getattr(found, name), getattr(expected, name), atol=1e-4, rtol=0)


def test_rebuilding_from_cells_is_rebuilding_from_patches() -> None:
    """Against 5 x 5 patches that are cut out one by one, weighted, and added up."""
    generator = torch.Generator().manual_seed(2)
    features = torch.randn(2, 3, 10, 10, generator=generator)
    attention = torch.rand(2, 25, 25, generator=generator).softmax(dim=2)
    padded = F.pad(features, (1, 1, 1, 1))
    places = [(2 * row, 2 * column) for row in range(5) for column in range(5)]
    patches = torch.stack([padded[..., y : y + 4, x : x + 4] for y, x in places])
    expected = torch.zeros_like(padded)
    for row, (y, x) in enumerate(places):
        expected[..., y : y + 4, x : x + 4] += torch.einsum("nq,qncyx->ncyx", attention[:, row], patches) / 4
    torch.testing.assert_close(rebuilt(features, cell_attention(attention)), expected[..., 1:-1, 1:-1])


def test_the_norm_has_the_unbiased_deviation_with_the_small_number_beside_it() -> None:
    """Of four values the biased one would be off by 15 %, and of tiny ones the small number counts."""
    norm = LayerNorm(1)
    torch.nn.init.ones_(norm.gamma)
    values = 1e-5 * torch.tensor([0.0, 1.0, 2.0, 5.0])
    deviation = (values - values.mean()).square().sum().div(3).sqrt()
    expected = (values - values.mean()) / (deviation + 1e-5)
    torch.testing.assert_close(norm(values.view(1, 1, 2, 2)).flatten(), expected)


def test_weights_start_as_the_authors_draw_them() -> None:
    torch.manual_seed(0)
    network = IIHNetwork(16)
    conv = network.lighting[0].convs[0].conv
    assert float(conv.weight.detach().std()) == pytest.approx(0.02, rel=0.02)
    assert not conv.bias.any()
    linear = torch.cat([block.transfers[0].light.weight.detach() for block in network.lighting])
    assert float(linear.std()) == pytest.approx(0.02, rel=0.03)
    gains = torch.cat([module.gamma.detach() for module in network.modules() if isinstance(module, LayerNorm)])
    assert 0 <= gains.min() < 0.05
    assert 0.95 < gains.max() <= 1
    assert float(gains.mean()) == pytest.approx(0.5, abs=0.05)


def test_published_tensors_become_the_weights_of_the_method() -> None:
    published = published_iih.checkpoint()
    state = IIH.from_published(published)
    with torch.device("meta"):
        assert state.keys() == IIHNetwork().state_dict().keys()
    assert torch.equal(state["light.code.bias"], published["lighting.light_mlp.fc.bias"])
    del published["ifm.model.5.conv.bias"]
    with pytest.raises(InputError, match=r"missing: ifm\.model\.5\.conv\.bias") as caught:
        IIH.from_published(published)
    assert "\n" not in str(caught.value)


def test_weights_of_another_network_are_refused_and_the_first_keys_named(tmp_path: Path) -> None:
    published = published_iih.checkpoint(WIDTH)
    published["ifm.model.0.conv.weight"] = torch.zeros(2, 3, 7, 7)
    path = saved(tmp_path / "other.pth", published)
    with pytest.raises(InputError, match=r"of another shape: ifm\.model\.0\.conv\.weight") as caught:
        load_method("iih", weights=path, width=WIDTH)
    assert "\n" not in str(caught.value)
    weight_files.save({"stem.weight": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(InputError, match=r"missing: reflectance_encoder\.0\.conv\.weight.*unexpected: stem\.weight"):
        load_method("iih", weights=str(tmp_path / "other.safetensors"), width=WIDTH)
    (tmp_path / "broken.pth").write_bytes(b"nothing")
    with pytest.raises(UnreadableFileError, match=r"broken\.pth"):
        load_method("iih", weights=str(tmp_path / "broken.pth"), width=WIDTH)


def test_the_background_is_the_composite_and_the_foreground_is_not() -> None:
    torch.manual_seed(0)
    composite, mask = material()
    mask = (mask > 0.5).float()
    with torch.inference_mode():
        harmonized = IIH(None, width=WIDTH)(composite[None], mask[None]).harmonized[0]
    outside = (mask == 0).expand_as(composite)
    assert torch.equal(harmonized[outside], composite[outside])
    assert (harmonized - composite)[~outside].abs().mean() > 1e-3


@pytest.mark.parametrize("size", [(128, 128), (256, 264)])
def test_pictures_of_another_size_are_refused(size: tuple[int, int]) -> None:
    message = f"IIH accepts only 256 x 256 pictures, got {size[1]} x {size[0]}; resize them"
    with pytest.raises(InputError, match=message):
        IIH(None, width=WIDTH)(torch.rand(1, 1, 3, *size), torch.ones(1, 1, 1, *size))


@pytest.mark.parametrize("width", [0, 3, -2])
def test_a_width_that_cannot_be_halved_is_refused(width: int) -> None:
    with pytest.raises(InputError, match=f"width must be even, 2 or more, got {width}"):
        IIH(None, width=width)
