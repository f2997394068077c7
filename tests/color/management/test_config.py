from pathlib import Path

import numpy as np
import pytest

from chromacord.color.management.config import (
    BUILT_IN,
    REC709,
    SHORT_NAMES,
    choose_config,
    find_space,
    from_light,
    space_names,
    to_light,
    working_space,
)
from chromacord.errors import InputError, MissingFileError
from tests.color.spaces import in_spaces

OWN = """ocio_profile_version: 2
roles: {default: twice, scene_linear: twice, aces_interchange: aces}
colorspaces:
  - !<ColorSpace> {name: aces}
  - !<ColorSpace>
    name: twice
    encoding: scene-linear
    to_scene_reference: !<MatrixTransform> {matrix: [2, 0, 0, 0, 0, 2, 0, 0, 0, 0, 2, 0, 0, 0, 0, 1]}
displays: {any: [!<View> {name: any, colorspace: twice}]}
"""


def written(path: Path, text: str = OWN) -> str:
    path.write_text(text)
    return str(path)


def test_every_space_of_the_makers_formulas_comes_to_the_same_light() -> None:
    display = 0.02 + 0.98 * np.random.default_rng(0).random((500, 3))
    for name, numbers in in_spaces(display).items():
        rgba = np.concatenate([numbers, numbers[:, :1]], axis=1).astype(np.float32)
        light = to_light(find_space(name))(rgba)[:, :3]
        np.testing.assert_allclose(light.clip(0) ** (1 / 2.4), display, atol=2e-4, err_msg=name)


@pytest.mark.parametrize("name", [each for each in space_names() if each != "Raw"])
def test_every_space_of_the_built_in_configuration_goes_to_light_and_back(name) -> None:
    space = find_space(name)
    light = (0.01 + 0.99 * np.random.default_rng(1).random((300, 4))).astype(np.float32)
    back = to_light(space)(from_light(space)(light))
    np.testing.assert_allclose(back[:, :3], light[:, :3], atol=3e-4)


def test_white_and_grey_of_hdr_lie_where_bt2408_puts_them() -> None:
    hlg, pq = (to_light(find_space(name)) for name in ("HLG", "PQ"))
    assert hlg(np.full((1, 4), 0.75, np.float32))[0, :3] == pytest.approx([1, 1, 1], abs=2e-3)  # its table 1
    assert pq(np.full((1, 4), 0.5807, np.float32))[0, :3] == pytest.approx([1, 1, 1], abs=2e-3)


@pytest.mark.parametrize("name", SHORT_NAMES)
def test_every_short_name_stands_for_a_space(name) -> None:
    assert find_space(name).name == SHORT_NAMES[name]


@pytest.mark.parametrize(
    ("asked", "found"), [("acescg", "ACEScg"), ("S-Log3", "S-Log3 S-Gamut3.Cine"), ("rec.709", REC709)]
)
def test_names_are_read_as_people_write_them(asked, found) -> None:
    assert find_space(asked).name == found


def test_an_unknown_space_is_refused_with_the_nearest_names() -> None:
    with pytest.raises(InputError, match=r"'S-Log33' is not in ocio://.*nearest are S-Log3 "):
        find_space("S-Log33")


def test_a_space_of_data_is_refused() -> None:
    with pytest.raises(InputError, match="holds data, not colours"):
        find_space("Raw")


def test_a_space_of_another_configuration_comes_to_light_by_the_roles_that_both_have(tmp_path) -> None:
    space = find_space("twice", written(tmp_path / "own.ocio"))
    one = to_light(space)(np.full((1, 4), 0.5, np.float32))
    assert one[0, :3] == pytest.approx([1, 1, 1], abs=1e-5)
    assert working_space(space).name == "ACEScct"


def test_a_space_without_a_path_to_a_display_is_refused(tmp_path) -> None:
    config = written(
        tmp_path / "own.ocio", OWN.replace(", aces_interchange: aces", "").replace("version: 2", "version: 1")
    )
    with pytest.raises(InputError, match=r"'twice'.*has no path to a display"):
        find_space("twice", config)


def test_a_configuration_that_cannot_be_read_is_refused(tmp_path) -> None:
    with pytest.raises(InputError, match="cannot be read by OpenColorIO"):
        find_space("twice", written(tmp_path / "own.ocio", "no: yaml: of ours"))
    with pytest.raises(MissingFileError, match="no such OpenColorIO configuration"):
        find_space("twice", str(tmp_path / "absent.ocio"))
    with pytest.raises(InputError, match="ocio://absent: cannot be read"):
        find_space("twice", "ocio://absent")


def test_the_configuration_asked_for_goes_before_that_of_the_environment(monkeypatch) -> None:
    assert choose_config(None) == BUILT_IN
    monkeypatch.setenv("OCIO", "of the environment")
    assert choose_config(None) == "of the environment"
    assert choose_config(Path("asked")) == "asked"


def test_grades_live_in_a_log_space_where_the_picture_is_light() -> None:
    assert working_space(find_space("ACEScg")).name == "ACEScct"
    assert working_space(find_space("LogC3")).name == "ARRI LogC3 (EI800)"
    assert working_space(find_space("ACEScg"), "LogC4").name == "ARRI LogC4"
