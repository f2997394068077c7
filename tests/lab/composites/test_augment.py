"""Composites for training: what is changed, how and where; all of it is determined by the seed."""

from collections.abc import Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from chromacord.color.cube import Cube
from chromacord.errors import InputError
from chromacord.lab.color.enhancement import enhance
from chromacord.lab.composites.augment import Augmentation, CompositeBatch, CompositeMaker
from chromacord.lab.composites.photographs import Photographs
from chromacord.lab.data.luts import read_luts
from tests.lab.training.material import GAIN, OFFSET, SIDE, disc, picture, write_cube

COUNT = 24

PLAIN = Augmentation(
    lut_share=1.0,
    enhanced_share=0.0,
    enhanced_look_share=0.0,
    mixed_share=0.0,
    unchanged_share=0.0,
    relit_share=0.0,
    foreign_mask_share=0.0,
    inverted_share=0.0,
    smallest_crop=1.0,
    num_looks=4,
)
"""Whole pictures, mirrored or not, and unchanged LUTs."""


def photographs(masks: Sequence[np.ndarray] | None = None, *, labelled: bool = False) -> Photographs:
    """Return pictures of the composites' size, so that none must be resized."""
    masks = masks if masks is not None else [disc(seed) for seed in range(6)]
    count = len(masks)
    names = tuple(map(str, range(count)))
    return Photographs(
        names,
        names,
        torch.from_numpy(np.stack([picture(seed).transpose(2, 0, 1) for seed in range(count)])),
        torch.from_numpy(np.stack(masks)[:, None]),
        torch.full((count,), labelled),
        torch.ones(count),
    )


@pytest.fixture(scope="module")
def dim(tmp_path_factory: pytest.TempPathFactory) -> list[Cube]:
    """The LUT that multiplies by GAIN and adds OFFSET."""
    return list(read_luts(write_cube(tmp_path_factory.mktemp("luts") / "dim.cube")).values())


def identity(folder: Path) -> list[Cube]:
    """Return the identity LUT."""
    return list(read_luts(write_cube(folder / "identity.cube", 1.0, 0.0)).values())


def draw(
    source: Photographs, luts: Sequence[Cube], augmentation: Augmentation, *, seed: int = 0, count: int = COUNT
) -> CompositeBatch:
    maker = CompositeMaker(source, luts, augmentation, side=SIDE, num_pixels=256)
    return maker.draw(count, torch.Generator().manual_seed(seed))


def replaced(**changed: float) -> Augmentation:
    return Augmentation(**{**vars(PLAIN), **changed})  # type: ignore[arg-type]


def codes(values: Tensor) -> Tensor:
    """Return values in 0..1 as codes; they must be whole ones."""
    rounded = (255 * values).round()
    assert torch.allclose(255 * values, rounded, atol=1e-3)
    return rounded.int()


def origins(batch: CompositeBatch, source: Photographs) -> list[tuple[int, bool]]:
    """Find for each composite the picture that it equals where the mask is empty, and whether it is mirrored."""
    found = []
    for composite, mask in zip(batch.composite, batch.mask, strict=True):
        outside = (mask == 0).expand(3, -1, -1)
        assert outside.any()
        matches = [
            (index, mirrored)
            for index, real in enumerate(source.pictures)
            for mirrored in (False, True)
            if torch.equal((255 * composite[outside]).round(), (real.flip(-1) if mirrored else real).float()[outside])
        ]
        assert len(matches) == 1
        found += matches
    return found


def reals(batch: CompositeBatch, source: Photographs) -> Tensor:
    """Return the pictures behind the composites, from the source. Shape (N, 3, S, S)."""
    chosen = [
        source.pictures[index].flip(-1) if mirrored else source.pictures[index]
        for index, mirrored in origins(batch, source)
    ]
    return torch.stack(chosen).float() / 255


def test_one_seed_makes_one_batch_and_another_another(dim: list[Cube]) -> None:
    source, augmentation = photographs(), Augmentation(num_looks=8)
    one, same, other = (draw(source, dim, augmentation, seed=seed) for seed in (3, 3, 4))
    for first, second in zip(one, same, strict=True):
        assert torch.equal(first, second)
    assert not torch.equal(one.composite, other.composite)


def test_a_batch_does_not_depend_on_those_before_it(dim: list[Cube]) -> None:
    maker = CompositeMaker(photographs(), dim, Augmentation(num_looks=8), side=SIDE, num_pixels=64)
    first = maker.draw(4, torch.Generator().manual_seed(1))
    maker.draw(4, torch.Generator().manual_seed(2))
    for before, after in zip(first, maker.draw(4, torch.Generator().manual_seed(1)), strict=True):
        assert torch.equal(before, after)


