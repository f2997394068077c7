"""iSSAM against a second implementation on published names, the authors' parameter counts, and invalid options."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from chromacord.errors import InputError, UnreadableFileError
from chromacord.lab import weight_files
from chromacord.lab.layers.pictures import denormalize
from chromacord.lab.methods.issam import ISSAM, issam_network, load_weights, published_key
from chromacord.methods import load_method
from tests.lab.methods import published_issam

KEYS = {
    "encoder.block0.convs.block.0.block.0.weight": [32, 4, 3, 3],
    "encoder.blocks_connected.block3.convs.block.1.block.1.running_var": [256],
    "decoder.up_blocks.0.upconv.1.block.0.weight": [128, 256, 3, 3],
    "decoder.up_blocks.2.attention.background_gate.attention_transform.0.weight": [8, 128],
    "decoder.up_blocks.2.attention.learning_block.0.block.0.weight": [32, 64, 3, 3],
    "decoder.up_blocks.2.attention.mask_blurring.weight": [1, 1, 7, 7],
    "decoder.conv_attention.weight": [1, 32, 1, 1],
    "decoder.to_rgb.bias": [3],
}
"""One of each kind of the authors' checkpoint, by the widths of their network: 32, 64, 128, 256."""


def material(side: int = 32, count: int = 2) -> tuple[Tensor, Tensor]:
    """Return pictures and soft masks. Shape (count, 3 or 1, side, side)."""
    generator = torch.Generator().manual_seed(4)
    coarse = torch.rand(count, 4, 5, 6, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, (side, side), mode="bilinear", align_corners=True)
    return smooth[:, :3], ((smooth[:, 3:] - 0.4) * 4).clamp(0, 1)


def saved(path: Path, state: object) -> str:
    torch.save(state, path)
    return str(path)


def test_it_has_as_many_parameters_as_the_authors_network() -> None:
    network = issam_network()
    parts = (network.encoder, network.decoder, network.head, network)
    encoder, decoder, head, whole = (sum(value.numel() for value in part.parameters()) for part in parts)
    assert (encoder, decoder + head, whole) == (1_174_080, 1_011_260, 2_185_340)


def test_a_narrow_network_harmonizes_and_one_without_channels_is_refused() -> None:
    narrow = ISSAM(None, width=4).eval()
    # Nearly all parameters are products of two widths, an eighth of the published ones each.
    assert sum(value.numel() for value in narrow.parameters()) < 2_185_340 / 40
    composite, mask = material()
    assert narrow.look(composite, mask).features.shape == (2, narrow.num_features, 32, 32) == (2, 4, 32, 32)
    with pytest.raises(InputError, match="width must be 1 or more, got 0"):
        load_method("issam", weights=None, width=0)


def test_the_encoder_gives_four_scales() -> None:
    with torch.inference_mode():
        scales = issam_network().encoder(torch.rand(1, 4, 256, 256))
    assert [tuple(each.shape[1:]) for each in scales] == [(256, 32, 32), (128, 64, 64), (64, 128, 128), (32, 256, 256)]


def test_a_published_checkpoint_gives_what_the_authors_network_gives(tmp_path: Path) -> None:
    published = published_issam.checkpoint()
    network = issam_network().eval()
    load_weights(network, saved(tmp_path / "issam.pth", published))
    composite, mask = material()
    with torch.inference_mode():
        found = denormalize(network(composite, mask).picture)
        expected = published_issam.harmonize(published, composite, mask)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-5)


def test_colours_are_limited_after_they_are_laid_over_the_background(tmp_path: Path) -> None:
    """So HYouTube's evaluation has them; at a soft edge it is not the same as before."""
    published = published_issam.checkpoint()
    composite, mask = material()
    method = load_method("issam", weights=saved(tmp_path / "issam.pth", published), working_side=32)
    with torch.inference_mode():
        found = method(composite[None], mask[None]).harmonized[0]
        picture = published_issam.harmonize(published, composite, mask)
    expected = (mask * picture + (1 - mask) * composite).clamp(0, 1)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)
    assert (mask * picture.clamp(0, 1) + (1 - mask) * composite - expected).abs().max() > 0.01


