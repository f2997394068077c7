"""DoveNet against a second implementation on published names, and the counts of the authors' networks."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from chromacord.errors import InputError
from chromacord.lab import weight_files
from chromacord.lab.layers.pix2pix import Norm, Pix2PixUNet
from chromacord.lab.methods.dovenet import DoveNet, published_key
from chromacord.methods import load_method
from tests.lab.methods import published_pix2pix

PARAMETERS = {"instance": 54_755_587, "batch": 54_759_939}


def material(count: int = 1, *, is_soft: bool = False) -> tuple[Tensor, Tensor]:
    """Return pictures in [0, 1] and masks. Shape (count, 3 or 1, 256, 256)."""
    generator = torch.Generator().manual_seed(4)
    coarse = torch.rand(count, 4, 5, 6, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, (256, 256), mode="bilinear", align_corners=True)
    mask = ((smooth[:, 3:] - 0.45) * 8).clamp(0, 1)
    return smooth[:, :3], mask if is_soft else (mask > 0.5).float()


@pytest.mark.parametrize("norm", ["instance", "batch"])
def test_keys_shapes_and_parameters_are_those_of_published_checkpoints(norm: Norm) -> None:
    with torch.device("meta"):
        network = Pix2PixUNet(inputs=4, norm=norm)
    assert sum(value.numel() for value in network.parameters()) == PARAMETERS[norm]
    found = {published_key(key): list(value.shape) for key, value in network.state_dict().items()}
    assert found == published_pix2pix.dovenet_shapes(is_batch=norm == "batch")


@pytest.mark.parametrize("norm", ["instance", "batch"])
def test_a_published_checkpoint_gives_what_the_authors_network_gives(tmp_path: Path, norm: Norm) -> None:
    tensors = published_pix2pix.checkpoint(published_pix2pix.dovenet_shapes(is_batch=norm == "batch"))
    torch.save(tensors, tmp_path / "netG.pth")
    method = load_method("dovenet", weights=str(tmp_path / "netG.pth"))
    composite, mask = material(is_soft=True)
    with torch.inference_mode():
        expected = published_pix2pix.dovenet(tensors, 2 * composite - 1, mask)
        found = method.network(composite, mask)
        harmonized = method(composite[None], mask[None]).harmonized[0]
    assert expected.std() > 0.1
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)
    laid = mask * (expected + 1) / 2 + (1 - mask) * composite
    torch.testing.assert_close(harmonized, laid, atol=1e-5, rtol=0)


def test_weights_of_our_own_say_which_norm_they_have(tmp_path: Path) -> None:
    norms: tuple[Norm, ...] = ("instance", "batch")
    for norm in norms:
        network = Pix2PixUNet(inputs=4, norm=norm, width=2)
        weight_files.save(network.state_dict(), tmp_path / f"{norm}.safetensors")
        loaded = DoveNet(str(tmp_path / f"{norm}.safetensors"), width=2)
        kinds = {type(layer) for layer in loaded.modules()} & {nn.BatchNorm2d, nn.InstanceNorm2d}
        assert kinds == {nn.BatchNorm2d if norm == "batch" else nn.InstanceNorm2d}
    with pytest.raises(InputError, match=r"instance\.safetensors: does not fit Pix2PixUNet"):
        DoveNet(str(tmp_path / "instance.safetensors"), norm="batch", width=2)


def test_weights_start_as_pix2pix_draws_them() -> None:
    """N(0, 0.02); scales of batch norms N(1, 0.02): 512 x 512 x 16 and 2,688 of them."""
    torch.manual_seed(0)
    network = Pix2PixUNet(inputs=4, norm="batch")
    assert float(network.downs[5].conv.weight.detach().std()) == pytest.approx(0.02, rel=0.01)
    scales = torch.cat([layer.weight.detach() for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)])
    assert float(scales.std()) == pytest.approx(0.02, rel=0.05)
    assert float(scales.mean()) == pytest.approx(1, abs=0.002)
    assert not network.out.bias.any()


def test_dropout_acts_in_training_alone_and_at_three_levels() -> None:
    network = Pix2PixUNet(inputs=4, norm="instance", width=2)
    assert [up.dropout.p for up in network.ups] == [0, 0.5, 0.5, 0.5, 0, 0, 0]
    composite, mask = material()
    with torch.inference_mode():
        network.eval()
        assert torch.equal(network(composite, mask), network(composite, mask))
        network.train()
        assert not torch.equal(network(composite, mask), network(composite, mask))


def test_a_checkpoint_of_another_method_is_refused_and_the_first_keys_named(tmp_path: Path) -> None:
    torch.save({"model_layer0.weight": torch.zeros(64, 3, 4, 4)}, tmp_path / "other.pth")
    with pytest.raises(InputError, match=r"other\.pth: .*missing: model\.model\.0\.weight.*: model_layer0") as caught:
        load_method("dovenet", weights=str(tmp_path / "other.pth"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"working_side": 128}, "working_side must be a multiple of 256, got 128"),
        ({"working_side": 0}, "working_side must be a multiple of 256, got 0"),
        ({"width": 0}, "width must be 1 or more, got 0"),
        ({"norm": "group"}, "the option 'norm' cannot be 'group'"),
    ],
)
def test_options_that_cannot_be_used_are_refused(options: dict[str, int], said: str) -> None:
    with pytest.raises(InputError, match=said):
        load_method("dovenet", weights=None, **options)


def test_frames_of_other_sizes_are_refused_and_larger_multiples_taken() -> None:
    method = DoveNet(None, width=1, working_side=512).eval()
    with pytest.raises(InputError, match="height and width must be multiples of 256, got 256 x 200; resize them"):
        method(torch.rand(1, 1, 3, 256, 200), torch.ones(1, 1, 1, 256, 200))
    with torch.inference_mode():
        assert method(torch.rand(1, 1, 3, 512, 256), torch.ones(1, 1, 1, 512, 256)).harmonized.shape[-2:] == (512, 256)