def test_shapes_and_ranges_are_those_stated(dim: list[Cube]) -> None:
    batch = draw(photographs(), dim, Augmentation(num_looks=8), count=5)
    assert batch.composite.shape == (5, 3, SIDE, SIDE)
    assert batch.mask.shape == (5, 1, SIDE, SIDE)
    assert batch.changed.shape == batch.real.shape == (5, 3, 1, 256)
    for part in batch:
        assert part.dtype == torch.float32
        assert float(part.min()) >= 0
        assert float(part.max()) <= 1


def test_compressed_clips_are_what_a_jpeg_file_of_each_frame_holds(dim: list[Cube]) -> None:
    """The truth is read by Pillow from bytes that Pillow wrote; only the quality, which is drawn, is searched for."""
    source = photographs()
    plain, squeezed = (
        CompositeMaker(source, dim, replaced(compressed_share=share), side=SIDE).draw_clips(
            3, 2, torch.Generator().manual_seed(5)
        )
        for share in (0.0, 1.0)
    )
    assert torch.equal(plain.real, squeezed.real)
    assert torch.equal(plain.mask, squeezed.mask)
    for before, after in zip(plain.composite, squeezed.composite, strict=True):
        apart = [_distance(by_pillow(before, quality), after) for quality in range(75, 98)]
        assert min(apart) < 0.5 < _distance(before, after)  # two encoders may round differently


def test_single_pictures_are_compressed_too(dim: list[Cube]) -> None:
    source = photographs()
    plain, squeezed = (
        CompositeMaker(source, dim, replaced(compressed_share=share), side=SIDE).draw(
            3, torch.Generator().manual_seed(5)
        )
        for share in (0.0, 1.0)
    )
    for before, after in zip(plain.composite, squeezed.composite, strict=True):
        apart = [_distance(by_pillow(before[None], quality), after[None]) for quality in range(75, 98)]
        assert min(apart) < 0.5 < _distance(before, after)


def by_pillow(clip: Tensor, quality: int) -> Tensor:
    """Return frames as JPEG files hold them. Shape (T, 3, S, S)."""
    frames = []
    for frame in (255 * clip).round().byte().permute(0, 2, 3, 1).numpy():
        file = BytesIO()
        Image.fromarray(frame).save(file, "JPEG", quality=quality, subsampling="4:2:0")
        frames.append(np.asarray(Image.open(file)))
    return torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2).float() / 255


def _distance(one: Tensor, other: Tensor) -> float:
    """Return the mean difference in codes."""
    return float(255 * (one - other).abs().mean())


def test_outside_the_mask_a_composite_is_the_picture_to_the_bit(dim: list[Cube]) -> None:
    source = photographs()
    found = origins(draw(source, dim, PLAIN, count=48), source)
    assert {index for index, _ in found} == set(range(6))
    assert {mirrored for _, mirrored in found} == {False, True}


def test_inside_the_mask_it_is_the_lut_of_the_picture(dim: list[Cube]) -> None:
    """Codes: round(255 * (0.6 * x + 0.1)), as far as rounding of single precision leaves no doubt."""
    source = photographs()
    batch = draw(source, dim, PLAIN)
    real, inside = reals(batch, source), (batch.mask == 1).expand(-1, 3, -1, -1)
    exact = 255 * (GAIN * real.double() + OFFSET)
    difference = codes(batch.composite[inside]) - exact[inside]
    assert float(difference.abs().max()) <= 0.501


def test_at_the_edge_of_the_mask_both_are_mixed(dim: list[Cube]) -> None:
    source = photographs()
    batch = draw(source, dim, PLAIN)
    real = reals(batch, source)
    changed = (255 * (GAIN * real + OFFSET)).round() / 255
    edge = ((batch.mask > 0) & (batch.mask < 1)).expand(-1, 3, -1, -1)
    assert edge.any()
    expected = batch.mask * changed + (1 - batch.mask) * real
    assert float((batch.composite - expected)[edge].abs().max()) < 1.01 / 255


def test_foregrounds_that_are_left_as_they_are_make_composites_that_equal_the_pictures(dim: list[Cube]) -> None:
    source = photographs()
    batch = draw(source, dim, replaced(unchanged_share=1.0))
    assert torch.equal(codes(batch.composite), codes(reals(batch, source)))
    assert torch.equal(batch.changed, batch.real)


