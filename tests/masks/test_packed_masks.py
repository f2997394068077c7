import numpy as np
import pytest

from chromacord.masks.chroma_grid import aligned
from chromacord.masks.masks import Mask
from chromacord.masks.packed_masks import PackedMask
from chromacord.types import Box, Size
from tests.scenes import soft_disc

SIZE = Size(121, 173)
WHOLE = Box(0, 0, *SIZE)


def mask_of(weights: np.ndarray, dtype: str, black: float, white: float) -> Mask:
    codes = black + weights * (white - black)
    plane = codes.astype(np.float32) if dtype == "float32" else np.rint(codes).astype(dtype)
    return Mask.from_plane(plane, black=black, white=white)


LEVELS = [("uint8", 0, 255), ("uint8", 19.43, 231.56), ("uint16", 64, 940), ("uint16", 0, 65535), ("float32", 0, 1)]


@pytest.mark.parametrize(("dtype", "black", "white"), LEVELS)
@pytest.mark.parametrize("soft", [0.01, 9.0, 200.0])
def test_an_unpacked_mask_has_the_same_weights(dtype: str, black: float, white: float, soft: float) -> None:
    mask = mask_of(soft_disc(SIZE, soft=soft), dtype, black, white)
    unpacked = PackedMask.pack(mask).unpack()
    np.testing.assert_array_equal(unpacked.crop(WHOLE), mask.crop(WHOLE))
    assert (unpacked.box, unpacked.is_full, unpacked.plane.dtype) == (mask.box, mask.is_full, mask.plane.dtype)


@pytest.mark.parametrize(("dtype", "black", "white"), LEVELS)
@pytest.mark.parametrize("grid", [(0, 0), (1, 1), (2, 2)])
def test_a_box_alone_holds_whole_chroma_samples_around_the_mask(
    dtype: str, black: float, white: float, grid: tuple[int, int]
) -> None:
    weights = np.zeros(SIZE)
    weights[41:118, 3:172] = soft_disc(Size(77, 169), soft=40.0)
    mask = mask_of(weights, dtype, black, white)
    alone = PackedMask.pack(mask).unpack_box()
    assert mask.box is not None
    part = aligned(mask.box, grid, SIZE)
    np.testing.assert_array_equal(alone.crop(part), mask.crop(part))
    for found, expected in zip(alone.columns(part), mask.columns(part), strict=True):
        np.testing.assert_array_equal(found, expected)
    assert alone.plane.size < mask.plane.size


def test_an_empty_mask_has_an_empty_box() -> None:
    packed = PackedMask.pack(Mask.from_plane(np.zeros(SIZE, np.uint8), black=0, white=255))
    alone = packed.unpack_box()
    assert packed.nbytes == 0
    assert (alone.box, alone.plane.size, alone.is_usable) == (None, 0, False)


def test_noise_of_any_kind_is_kept() -> None:
    plane = np.random.default_rng(0).integers(0, 256, SIZE).astype(np.uint8)
    mask = Mask.from_plane(plane, black=19.4, white=231.6)
    packed = PackedMask.pack(mask)
    np.testing.assert_array_equal(packed.unpack().crop(WHOLE), mask.crop(WHOLE))
    assert packed.nbytes < 1.01 * plane.nbytes


@pytest.mark.parametrize(("value", "usable"), [(0, False), (255, False), (254, True)])
def test_empty_and_full_masks_stay_what_they_are(value: int, *, usable: bool) -> None:
    mask = Mask.from_plane(np.full(SIZE, value, np.uint8), black=0, white=255)
    packed = PackedMask.pack(mask)
    assert packed.is_usable == packed.unpack().is_usable == mask.is_usable == usable
    assert packed.nbytes < 100


def test_a_mask_takes_a_fraction_of_its_bytes_also_with_a_codecs_noise() -> None:
    size = Size(540, 960)
    codes = 16 + 219 * soft_disc(size, soft=3.0)
    codes += np.random.default_rng(0).uniform(-3, 3, size)
    mask = Mask.from_plane(np.rint(codes).astype(np.uint8), black=20, white=231)
    assert mask.box is not None
    assert mask.box.bottom - mask.box.top < 300
    assert PackedMask.pack(mask).nbytes < size.height * size.width / 20


def test_a_packed_mask_holds_nothing_of_the_picture_it_came_from() -> None:
    plane = np.zeros(SIZE, np.uint8)
    plane[40:60, 30:90] = np.random.default_rng(0).integers(1, 256, (20, 60))
    packed = PackedMask.pack(Mask.from_plane(plane, black=0, white=255))
    before = packed.unpack().crop(WHOLE)
    plane[...] = 7
    np.testing.assert_array_equal(packed.unpack().crop(WHOLE), before)


@pytest.mark.parametrize("soft", [0.01, 200.0])
def test_the_size_is_that_of_all_arrays_that_are_kept(soft: float) -> None:
    packed = PackedMask.pack(mask_of(soft_disc(SIZE, soft=soft), "uint8", 0, 255))
    arrays = [each for each in vars(packed).values() if isinstance(each, np.ndarray)]
    assert len(arrays) == (2 if soft < 1 else 1)
    assert packed.nbytes == sum(each.nbytes for each in arrays)
