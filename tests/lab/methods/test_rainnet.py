"""RainNet and RAIN against a second implementation on published names, and the counts of the authors' networks."""

from pathlib import Path

import pytest
import torch

from chromacord.errors import InputError
from chromacord.lab import weight_files
from chromacord.lab.layers.pix2pix import Pix2PixUNet
from chromacord.lab.layers.rain import RAIN
from chromacord.lab.methods.rainnet import RainNet, published_key
from chromacord.methods import load_method
from tests.lab.methods import published_pix2pix
from tests.lab.methods.test_dovenet import material

PARAMETERS = {3: 54_759_043, 4: 54_760_067}


@pytest.mark.parametrize("inputs", [3, 4])
def test_keys_shapes_and_parameters_are_those_of_published_checkpoints(inputs: int) -> None:
    with torch.device("meta"):
        network = Pix2PixUNet(inputs=inputs, norm="rain")
    assert sum(value.numel() for value in network.parameters()) == PARAMETERS[inputs]
    regions = [layer for layer in network.modules() if isinstance(layer, RAIN)]
    assert sum(value.numel() for layer in regions for value in layer.parameters()) == 9_984
    found = {published_key(key): list(value.shape) for key, value in network.state_dict().items()}
    assert found == published_pix2pix.rainnet_shapes(inputs)


@pytest.mark.parametrize("inputs", [3, 4])
def test_a_published_checkpoint_gives_what_the_authors_network_gives(tmp_path: Path, inputs: int) -> None:
    tensors = published_pix2pix.checkpoint(published_pix2pix.rainnet_shapes(inputs))
    torch.save({"state_dict": tensors}, tmp_path / "netG.pth")
    method = load_method("rainnet", weights=str(tmp_path / "netG.pth"))
    composite, mask = material(is_soft=True)
    with torch.inference_mode():
        expected = published_pix2pix.rainnet(tensors, 2 * composite - 1, mask)
        found = method.network(composite, mask)
        harmonized = method(composite[None], mask[None]).harmonized[0]
    assert expected.std() > 0.1
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)
    laid = mask * (expected + 1) / 2 + (1 - mask) * composite
    torch.testing.assert_close(harmonized, laid, atol=1e-5, rtol=0)


@pytest.mark.parametrize("is_soft", [False, True])
def test_rain_is_its_formula(is_soft: bool) -> None:
    torch.manual_seed(1)
    layer = RAIN(5)
    for value in layer.parameters():
        torch.nn.init.normal_(value, std=0.3)
    _, mask = material(2, is_soft=is_soft)
    features = 3 * torch.randn(2, 5, 16, 16) + 1
    names = ("background_gamma", "background_beta", "foreground_gamma", "foreground_beta")
    expected = published_pix2pix.region_norm(features, mask, *(layer.get_parameter(name) for name in names))
    torch.testing.assert_close(layer(features, mask), expected, atol=1e-5, rtol=1e-5)


def test_rain_gives_the_foreground_the_statistics_of_the_background() -> None:
    """With scales and shifts of 0, both sides end with mean m_b, s_b; the background's own become 0 and 1."""
    _, mask = material()
    features = torch.randn(1, 4, 256, 256)
    features = features + mask * (5 + 2 * features)
    found = RAIN(4)(features, mask).detach()
    inside, outside = mask.bool().expand_as(found), ~mask.bool().expand_as(found)
    assert float(found[outside].mean()) == pytest.approx(0, abs=1e-3)
    assert float(found[outside].std()) == pytest.approx(1, abs=1e-3)
    assert float(found[inside].mean()) == pytest.approx(float(features[outside].mean()), abs=0.02)
    assert float(found[inside].std()) == pytest.approx(float(features[outside].std()), abs=0.02)


@pytest.mark.parametrize("fill", [0.0, 1.0])
def test_a_frame_without_foreground_or_without_background_is_left_alone_beside_another(fill: float) -> None:
    torch.manual_seed(0)
    method = RainNet(None, width=2).eval()
    composite, mask = material(2)
    mask[0] = fill
    with torch.inference_mode():
        harmonized = method(composite[:, None], mask[:, None]).harmonized[:, 0]
    assert torch.equal(harmonized[0], composite[0])
    assert not torch.equal(harmonized[1], composite[1])


def test_weights_of_our_own_say_how_many_channels_they_take(tmp_path: Path) -> None:
    for inputs in (3, 4):
        network = Pix2PixUNet(inputs=inputs, norm="rain", width=2)
        weight_files.save(network.state_dict(), tmp_path / f"{inputs}.safetensors")
        loaded = RainNet(str(tmp_path / f"{inputs}.safetensors"), width=2)
        assert loaded.network.downs[0].conv.in_channels == inputs
    with pytest.raises(InputError, match=r"of another shape: downs\.0\.conv\.weight"):
        RainNet(str(tmp_path / "4.safetensors"), inputs=3, width=2)
    with pytest.raises(InputError, match="inputs must be 3 or 4, got 5"):
        load_method("rainnet", weights=None, inputs=5)


def test_a_checkpoint_of_another_method_is_refused_and_the_first_keys_named(tmp_path: Path) -> None:
    torch.save({"model.model.0.weight": torch.zeros(64, 4, 4, 4)}, tmp_path / "other.pth")
    with pytest.raises(InputError, match=r"other\.pth: .*missing: model_layer0\.weight.*: model\.model\.0") as caught:
        load_method("rainnet", weights=str(tmp_path / "other.pth"))
    assert "\n" not in str(caught.value)
