"""Both protocols against cases worked out by hand, scikit-image and plain numpy."""

import math

import numpy as np
import pytest
import torch
from skimage.color import deltaE_ciede2000, rgb2lab
from skimage.metrics import mean_squared_error, peak_signal_noise_ratio
from torch import Tensor

from chromacord.errors import MismatchError, NonFiniteError
from chromacord.lab.metrics.protocols import (
    MAX_PSNR,
    METRICS,
    PROTOCOLS,
    FrameMean,
    aggregate,
    foreground_error,
    lay_over,
)

SIDE = 64
SQUARE = slice(20, 36)
"""Rows and columns of the foreground: 16 x 16 = 256 of 4096 pixels."""


def square(num_frames: int = 1) -> Tensor:
    mask = torch.zeros(num_frames, 1, SIDE, SIDE)
    mask[..., SQUARE, SQUARE] = 1
    return mask


def noise(num_frames: int = 1, *, seed: int = 0, low: float = 0.2, high: float = 0.8) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return low + (high - low) * torch.rand(num_frames, 3, SIDE, SIDE, generator=generator)


def score(protocol: str, harmonized: Tensor, real: Tensor, mask: Tensor) -> dict[str, float]:
    """Score a single frame."""
    return {key: value.item() for key, value in PROTOCOLS[protocol].score_frames(harmonized, real, mask).items()}


def framed() -> tuple[Tensor, Tensor]:
    """A result that is off by 10 levels in the square, and by 1 around it, as a JPEG background is; and the truth."""
    real = noise()
    return real + (1 + 9 * square()) / 255, real


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_protocol_gives_the_figures_it_names_for_each_frame(protocol: str) -> None:
    found = PROTOCOLS[protocol].score_frames(noise(3), noise(3, seed=1), square(3))
    assert tuple(found) == PROTOCOLS[protocol].metrics
    assert set(found) <= set(METRICS)
    assert all(values.shape == (3,) and values.dtype == torch.float64 for values in found.values())


def test_the_foregrounds_error_alone_is_that_of_protocol_clean() -> None:
    first, second, mask = noise(3), noise(3, seed=1), square(3)
    mask[1], mask[2, ..., SQUARE, 20] = 0, 0.3
    found = foreground_error(first, second, mask)
    expected = PROTOCOLS["clean"].score_frames(first, second, mask)["fmse"]
    torch.testing.assert_close(found, expected, equal_nan=True, rtol=0, atol=0)
    assert found.isnan().tolist() == [False, True, False]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_frames_are_scored_each_by_itself(protocol: str) -> None:
    harmonized, real, mask = noise(3), noise(3, seed=1), square(3)
    together = PROTOCOLS[protocol].score_frames(harmonized, real, mask)
    alone = PROTOCOLS[protocol].score_frames(harmonized[1:2], real[1:2], mask[1:2])
    assert {key: values[1].item() for key, values in together.items()} == {
        key: values.item() for key, values in alone.items()
    }


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_tables_are_told_which_side_is_better(protocol: str) -> None:
    real = noise()
    near, far = (score(protocol, real + size * noise(seed=1), real, square()) for size in (0.05, 0.15))
    for key in PROTOCOLS[protocol].metrics:
        assert (near[key] > far[key]) == METRICS[key].higher_is_better, key


def test_hyoutube_scores_pictures_of_256_by_256() -> None:
    assert PROTOCOLS["hyoutube"].size == (256, 256)


def test_hyoutube_divides_the_whole_pictures_error_by_the_foregrounds_area() -> None:
    found = score("hyoutube", *framed(), square())
    whole = (256 * 100 + 3840 * 1) / 4096
    assert found["mse"] == pytest.approx(whole, rel=1e-5)
    assert found["fmse"] == pytest.approx(whole * 4096 / 256, rel=1e-5)  # 115: the background's 15 come on top


def test_clean_takes_the_foregrounds_error_from_the_foreground_alone() -> None:
    found = score("clean", *framed(), square())
    assert found["mse"] == pytest.approx((256 * 100 + 3840 * 1) / 4096, rel=1e-5)
    assert found["fmse"] == pytest.approx(100, rel=1e-5)


def test_hyoutube_counts_as_area_only_pixels_that_are_wholly_foreground() -> None:
    mask = square()
    mask[..., 36, SQUARE] = 0.999
    harmonized, real = framed()
    assert score("hyoutube", harmonized, real, mask)["fmse"] == score("hyoutube", harmonized, real, square())["fmse"]


