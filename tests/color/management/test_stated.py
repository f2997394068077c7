import pytest

from chromacord.color.management.config import find_space
from chromacord.color.management.stated import (
    _OF_CHROMATICITIES,
    _OF_PROFILES,
    _OF_TAGS,
    space_of_chromaticities,
    space_of_profile,
    space_of_tags,
)
from chromacord.errors import InputError
from chromacord.types import Colorimetry


@pytest.mark.parametrize(
    ("primaries", "transfer", "space"),
    [
        (9, 16, "Rec.2100-PQ - Display"),
        (9, 18, "Rec.2100-HLG - Display"),
        (2, 16, "Rec.2100-PQ - Display"),
        (12, 1, "Display P3 - Display"),
        (12, 13, "Display P3 - Display"),
        (1, 1, ""),
        (2, 2, ""),
        (6, 6, ""),
    ],
)
def test_tags_name_a_space(primaries, transfer, space) -> None:
    assert space_of_tags(Colorimetry(primaries, transfer, matrix=9 if primaries in (2, 9) else 1)) == space


@pytest.mark.parametrize("colorimetry", [Colorimetry(1, 16, 1), Colorimetry(6, 18, 6), Colorimetry(2, 16, 1)])
def test_tags_that_contradict_each_other_are_refused(colorimetry) -> None:
    with pytest.raises(InputError, match=r"contradict each other.*--input-space"):
        space_of_tags(colorimetry)


def test_chromaticities_name_a_linear_space_up_to_what_files_round_them_to() -> None:
    for name, values in _OF_CHROMATICITIES.items():
        assert space_of_chromaticities([round(each, 3) for each in values]) == name
    assert space_of_chromaticities([0.5] * 8) == ""
    assert space_of_chromaticities([]) == ""


def test_profiles_are_known_by_their_description() -> None:
    assert space_of_profile("Display P3") == "Display P3 - Display"
    assert space_of_profile("Adobe RGB (1998)") == "Gamma 2.2 Encoded AdobeRGB"
    assert space_of_profile("sRGB IEC61966-2.1") == ""


def test_every_stated_space_is_one_of_the_built_in_configuration() -> None:
    for name in [*_OF_TAGS.values(), *_OF_CHROMATICITIES, *(name for _, name in _OF_PROFILES)]:
        assert find_space(name).name == name
