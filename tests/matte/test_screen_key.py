"""Keys of the sample's portrait before screens, against the matte that it was mixed by."""

import numpy as np
import pytest

from chromacord.errors import InputError
from chromacord.matte.levels import Levels
from chromacord.matte.screen_key import ScreenKey, parse_color
from tests.matte.greenscreen import BLUE, GREEN, before_a_screen, sad


@pytest.mark.parametrize(
    ("name", "color", "most"), [("green", GREEN, 0.6), ("blue", BLUE, 1.2), ("42,175,74", GREEN, 0.6)]
)
def test_a_screen_is_keyed_out(name: str, color: tuple[float, float, float], most: float) -> None:
    """Of 137.7 thousand pixels of coverage. A blue badge on the portrait costs the blue key half of its error."""
    shot = before_a_screen(color)
    key = ScreenKey(name, [shot.picture])
    matte = key.matte(shot.picture)
    assert np.abs(key.screen - np.float32(color)).max() < 0.06
    assert sad(matte, shot.matte) < most
    assert np.median(matte[shot.matte == 0]) == 0
    assert np.percentile(matte[shot.matte == 1], 10) == 1


def test_a_perfect_screen_gives_the_matte_back() -> None:
    """What is left are soft pixels of colours with some green of their own."""
    shot = before_a_screen(noise=0, uneven=0, spill=0)
    matte = ScreenKey("green", [shot.picture]).matte(shot.picture)
    assert sad(matte, shot.matte) < 0.5
    grey = np.float32([[[0.5, 0.5, 0.5], [0.9, 0.9, 0.9], [0.02, 0.02, 0.02]]])
    share = np.float32([0.25, 0.5, 0.75])[None, :, None]
    strip = (share * grey + (1 - share) * np.float32(GREEN)).repeat(4, axis=0)
    key = ScreenKey("green", [shot.picture], Levels(0, 1))
    key._local_strength = lambda difference: np.full_like(difference, key._strength)  # type: ignore[method-assign]
    assert key.matte(strip) == pytest.approx(share[..., 0].repeat(4, axis=0), abs=0.02)


def test_uneven_light_on_the_screen_is_allowed_for() -> None:
    even, uneven = (before_a_screen(uneven=amount, noise=0, spill=0) for amount in (0, 0.3))
    clean = [sad(ScreenKey("green", [shot.picture]).matte(shot.picture), shot.matte) for shot in (even, uneven)]
    assert clean[1] < 1.4 * clean[0]


def test_spill_on_the_foreground_does_not_make_holes() -> None:
    shot = before_a_screen(spill=0.25)
    key = ScreenKey("green", [shot.picture])
    assert key.levels.white < 1
    assert (key.matte(shot.picture)[shot.matte == 1] < 0.9).mean() < 0.02


def test_levels_are_taken_as_given() -> None:
    shot = before_a_screen()
    key = ScreenKey("green", [shot.picture], Levels(0.3, 0.7))
    assert key.choice.endswith("clipped at 0.30 and 0.70")


@pytest.mark.parametrize("text", ["grey", "1,2", "1,2,3,4", "1,2,x", "-1,9,9", "0,256,0", "nan,0,0"])
def test_what_is_no_colour_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"--key .*: is not a colour; give green, blue, or R,G,B"):
        parse_color(text)


def test_a_grey_and_an_absent_screen_are_refused() -> None:
    with pytest.raises(InputError, match="is grey; a key needs a colour, use --plate"):
        parse_color("120,125,120")
    shot = before_a_screen()
    with pytest.raises(InputError, match=r"--key '200,0,200': hardly any of the clip has this colour"):
        ScreenKey("200,0,200", [shot.picture])


@pytest.mark.parametrize("text", ["", "0.5", "0.9,0.1", "-0.1,1", "0,1.1", "a,b", "nan,1", "0.1,0.5,0.9"])
def test_levels_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"--clip .*: is not BLACK,WHITE"):
        Levels.parse(text)