def test_clean_weighs_the_foreground_by_the_soft_mask() -> None:
    harmonized, real = noise(), noise(seed=1)
    mask = torch.rand(1, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(2))
    squared = (255 * (harmonized - real).double().numpy()) ** 2
    weight = mask.double().numpy()
    found = score("clean", harmonized, real, mask)
    assert found["fmse"] == pytest.approx((squared * weight).sum() / (3 * weight.sum()), rel=1e-5)
    difference = deltaE_ciede2000(
        *(rgb2lab(each[0].numpy(), channel_axis=0) for each in (harmonized, real)), channel_axis=0
    )
    # The difference of the two implementations' matrices, see tests/color/test_lab.py.
    assert found["delta_e"] == pytest.approx((difference * weight[0, 0]).sum() / weight.sum(), rel=2e-3)


def test_mse_and_clean_psnr_are_those_of_scikit_image() -> None:
    harmonized, real = noise(), noise(seed=1)
    arrays = [255 * each.double().numpy() for each in (real, harmonized)]
    found = score("clean", harmonized, real, square())
    assert found["mse"] == pytest.approx(mean_squared_error(*arrays), rel=1e-5)
    assert found["psnr"] == pytest.approx(peak_signal_noise_ratio(*arrays, data_range=255), abs=1e-4)


def test_the_peak_of_hyoutubes_psnr_is_the_range_of_the_harmonized_frame() -> None:
    harmonized, real = noise(low=0.3, high=0.5), noise(seed=1, low=0.0, high=1.0)
    arrays = [255 * each.double().numpy() for each in (real, harmonized)]
    peak = arrays[1].max() - arrays[1].min()
    assert peak < 52
    expected = peak_signal_noise_ratio(*arrays, data_range=peak)
    assert score("hyoutube", harmonized, real, square())["psnr"] == pytest.approx(expected, abs=1e-4)


