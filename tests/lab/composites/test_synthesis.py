import io
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter

from chromacord.color.cube import Cube
from chromacord.color.transforms import Lut3d, lattice
from chromacord.errors import InputError
from chromacord.io.stills.single import write_jpeg
from chromacord.lab.color.looks import random_look
from chromacord.lab.composites.synthesis import (
    DRIFT_PERIODS,
    Drift,
    Recipe,
    derive_seed,
    draw_luts,
    make_change,
    recolor,
    to_bytes,
)
from chromacord.types import FloatArray
from tests.hyoutube_lookalike import HEIGHT, WIDTH, Picture, make_mask, make_real

REAL, MASK = make_real("a", 0), make_mask(1, 0)
INVERSE = Cube(Lut3d(1 - lattice(2)[None]))


def cube(seed: int = 1, size: int = 16) -> Cube:
    """A look's table, stretched beyond [0, 1] as some of HYouTube's files are."""
    table = random_look(torch.Generator().manual_seed(seed)).to_lut(size).parameters
    return Cube(Lut3d(1.3 * table - 0.15))


def in_pillow(table: FloatArray, picture: Picture) -> Picture:
    """Map a picture with Pillow's Color3DLUT, which the authors' script uses."""
    size = table.shape[-1]
    lut = ImageFilter.Color3DLUT(size, table[0].reshape(3, -1).T.ravel().tolist())
    return np.asarray(Image.fromarray(picture).filter(lut))


@pytest.mark.parametrize("enhanced", [True, False])
@pytest.mark.parametrize("size", [16, 17, 33])
def test_the_foreground_is_what_pillow_makes_of_it(enhanced: bool, size: int) -> None:
    change = make_change(cube(size=size), seed=0, enhanced=enhanced, drift=False).at(0)
    composite = recolor(REAL, MASK, change)
    expected = in_pillow(change.lut.parameters, REAL)
    difference = np.abs(composite.astype(int) - expected)[MASK > 0]
    assert difference.max() <= 1  # Pillow interpolates with integers
    assert difference.mean() < 0.1
    assert np.abs(composite.astype(int) - REAL)[MASK > 0].mean() > 5


def test_the_background_is_the_real_frame_to_the_bit() -> None:
    composite = recolor(REAL, MASK, make_change(cube(), seed=0, enhanced=True, drift=False).at(0))
    assert np.array_equal(composite[MASK == 0], REAL[MASK == 0])


def test_every_mask_code_but_0_is_foreground() -> None:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[0, 0], mask[0, 1] = 1, 255
    composite = recolor(REAL, mask, INVERSE)
    changed = (composite != REAL).any(axis=-1)
    assert changed[0, :2].all()
    assert changed.sum() == 2
    assert np.array_equal(composite[0, 0], 255 - REAL[0, 0])


def test_a_frame_without_foreground_is_left_alone() -> None:
    composite = recolor(REAL, np.zeros_like(MASK), INVERSE)
    assert np.array_equal(composite, REAL)
    assert composite is not REAL


def test_even_an_identity_lut_darkens_when_it_is_enhanced() -> None:
    """Mid-grey 128 becomes about 0.459 * 255."""
    grey = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
    identity = Cube(Lut3d(lattice(33)[None]))
    plain = recolor(grey, MASK, make_change(identity, seed=0, enhanced=False, drift=False).at(0))
    darker = recolor(grey, MASK, make_change(identity, seed=0, enhanced=True, drift=False).at(0))
    assert plain[MASK > 0].mean() == 128
    assert darker[MASK > 0].mean() == pytest.approx(255 * 0.461, abs=1)


def test_composites_are_jpegs_as_pillow_writes_them_by_default(tmp_path: Path) -> None:
    write_jpeg(tmp_path / "a.jpg", REAL)
    expected = io.BytesIO()
    Image.fromarray(REAL).save(expected, "JPEG")
    assert (tmp_path / "a.jpg").read_bytes() == expected.getvalue()


def test_a_change_that_does_not_drift_is_one_lut() -> None:
    change = make_change(None, seed=4, enhanced=False, drift=False)
    assert change.at(0) is change.at(100)


def test_a_drift_moves_slowly_and_comes_back() -> None:
    change = make_change(cube(), seed=4, enhanced=True, drift=True)
    assert change.drift is not None
    assert DRIFT_PERIODS[0] <= change.drift.period <= DRIFT_PERIODS[1]
    tables = [change.at(frame).lut.parameters for frame in range(change.drift.period + 1)]
    steps = [float(np.abs(b - a).mean()) for a, b in pairwise(tables)]
    farthest = max(float(np.abs(table - tables[0]).mean()) for table in tables)
    assert farthest > 0.01
    assert max(steps) < 0.05 * farthest * 1.01 + 1e-6
    np.testing.assert_allclose(tables[0], tables[-1], atol=1e-6)


def test_a_drift_is_a_raised_cosine() -> None:
    assert [Drift(100, 0.0).at(frame) for frame in (0, 25, 50, 75, 100)] == pytest.approx([0, 0.5, 1, 0.5, 0])
    assert Drift(100, 0.5).at(0) == 1


def test_equal_seeds_give_equal_changes() -> None:
    for options in ({"enhanced": False, "drift": True}, {"enhanced": True, "drift": False}):
        one, same, other = (make_change(None, seed=seed, **options).at(7).lut.parameters for seed in (5, 5, 6))
        assert np.array_equal(one, same)
        assert not np.array_equal(one, other)


def test_draws_depend_on_seed_and_clip_but_not_on_the_order_of_names() -> None:
    names = [f"{number}.cube" for number in range(20)]
    drawn = draw_luts(names, count=10, seed=0, clip="bear")
    assert len(set(drawn)) == 10
    assert draw_luts(names[::-1], count=10, seed=0, clip="bear") == drawn
    assert draw_luts(names, count=4, seed=0, clip="bear") == drawn[:4]
    assert draw_luts(names, count=10, seed=1, clip="bear") != drawn
    assert draw_luts(names, count=10, seed=0, clip="dog") != drawn


def test_draws_are_even() -> None:
    """Of 5 LUTs each comes first in a fifth of 1000 clips; four deviations of the binomial are 51."""
    names = ["a", "b", "c", "d", "e"]
    first = [draw_luts(names, count=1, seed=0, clip=f"clip {number}")[0] for number in range(1000)]
    assert all(abs(first.count(name) - 200) < 51 for name in names)


def test_more_luts_than_there_are_cannot_be_drawn() -> None:
    with pytest.raises(InputError, match="3 LUTs a clip are requested, but there are only 2"):
        draw_luts(["a", "b"], count=3, seed=0, clip="bear")


def test_derived_seeds_differ() -> None:
    assert len({derive_seed(0, "a", number) for number in range(100)} | {derive_seed(1, "a", 0)}) == 101


def test_deep_codes_are_rounded_to_the_nearest_byte() -> None:
    """65535 / 255 = 257."""
    assert to_bytes(np.array([0, 128, 129, 257 * 255 - 128, 65535], np.uint16)).tolist() == [0, 0, 1, 255, 255]


@pytest.mark.parametrize("options", [{"per_clip": 0}, {"num_frames": 0}, {"spacing": 0}, {"quality": 101}])
def test_recipes_that_make_no_sense_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(InputError, match=next(iter(options))):
        Recipe(**options)  # type: ignore[arg-type]