def test_the_names_are_those_of_published_checkpoints() -> None:
    ours = {published_key(key): list(value.shape) for key, value in issam_network().state_dict().items()}
    assert ours == {key: list(value.shape) for key, value in published_issam.checkpoint().items()}
    assert {key: ours[key] for key in KEYS} == KEYS


def test_the_kernel_that_smooths_masks_is_a_true_gaussian_until_a_checkpoint_brings_its_own(tmp_path: Path) -> None:
    network = issam_network()
    kernel = network.state_dict()["decoder.2.attention.0.kernel"][0, 0]
    assert float(kernel.sum()) == pytest.approx(1)
    assert float(kernel[3, 3] / kernel[3, 4]) == pytest.approx(torch.e**0.5)
    published = published_issam.checkpoint()
    load_weights(network, saved(tmp_path / "issam.pth", published))
    theirs = published["decoder.up_blocks.2.attention.mask_blurring.weight"]
    assert torch.equal(network.state_dict()["decoder.2.attention.0.kernel"], theirs)


def test_weights_start_as_the_paper_draws_them() -> None:
    """N(0, 2 / (fan in + fan out)): of 294,912 weights the deviation is known to a third of a percent."""
    torch.manual_seed(0)
    conv = issam_network().decoder[0].convs[0].conv
    assert float(conv.weight.detach().std()) == pytest.approx((2 / (9 * (256 + 128))) ** 0.5, rel=0.01)
    assert not conv.bias.any()


@pytest.mark.parametrize("size", [(32, 32), (33, 47), (5, 64), (1, 1)])
def test_any_size_goes_in_and_comes_out(size: tuple[int, int]) -> None:
    with torch.inference_mode():
        harmonized = issam_network().eval()(torch.rand(1, 3, *size), torch.ones(1, 1, *size)).picture
    assert harmonized.shape == (1, 3, *size)
    assert harmonized.isfinite().all()


def test_a_checkpoint_of_another_network_is_refused_and_the_first_keys_named(tmp_path: Path) -> None:
    published = published_issam.checkpoint()
    published["encoder.block0.convs.block.0.block.0.weight"] = torch.zeros(32, 3, 3, 3)
    del published["decoder.to_rgb.bias"]
    path = saved(tmp_path / "other.pth", published)
    with pytest.raises(
        InputError, match=r"missing: decoder\.to_rgb\.bias; of another shape: encoder\.block0"
    ) as caught:
        load_method("issam", weights=path)
    assert "\n" not in str(caught.value)
    weight_files.save({"stem.weight": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(InputError, match=r"missing: encoder\.blocks\.0\.0\.conv\.weight.*unexpected: stem\.weight"):
        load_method("issam", weights=str(tmp_path / "other.safetensors"))


def test_a_file_that_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    (tmp_path / "broken.pth").write_bytes(b"nothing")
    with pytest.raises(UnreadableFileError, match=r"broken\.pth"):
        load_method("issam", weights=str(tmp_path / "broken.pth"))


def test_the_background_is_the_composite_and_the_foreground_is_not() -> None:
    torch.manual_seed(0)
    composite, mask = material()
    mask = (mask > 0.5).float()
    with torch.inference_mode():
        harmonized = ISSAM(None, working_side=32)(composite[None], mask[None]).harmonized[0]
    outside = (mask == 0).expand_as(composite)
    assert torch.equal(harmonized[outside], composite[outside])
    assert (harmonized - composite)[~outside].abs().mean() > 1e-3


@pytest.mark.parametrize("kind", ["empty", "full", "flat"])
def test_a_frame_that_says_nothing_is_left_alone(kind: str) -> None:
    composite, mask = material()
    composite = torch.full_like(composite, 0.3) if kind == "flat" else composite
    mask = torch.full_like(mask, kind == "full") if kind != "flat" else mask
    with torch.inference_mode():
        assert torch.equal(ISSAM(None)(composite[None], mask[None]).harmonized[0], composite)


@pytest.mark.parametrize("side", [0, -4])
def test_a_working_side_below_one_is_refused(side: int) -> None:
    with pytest.raises(InputError, match="working_side must be 1 or more"):
        ISSAM(None, working_side=side)