def test_pixels_of_the_loss_are_the_change_of_each_other_and_lie_in_the_foreground(dim: list[Cube]) -> None:
    """Each real pixel is one of the picture's where the mask is above a half."""
    source = photographs()
    batch = draw(source, dim, PLAIN)
    exact = 255 * (GAIN * batch.real.double() + OFFSET)
    assert float((codes(batch.changed) - exact).abs().max()) <= 0.501
    for real, mask, pixels in zip(codes(reals(batch, source)), batch.mask, codes(batch.real), strict=True):
        foreground = {tuple(color) for color in real[:, mask[0] >= 0.5].T.tolist()}
        assert {tuple(color) for color in pixels[:, 0].T.tolist()} <= foreground


def test_an_enhanced_lut_is_enhanced_after_it_is_read(dim: list[Cube]) -> None:
    """The table is enhanced, not the picture: between nodes of 17 a side that differs by less than two codes."""
    batch = draw(photographs(), dim, replaced(enhanced_share=1.0))
    expected = enhance(GAIN * batch.real + OFFSET)
    assert float((batch.changed - expected).abs().max()) < 2 / 255
    assert float((batch.changed - batch.real).abs().max()) > 20 / 255


def test_mixed_luts_lie_between_two_or_between_one_and_no_change(tmp_path: Path) -> None:
    """One LUT darkens by a fourth, one by a half; a mixture of any two of (1, 0.75, 0.5) lies between 0.5 and 1."""
    for name, gain in (("a", 0.75), ("b", 0.5)):
        write_cube(tmp_path / f"{name}.cube", gain, 0.0)
    batch = draw(photographs(), list(read_luts(tmp_path).values()), replaced(mixed_share=1.0), count=64)
    gains = (batch.changed.sum(dim=(1, 2, 3)) / batch.real.sum(dim=(1, 2, 3))).tolist()
    assert min(gains) > 0.495
    assert max(gains) < 1.005
    assert len({round(gain, 3) for gain in gains}) > 50


def test_luts_are_varied_by_a_weak_look(dim: list[Cube]) -> None:
    batch = draw(photographs(), dim, replaced(varied_share=1.0, num_looks=64), count=64)
    distance = (batch.changed - (GAIN * batch.real + OFFSET)).abs().mean(dim=(1, 2, 3))
    assert float((distance > 1 / 255).float().mean()) > 0.7
    assert float(distance.max()) < 60 / 255


def test_dimmed_foregrounds_went_through_a_gain_for_each_channel_and_one_power(tmp_path: Path) -> None:
    """log(changed) = power * log(real) + log(gain), with one power for all channels: a line, fitted by numpy."""
    batch = draw(photographs(), identity(tmp_path), replaced(dimmed_share=1.0))
    gains = []
    for real, changed in zip(batch.real[:, :, 0].double(), batch.changed[:, :, 0].double(), strict=True):
        is_clear = (changed < 0.99).all(dim=0)
        if int(is_clear.sum()) < 100:
            continue
        logs = torch.log(real[:, is_clear])
        rows = np.concatenate([np.eye(3).repeat(logs.shape[1], axis=0), logs.reshape(-1, 1)], axis=1)
        found = np.linalg.lstsq(rows, torch.log(changed[:, is_clear]).reshape(-1).numpy(), rcond=None)[0]
        fitted = np.exp(rows @ found).reshape(3, -1)
        assert np.abs(fitted - changed[:, is_clear].numpy()).mean() < 1.5 / 255
        gains += np.exp(found[:3]).tolist()
    assert len(gains) > 45
    assert 0.2 < min(gains) < 0.6
    assert max(gains) < 1.8


def test_without_luts_all_changes_are_looks() -> None:
    batch = draw(photographs(), [], PLAIN)
    assert float((batch.changed - batch.real).abs().mean()) > 3 / 255


def test_pictures_that_are_relit_are_changed_outside_the_mask_too(dim: list[Cube]) -> None:
    source = photographs()
    batch = draw(source, dim, replaced(relit_share=1.0, unchanged_share=1.0))
    before = torch.stack([source.pictures.float() / 255, source.pictures.flip(-1).float() / 255])
    distance = (batch.composite[None, None] - before[:, :, None]).abs().mean(dim=(-3, -2, -1)).amin(dim=(0, 1))
    assert float(distance.min()) > 0.5 / 255
    assert float(distance.max()) < 60 / 255
    codes(batch.composite)


