"""Dense inverse search on pictures whose motion is known."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from chromacord.errors import InputError
from chromacord.lab.flow.dis import DISFlow
from chromacord.lab.flow.warp import warp


def texture(height: int = 80, width: int = 100) -> Tensor:
    coarse = torch.rand(1, 3, 20, 25, generator=torch.Generator().manual_seed(0))
    return functional.interpolate(coarse, (height, width), mode="bicubic", align_corners=False).clamp(0, 1)


def test_flow_leads_from_the_first_frame_to_the_second() -> None:
    whole = texture()
    first, second = whole[..., 8:-8, 8:-8], whole[..., 6:-10, 5:-11]  # all has moved 3 to the right and 2 down
    flow = DISFlow()(first, second)
    assert flow.shape == (1, 2, 64, 84)
    middle = flow[0, :, 10:-10, 10:-10].mean(dim=(1, 2))
    torch.testing.assert_close(middle, torch.tensor([3.0, 2.0]), atol=0.1, rtol=0)
    error = (warp(second, flow)[0] - first)[..., 10:-10, 10:-10].abs().mean()
    assert error < 0.1 * (second - first).abs().mean()


def test_pairs_of_a_batch_do_not_touch_each_other() -> None:
    whole = texture()
    still, moved = whole[..., 8:-8, 8:-8], whole[..., 6:-10, 5:-11]
    source = DISFlow()
    both = source(torch.cat([still, still]), torch.cat([moved, still]))
    torch.testing.assert_close(both[:1], source(still, moved), atol=0, rtol=0)
    assert both[1].abs().max() < 0.1


def test_no_pairs_give_no_flow() -> None:
    assert DISFlow()(texture()[:0], texture()[:0]).shape == (0, 2, 80, 100)


def test_pictures_that_are_too_small_are_refused_in_words() -> None:
    tiny = torch.zeros(1, 3, 8, 11)
    with pytest.raises(InputError, match=r"at least 12 pixels, not 11 x 8"):
        DISFlow()(tiny, tiny)
    wide = torch.zeros(1, 3, 8, 12)
    assert DISFlow()(wide, wide).shape == (1, 2, 8, 12)


def test_colors_are_rounded_to_codes_and_not_cut_off() -> None:
    whole = (255 * texture()).round() / 255
    first, second = whole[..., 8:-8, 8:-8], whole[..., 6:-10, 5:-11]
    stripes = 0.3 / 255 * (torch.arange(84) % 2)
    assert torch.equal(DISFlow()(first - stripes, second + stripes), DISFlow()(first, second))
