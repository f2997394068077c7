"""The temporal figures against cases worked out by hand and against plain numpy."""

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates
from torch import Tensor
from torch.nn import functional

from chromacord.errors import MismatchError, NonFiniteError
from chromacord.lab.flow.spynet import SPyNet
from chromacord.lab.metrics.protocols import METRICS
from chromacord.lab.metrics.temporal import (
    FLOW_SOURCES,
    TEMPORAL_METRICS,
    estimate_flow,
    flicker,
    residual_temporal_loss,
    score_pairs,
    temporal_loss,
)

HEIGHT, WIDTH = 20, 24


def flat(*levels: float) -> Tensor:
    """Frames of a single grey each, from 8-bit levels."""
    return (torch.tensor(levels) / 255)[:, None, None, None].expand(-1, 3, HEIGHT, WIDTH)


def still(num_frames: int) -> Tensor:
    return torch.zeros(num_frames - 1, 2, HEIGHT, WIDTH)


def full(num_frames: int, weight: float = 1.0) -> Tensor:
    return torch.full((num_frames, 1, HEIGHT, WIDTH), weight)


def noise(num_frames: int, channels: int = 3, *, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(num_frames, channels, HEIGHT, WIDTH, generator=generator)


def moving(num_frames: int, *, step: int = 2) -> Tensor:
    """A texture that moves to the right by whole pixels."""
    coarse = torch.rand(1, 3, 12, 18, generator=torch.Generator().manual_seed(0))
    whole = functional.interpolate(coarse, (48, 72), mode="bicubic", align_corners=False).clamp(0, 1)
    starts = [12 - step * frame for frame in range(num_frames)]
    return torch.cat([whole[..., 4 : 4 + HEIGHT, start : start + WIDTH] for start in starts])


def middle(num_frames: int) -> Tensor:
    mask = torch.zeros(num_frames, 1, HEIGHT, WIDTH)
    mask[..., 6:14, 6:16] = 1
    return mask


def test_tl_sums_over_the_channels_and_does_not_divide_by_them() -> None:
    found = temporal_loss(flat(100, 104, 107), flat(50, 50, 50), full(3), flow=still(3))
    torch.testing.assert_close(found, torch.tensor([3 * 16.0, 3 * 9.0], dtype=torch.float64), rtol=1e-5, atol=0)


def test_the_weight_of_tl_is_squared_above_and_plain_below() -> None:
    found = temporal_loss(flat(100, 104), flat(50, 50), full(2, 0.5), flow=still(2))
    assert found.item() == pytest.approx(3 * 16 * 0.5, rel=1e-5)


def test_where_the_real_frames_differ_tl_weighs_by_the_mean_of_exponentials() -> None:
    real = flat(51, 51).clone()
    real[1, 0] += 0.4
    real[1, 1] -= 0.1
    weight = (math.exp(-0.4) + math.exp(-0.1) + 1) / 3
    found = temporal_loss(flat(100, 104), real, full(2), flow=still(2))
    assert found.item() == pytest.approx(3 * 16 * weight, rel=1e-5)


def test_tl_and_rtl_are_their_formulas_in_plain_numpy() -> None:
    harmonized, real, mask = noise(2), noise(2, seed=1), noise(2, 1, seed=2)
    flow = 3 * torch.randn(1, 2, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(3))
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    place = np.stack([rows, columns]) + flow[0].flip(0).double().numpy()

    def seen(picture: Tensor) -> np.ndarray:
        clamped = [map_coordinates(channel, place, order=1, mode="nearest") for channel in picture.double().numpy()]
        return np.stack(clamped)

    result, truth = harmonized.double().numpy(), real.double().numpy()
    weight = seen(mask[0])[0] * np.exp(-np.abs(seen(real[0]) - truth[1])).mean(axis=0)
    expected = 255**2 * ((weight * seen(harmonized[0]) - weight * result[1]) ** 2).sum() / weight.sum()
    assert temporal_loss(harmonized, real, mask, flow=flow).item() == pytest.approx(expected, rel=1e-4)

    inside = (place[0] >= 0) & (place[0] <= HEIGHT - 1) & (place[1] >= 0) & (place[1] <= WIDTH - 1)
    common = seen(mask[0])[0] * mask[1, 0].double().numpy() * inside
    change = seen(harmonized[0] - real[0]) - (result[1] - truth[1])
    expected = 255**2 * (common * change**2).sum() / (3 * common.sum())
    assert residual_temporal_loss(harmonized, real, mask, flow=flow).item() == pytest.approx(expected, rel=1e-4)
    assert not inside.all()


def test_the_flow_leads_from_the_later_frame_to_the_earlier() -> None:
    real = moving(2)
    back = torch.tensor([-2.0, 0.0])[None, :, None, None].expand(1, 2, HEIGHT, WIDTH)
    assert temporal_loss(real, real, middle(2), flow=back).item() < 1e-3
    assert temporal_loss(real, real, middle(2), flow=-back).item() > 10


def test_flow_is_estimated_from_the_later_frame_to_the_earlier() -> None:
    coarse = torch.rand(1, 3, 20, 20, generator=torch.Generator().manual_seed(0))
    whole = functional.interpolate(coarse, (80, 80), mode="bicubic", align_corners=False).clamp(0, 1)
    real = torch.cat([whole[..., 8:72, 8:72], whole[..., 8:72, 6:70], whole[..., 7:71, 6:70]])
    flow = estimate_flow(real, FLOW_SOURCES["dis"]())
    assert flow.shape == (2, 2, 64, 64)
    found = flow[..., 12:-12, 12:-12].mean(dim=(2, 3))
    torch.testing.assert_close(found, torch.tensor([[-2.0, 0.0], [0.0, -1.0]]), atol=0.15, rtol=0)


def test_rtl_is_the_mean_square_change_of_the_residual() -> None:
    found = residual_temporal_loss(flat(60, 64, 57), flat(50, 50, 50), full(3), flow=still(3))
    torch.testing.assert_close(found, torch.tensor([16.0, 49.0], dtype=torch.float64), rtol=1e-5, atol=0)


def test_rtl_does_not_see_the_texture_that_a_wrong_flow_misplaces() -> None:
    real = moving(3)
    harmonized = real * 1.0 + 10 / 255
    assert temporal_loss(harmonized, real, middle(3), flow=still(3)).min() > 10
    assert residual_temporal_loss(harmonized, real, middle(3), flow=still(3)).max() < 1e-6


def test_rtl_counts_the_foreground_that_both_frames_have_in_common() -> None:
    mask = middle(2)
    mask[1, ..., :10] = 0
    harmonized = flat(50, 53).clone()
    harmonized[1, ..., :10] = 1
    found = residual_temporal_loss(harmonized, flat(50, 50), mask, flow=still(2))
    assert found.item() == pytest.approx(9, rel=1e-5)


def test_rtl_leaves_out_what_comes_into_the_frame() -> None:
    flow = torch.tensor([0.0, 5.0])[None, :, None, None].expand(1, 2, HEIGHT, WIDTH)
    harmonized = flat(50, 53).clone()
    harmonized[1, ..., -5:, :] = 1
    found = residual_temporal_loss(harmonized, flat(50, 50), full(2), flow=flow)
    assert found.item() == pytest.approx(9, rel=1e-5)


def test_flicker_of_an_alternating_offset_is_twice_the_offset() -> None:
    found = flicker(flat(53, 47, 53), flat(50, 50, 50), middle(3))
    torch.testing.assert_close(found, torch.tensor([6.0, 6.0], dtype=torch.float64), rtol=1e-5, atol=0)


def test_flicker_is_the_root_mean_square_over_the_channels() -> None:
    harmonized = flat(50, 50).clone()
    harmonized[1] += torch.tensor([1.0, 2.0, -2.0])[:, None, None] / 255
    assert flicker(harmonized, flat(50, 50), middle(2)).item() == pytest.approx(math.sqrt(3), rel=1e-5)


def test_what_the_real_clip_does_is_no_flicker() -> None:
    real = flat(50, 90, 70)
    assert flicker(real + 0.1, real, middle(3)).max() < 1e-4


def test_flicker_looks_at_the_foreground_alone() -> None:
    harmonized = flat(50, 53).clone()
    harmonized[1, ..., :6, :] = 1
    assert flicker(harmonized, flat(50, 50), middle(2)).item() == pytest.approx(3, rel=1e-5)


def test_pairs_without_foreground_have_no_figures() -> None:
    mask = middle(4)
    mask[1] = 0
    scores = score_pairs(noise(4), noise(4, seed=1), mask, flow=still(4))
    assert scores["tl"].isnan().tolist() == [False, True, False]  # its weight is the earlier frame's mask alone
    assert scores["rtl"].isnan().tolist() == [True, True, False]
    assert scores["flicker"].isnan().tolist() == [True, True, False]


def test_a_trace_of_foreground_is_none_to_rtl_and_flicker() -> None:
    trace = torch.zeros(2, 1, HEIGHT, WIDTH)
    trace[..., 5:8, 5:8] = 0.1  # 0.9 pixels in each frame, 0.09 in common
    scores = score_pairs(noise(2), noise(2, seed=1), trace, flow=still(2))
    assert scores["rtl"].isnan().all()
    assert scores["flicker"].isnan().all()
    whole = score_pairs(noise(2), noise(2, seed=1), 10 * trace, flow=still(2))
    assert not whole["rtl"].isnan().any()
    assert not whole["flicker"].isnan().any()


def test_a_perfect_result_is_steady_by_rtl_and_flicker_whatever_the_flow() -> None:
    real = moving(3)
    flow = 3 * torch.randn(2, 2, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(0))
    scores = score_pairs(real, real, middle(3), flow=flow)
    assert (scores["rtl"] == 0).all()
    assert (scores["flicker"] == 0).all()
    assert (scores["tl"] > 0).all()


def test_tables_are_told_that_less_is_better() -> None:
    real = moving(3)
    near, far = (score_pairs(real + size * noise(3), real, middle(3), flow=still(3)) for size in (0.02, 0.2))
    for key in TEMPORAL_METRICS:
        assert not METRICS[key].higher_is_better
        assert (near[key] < far[key]).all(), key


def test_all_figures_at_once_are_the_figures_one_by_one() -> None:
    clip = noise(4), noise(4, seed=1), noise(4, 1, seed=2)
    flow = torch.randn(3, 2, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(0))
    scores = score_pairs(*clip, flow=flow)
    assert tuple(scores) == TEMPORAL_METRICS
    assert set(scores) <= set(METRICS)
    assert torch.equal(scores["tl"], temporal_loss(*clip, flow=flow))
    assert torch.equal(scores["rtl"], residual_temporal_loss(*clip, flow=flow))
    assert torch.equal(scores["flicker"], flicker(*clip))


def test_a_single_frame_has_no_pairs() -> None:
    real = noise(1)
    flow = estimate_flow(real, FLOW_SOURCES["dis"]())
    scores = score_pairs(real, real, full(1), flow=flow)
    assert all(values.shape == (0,) and values.dtype == torch.float64 for values in scores.values())


def test_bad_clips_are_refused() -> None:
    with pytest.raises(MismatchError):
        score_pairs(noise(3), noise(2), full(2), flow=still(2))
    broken = noise(2)
    broken[1, 0, 0, 0] = math.nan
    with pytest.raises(NonFiniteError, match="position 1"):
        score_pairs(broken, noise(2), full(2), flow=still(2))


def test_spynet_is_a_source_of_flow() -> None:
    source = FLOW_SOURCES["spynet"]
    assert source.name == "SPyNet"
    real = moving(3)
    flow = estimate_flow(real, source())
    torch.testing.assert_close(flow, SPyNet(weights="spynet")(real[1:], real[:-1]), atol=1e-4, rtol=0)