def test_masks_are_turned_inside_out_or_taken_from_others() -> None:
    source = photographs([disc(seed) for seed in range(2)])
    plain, inverted = (draw(source, [], replaced(inverted_share=share)) for share in (0.0, 1.0))
    assert torch.allclose(inverted.mask, 1 - plain.mask, atol=1e-6)
    foreign = draw(source, [], replaced(foreign_mask_share=1.0))
    assert torch.allclose(foreign.mask.sum(dim=(1, 2, 3)), plain.mask.roll(1, 0).sum(dim=(1, 2, 3)), atol=1e-2)


def test_a_crop_shows_a_part_of_the_picture_enlarged(dim: list[Cube]) -> None:
    """A disc that fills a fifth of the picture fills more of a part around it."""
    source = photographs([disc(0)] * 2)
    whole, parts = (draw(source, dim, replaced(smallest_crop=crop)).mask.mean(dim=(1, 2, 3)) for crop in (1.0, 0.55))
    assert float(whole.std()) < 1e-4
    assert float(parts.max()) > 1.5 * float(whole[0])


def test_a_close_part_lies_around_the_foreground(dim: list[Cube]) -> None:
    corner = np.zeros((SIDE, SIDE), np.uint8)
    corner[2:10, 20:28] = 255
    source = photographs([corner] * 3)
    close = draw(source, dim, replaced(close_share=1.0), count=48).mask
    share = close.mean(dim=(1, 2, 3))
    # The box is 8 of 32 pixels: 1.4 to 3.5 times that, in each direction.
    assert float(share.max()) == pytest.approx(1 / 1.4**2, rel=0.15)
    assert float(share.min()) == pytest.approx(1 / 3.5**2, rel=0.25)
    assert bool((close.amax(dim=(2, 3)) > 0.9).all())
    with pytest.raises(InputError, match="close_share must lie in"):
        replaced(close_share=1.5)


def test_a_share_of_no_close_parts_draws_what_was_drawn_before(dim: list[Cube]) -> None:
    source = photographs()
    plain, close = (draw(source, dim, replaced(smallest_crop=0.5, close_share=share)) for share in (0.0, 1.0))
    assert not torch.equal(plain.mask, close.mask)
    assert torch.equal(plain.mask, draw(source, dim, replaced(smallest_crop=0.5)).mask)


def test_of_labels_the_foreground_is_a_union() -> None:
    labels = np.zeros((SIDE, SIDE), np.uint8)
    quarters = {3: (0, 0), 7: (0, 16), 90: (16, 0), 255: (16, 16)}
    for label, (row, column) in quarters.items():
        labels[row : row + 12, column : column + 12] = label
    source = photographs([labels] * 3, labelled=True)
    masks = draw(source, [], PLAIN, count=96).mask
    chosen = set()
    for mask in masks:
        assert bool(((mask < 1e-4) | (mask > 1 - 1e-4)).all())
        matches = [
            frozenset(part)
            for part in _subsets(tuple(quarters))
            for table in (labels, labels[:, ::-1])
            if np.array_equal(mask[0].numpy() > 0.5, np.isin(table, part))
        ]
        assert len(matches) == 1
        chosen.add(matches[0])
    assert {len(part) for part in chosen} == {1, 2, 3, 4}
    assert len({part for part in chosen if len(part) == 1}) == 4


def _subsets(labels: tuple[int, ...]) -> list[tuple[int, ...]]:
    return [
        tuple(label for place, label in enumerate(labels) if number >> place & 1)
        for number in range(1, 2 ** len(labels))
    ]


@pytest.mark.parametrize("kind", ["empty", "one pixel", "full"])
@pytest.mark.parametrize("labelled", [False, True])
def test_masks_that_hold_next_to_nothing_or_all_make_composites(dim: list[Cube], kind: str, labelled: bool) -> None:
    mask = np.full((SIDE, SIDE), 255 if kind == "full" else 0, np.uint8)
    if kind == "one pixel":
        mask[16, 16] = 255
    batch = draw(photographs([mask] * 3, labelled=labelled), dim, replaced(smallest_crop=0.3), count=12)
    for part in batch:
        assert bool(part.isfinite().all())
    if kind == "one pixel":
        # Crops without it are replaced by the whole picture.
        assert bool((batch.mask.amax(dim=(1, 2, 3)) > 0).all())
    else:
        assert set(batch.mask.unique().tolist()) == {mask[0, 0] / 255}