def test_psnr_by_hand_for_a_frame_of_levels_50_to_150_that_is_off_by_10() -> None:
    real = torch.full((1, 3, SIDE, SIDE), 40 / 255)
    real[..., : SIDE // 2] = 140 / 255
    found = {name: score(name, real + 10 / 255, real, square())["psnr"] for name in ("hyoutube", "clean")}
    assert found["hyoutube"] == pytest.approx(20, abs=1e-4)  # 10 log10(100^2 / 10^2)
    assert found["clean"] == pytest.approx(28.1308, abs=1e-4)  # 10 log10(255^2 / 10^2)


def test_the_constants_for_one_make_hyoutubes_fssim_of_nearly_flat_places_low() -> None:
    """Checkerboards of +-1 and +-0.1 levels, far from the edge: (2 c + C2) / (v1 + v2 + C2) by hand."""
    sign = 1 - 2 * ((torch.arange(SIDE)[:, None] + torch.arange(SIDE)) % 2)
    strong, faint = ((128 + size * sign).expand(1, 3, SIDE, SIDE) / 255 for size in (1.0, 0.1))
    found = {name: score(name, strong, faint, square())["fssim"] for name in ("hyoutube", "clean")}
    assert found["hyoutube"] == pytest.approx((2 * 0.1 + 9e-4) / (1 + 0.01 + 9e-4), abs=2e-4)
    second = (0.03 * 255) ** 2
    assert found["clean"] == pytest.approx((2 * 0.1 + second) / (1 + 0.01 + second), abs=2e-4)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_perfect_prediction_has_no_error(protocol: str) -> None:
    found = score(protocol, noise(), noise(), square())
    best = {"fssim": pytest.approx(1, abs=1e-12), "psnr": MAX_PSNR}
    assert found == {key: best.get(key, 0) for key in PROTOCOLS[protocol].metrics}


def test_protocol_foreground_counts_the_pixels_whose_mask_is_above_127_and_no_others() -> None:
    real = torch.zeros(1, 3, 1, 4)
    harmonized = torch.tensor([10.0, 20.0, 40.0, 80.0]).expand(1, 3, 1, 4) / 255
    mask = torch.tensor([255.0, 128.0, 127.0, 0.0])[None, None, None] / 255
    assert score("foreground", harmonized, real, mask) == {"fmse": pytest.approx((10**2 + 20**2) / 2)}


def test_a_frame_that_is_perfect_but_for_rounding_counts_as_perfect() -> None:
    assert score("clean", noise() + 1e-7, noise(), square())["psnr"] == MAX_PSNR


def test_a_result_of_a_single_color_has_the_lowest_psnr_of_hyoutube() -> None:
    grey = torch.full((1, 3, SIDE, SIDE), 0.5)
    assert score("hyoutube", grey, noise(), square())["psnr"] == -MAX_PSNR
    assert score("hyoutube", grey, grey, square())["psnr"] == MAX_PSNR


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_values_outside_the_range_of_a_display_are_clamped(protocol: str) -> None:
    wild, real = noise(low=-0.5, high=1.5), noise(seed=1)
    assert score(protocol, wild, real, square()) == score(protocol, wild.clamp(0, 1), real, square())


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_frame_without_foreground_has_no_foreground_figures_and_is_counted(protocol: str) -> None:
    mask = square(3)
    mask[1] = 0
    found = PROTOCOLS[protocol].score_frames(noise(3), noise(3, seed=1), mask)
    means = aggregate([{key: values.tolist() for key, values in found.items()}])
    for key, values in found.items():
        skips = key not in {"mse", "psnr"}
        assert values.isnan().tolist() == [False, skips, False]
        assert means[key].num_skipped == skips
        assert means[key].num_frames == 3 - skips
        assert means[key].mean == pytest.approx(values[~values.isnan()].mean().item())


@pytest.mark.parametrize(("protocol", "weight"), [("hyoutube", 0.999), ("clean", 0.9 / 256)])
def test_a_trace_of_foreground_is_none(protocol: str, weight: float) -> None:
    assert math.isnan(score(protocol, noise(), noise(seed=1), weight * square())["fmse"])


def test_the_mean_is_over_frames_and_not_over_clips() -> None:
    clips = [{"fmse": [10.0]}, {"fmse": [2.0, None, 2.0, math.nan, 2.0]}]
    assert aggregate(clips) == {"fmse": FrameMean(4.0, 4, 2)}


def test_the_mean_does_not_depend_on_the_order_of_clips() -> None:
    values = torch.rand(200, generator=torch.Generator().manual_seed(0)).tolist()
    there = aggregate([{"mse": [value], "fssim": [value]} for value in values])
    back = aggregate([{"fssim": [value], "mse": [value]} for value in reversed(values)])
    assert there == back
    assert list(back) == ["mse", "fssim"]


def test_a_figure_that_no_frame_has_is_nan() -> None:
    mean, num_frames, num_skipped = aggregate([{"tl": [None]}, {"tl": []}])["tl"]
    assert math.isnan(mean)
    assert (num_frames, num_skipped) == (0, 1)


def test_what_is_scored_is_laid_over_the_composite_by_the_soft_mask() -> None:
    harmonized, composite = noise(), noise(seed=1)
    mask = torch.rand(1, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(2))
    mask[..., :9] = 0
    found = lay_over(harmonized, composite, mask)
    torch.testing.assert_close(found, harmonized * mask + composite * (1 - mask))
    assert torch.equal(found[..., :9], composite[..., :9])


def test_a_method_that_changes_nothing_gives_the_composite_to_the_bit() -> None:
    composite = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (2, 3, 9, 9)) / 255).float()
    mask = torch.rand(2, 1, 9, 9, generator=torch.Generator().manual_seed(0))
    assert torch.equal(lay_over(composite, composite, mask), composite)


@pytest.mark.parametrize(
    ("harmonized", "real", "mask"),
    [
        (noise(2), noise(3), square(3)),
        (noise(3), noise(3), square(2)),
        (noise(3)[..., 1:], noise(3), square(3)),
        (noise(3), noise(3), noise(3)),
    ],
    ids=["frames", "masks", "size", "mask of three channels"],
)
def test_clips_that_do_not_belong_together_are_refused(harmonized: Tensor, real: Tensor, mask: Tensor) -> None:
    with pytest.raises(MismatchError, match="same frames and size"):
        PROTOCOLS["clean"].score_frames(harmonized, real, mask)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_result_that_is_no_number_is_an_error_and_not_a_skipped_frame(value: float) -> None:
    harmonized = noise(3)
    harmonized[1, 2, 3, 4] = value
    with pytest.raises(NonFiniteError, match="position 1"):
        PROTOCOLS["hyoutube"].score_frames(harmonized, noise(3), square(3))
