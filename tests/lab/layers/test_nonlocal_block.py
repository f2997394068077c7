"""Neighbourhood attention against windows that are written out, and the block around it."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from chromacord.errors import InputError
from chromacord.lab.layers.nonlocal_block import NonLocal, global_attention, neighbourhood_attention


def features(*shapes: tuple[int, ...], seed: int = 0) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes]


def by_unfolding(query: Tensor, key: Tensor, value: Tensor, side: int, dilation: int) -> Tensor:
    """The same with `F.unfold`: windows of the channels, and windows of ones, which mark what is outside."""
    height, width = query.shape[-2:]
    before, after = dilation * ((side - 1) // 2), dilation * (side // 2)

    def windows(x: Tensor) -> Tensor:
        x = F.pad(x, (before, after, before, after))
        return F.unfold(x, side, dilation=dilation).view(len(x), x.shape[1], side**2, height * width)

    logits = torch.einsum("nlp,nlqp->nqp", query.flatten(2), windows(key))
    logits = logits.masked_fill(windows(torch.ones_like(query[:, :1]))[:, 0] == 0, -torch.inf)
    mean = torch.einsum("nqp,ncqp->ncp", logits.softmax(dim=1), windows(value))
    return mean.view_as(value)


@pytest.mark.parametrize(("side", "dilation"), [(1, 1), (2, 1), (3, 1), (4, 1), (4, 2), (5, 3), (9, 1)])
def test_it_equals_windows_that_are_unfolded(side: int, dilation: int) -> None:
    query, key, value = features((2, 5, 7, 9), (2, 5, 7, 9), (2, 6, 7, 9))
    for each in (query, key, value):
        each.requires_grad_()
    found = neighbourhood_attention(query, key, value, side=side, dilation=dilation)
    expected = by_unfolding(query, key, value, side, dilation)
    torch.testing.assert_close(found, expected, atol=1e-10, rtol=1e-8)
    weights = features(tuple(value.shape), seed=1)[0]
    ours, theirs = (torch.autograd.grad((each * weights).sum(), (query, key, value)) for each in (found, expected))
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, atol=1e-10, rtol=1e-8)


def test_a_window_of_even_side_reaches_one_further_right_and_down() -> None:
    """Equal keys give the mean of the values in the window, -1 to +2."""
    zeros = torch.zeros(1, 2, 8, 8)
    value = torch.zeros(1, 1, 8, 8)
    value[..., 4, 4] = 16
    found = neighbourhood_attention(zeros, zeros, value, side=4)[0, 0]
    rows, columns = found.nonzero().unbind(1)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (2, 5, 2, 5)
    torch.testing.assert_close(found[2:6, 2:6], torch.ones(4, 4))


def test_places_outside_the_picture_have_no_vote() -> None:
    zeros = torch.zeros(1, 2, 5, 5)
    ones = torch.ones(1, 3, 5, 5)
    torch.testing.assert_close(neighbourhood_attention(zeros, zeros, ones, side=4), ones)


def test_the_whole_picture_is_a_window_that_covers_it_from_everywhere() -> None:
    query, key, value = features((2, 4, 5, 6), (2, 4, 5, 6), (2, 3, 5, 6))
    wide = neighbourhood_attention(query, key, value, side=13)
    torch.testing.assert_close(global_attention(query, key, value), wide, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("window", [4, None])
def test_a_block_starts_as_the_identity(window: int | None) -> None:
    x = torch.randn(1, 8, 6, 6)
    assert torch.equal(NonLocal(8, window=window)(x, torch.ones(1, 1, 6, 6)), x)


@pytest.mark.parametrize("window", [4, None])
def test_the_background_is_left_alone_and_informs_the_foreground(window: int | None) -> None:
    torch.manual_seed(0)
    block = NonLocal(8, window=window)
    torch.nn.init.normal_(block.g.weight)
    x, mask = torch.randn(1, 8, 6, 6), torch.zeros(1, 1, 6, 6)
    assert torch.equal(block(x, mask), x)
    mask[..., 3, 3] = 1
    found = block(x, mask)
    changed = (found != x).any(dim=1)[0]
    assert changed.nonzero().tolist() == [[3, 3]]
    x[..., 3, 4] += 1  # background beside it
    assert not torch.equal(block(x, mask)[..., 3, 3], found[..., 3, 3])


@pytest.mark.parametrize(
    "box", [(slice(5, 9), slice(3, 12)), (slice(0, 4), slice(14, 16)), (slice(15, 16), slice(0, 16))]
)
def test_what_is_left_out_beside_the_foreground_changes_nothing(box: tuple[slice, slice]) -> None:
    """A window of 4 with steps of 2, against attention over the whole picture: values and gradients."""
    torch.manual_seed(0)
    block = NonLocal(8, window=4, dilation=2).double()
    torch.nn.init.normal_(block.g.weight)
    x, mask = torch.randn(2, 8, 16, 16, dtype=torch.float64, requires_grad=True), torch.zeros(2, 1, 16, 16)
    mask[0, 0][box] = 0.7
    found = block(x, mask)
    plain = x + mask * neighbourhood_attention(block.theta(x), block.phi(x), block.g(x), side=4, dilation=2)
    torch.testing.assert_close(found, plain)
    ours, theirs = (torch.autograd.grad(each.square().sum(), [x, *block.parameters()]) for each in (found, plain))
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other)


def test_a_mask_of_another_size_is_resized_and_cut_where_wanted() -> None:
    torch.manual_seed(0)
    x, mask = torch.randn(1, 4, 4, 4), torch.full((1, 1, 16, 16), 0.4)
    for threshold, is_changed in ((None, True), (0.5, False), (0.3, True)):
        block = NonLocal(4, threshold=threshold)
        torch.nn.init.normal_(block.g.weight)
        assert torch.equal(block(x, mask), x) != is_changed


def test_it_has_as_many_parameters_as_the_formula_says() -> None:
    """2 (m l + l) + m^2 + m with l = m / 2."""
    for width, expected in ((256, 131_584), (128, 33_024)):
        assert sum(value.numel() for value in NonLocal(width).parameters()) == expected


@pytest.mark.parametrize("options", [{"window": 0}, {"window": -1}, {"dilation": 0}])
def test_a_window_that_is_none_is_refused(options: dict[str, int]) -> None:
    with pytest.raises(InputError, match=r"non-local block must be 1"):
        NonLocal(8, **options)