def test_rare_pictures_are_drawn_rarely(dim: list[Cube]) -> None:
    """Picture 0 has nineteen times the weight of picture 1: of 400, 380 with a deviation of sqrt(400*.95*.05) = 4.4."""
    source = photographs([disc(0), 255 - disc(0)])
    source.weights[:] = torch.tensor([19.0, 1.0])
    area = draw(source, dim, PLAIN, count=400).mask.mean(dim=(1, 2, 3))
    assert 380 - 18 < int((area < 0.5).sum()) < 380 + 18


def walk(length: int = 11) -> Photographs:
    """Two stills, and a clip whose every frame is one shade brighter than the one before."""
    stills = [picture(seed).transpose(2, 0, 1) for seed in range(2)]
    frames = [np.full((3, SIDE, SIDE), 40 + 10 * index, np.uint8) for index in range(length)]
    count = length + 2
    return Photographs(
        tuple(map(str, range(count))),
        ("a", *["walk"] * length, "b"),
        torch.from_numpy(np.stack([stills[0], *frames, stills[1]])),
        torch.from_numpy(np.stack([disc(3)] * count)[:, None]),
        torch.full((count,), fill_value=False),
        torch.tensor([1.0, *[1 / length] * length, 1.0]),
    )


@pytest.mark.parametrize(("spacing", "length", "step"), [(2, 4, 2), (5, 3, 5), (5, 5, 2), (9, 11, 1)])
def test_frames_of_a_clip_follow_each_other_at_the_spacing_or_less_where_it_is_short(
    spacing: int, length: int, step: int
) -> None:
    maker = CompositeMaker(walk(), [], replace(PLAIN, still_clip_share=0.0, spacing=spacing), side=SIDE)
    real = maker.draw_clips(8, length, torch.Generator().manual_seed(0)).real
    shades = (real[:, :, 0, 5, 5] * 255).round()
    assert torch.equal(shades.diff(dim=1), torch.full((8, length - 1), 10.0 * step))
    assert len(set(shades[:, 0].tolist())) > 1 or step * (length - 1) == 10


def test_all_frames_of_a_clip_have_the_same_part_and_the_same_change(dim: list[Cube]) -> None:
    varied = replace(PLAIN, still_clip_share=1.0, camera=0.0, smallest_crop=0.5, relit_share=1.0)
    clips = CompositeMaker(walk(), dim, varied, side=SIDE).draw_clips(6, 3, torch.Generator().manual_seed(0))
    for part in clips:
        assert torch.equal(part[:, 1:], part[:, :1].expand_as(part[:, 1:]))
    assert len({tuple(map(float, each)) for each in clips.real[:, 0, :, 9, 9]}) == 6
    inside = (clips.mask == 1).expand_as(clips.real)
    torch.testing.assert_close(clips.composite[inside], GAIN * clips.real[inside] + OFFSET, atol=0.6 / 255, rtol=0)
    outside = (clips.mask == 0).expand_as(clips.real)
    assert torch.equal(clips.composite[outside], clips.real[outside])


def test_the_camera_moves_evenly_over_a_still_and_stays_inside() -> None:
    """Its horizontal place is read off a ramp from left to right."""
    ramp = np.tile(np.linspace(0, 250, SIDE, dtype=np.uint8), (3, SIDE, 1))
    stills = replace(photographs([disc(0)]), pictures=torch.from_numpy(ramp[None].copy()))
    moving = replace(PLAIN, still_clip_share=1.0, camera=0.1, smallest_crop=0.5)
    real = CompositeMaker(stills, [], moving, side=SIDE).draw_clips(20, 5, torch.Generator().manual_seed(0)).real
    places = 255 * real[:, :, 0, 16].mean(dim=-1)
    steps = places.diff(dim=1)
    assert steps.abs().max() > 3
    assert (steps.sign() * steps.sum(dim=1, keepdim=True).sign() >= 0).all()
    assert (steps.abs() <= 0.1 * 125 + 1.5).all()


def test_a_clip_of_one_frame_is_a_picture_of_the_others() -> None:
    maker = CompositeMaker(walk(), [], replace(PLAIN, smallest_crop=0.7), side=SIDE, num_pixels=4)
    one, many = (
        each(5, *more, torch.Generator().manual_seed(2)) for each, more in ((maker.draw, ()), (maker.draw_clips, (1,)))
    )
    assert torch.equal(one.composite, many.composite[:, 0])
    assert torch.equal(one.mask, many.mask[:, 0])


@pytest.mark.parametrize(("name", "value"), [("spacing", 0), ("camera", -0.1), ("still_clip_share", 1.2)])
def test_clips_that_cannot_be_drawn_are_refused(name: str, value: float) -> None:
    with pytest.raises(InputError, match=name):
        replace(PLAIN, **{name: value})
