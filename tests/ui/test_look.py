"""The grade as the page gets it."""

import dataclasses
from fractions import Fraction

import numpy as np
import pytest

from chromacord.color.parameters.hues import HueRange
from chromacord.color.parameters.parametric import Parametric
from chromacord.color.transforms import AffineField, lattice
from chromacord.grade.by_hand import Hand
from chromacord.grade.keys import Grade, Key, Shot
from chromacord.ui.look import NO_LOOK, look_of, turning

RANDOM = np.random.default_rng(3)


def grade_of(*transforms: AffineField) -> Grade:
    keys = tuple(Key(4 * number, 1.0, each) for number, each in enumerate(transforms))
    return Grade((Shot(0, 8, keys), Shot(8, 10, ())), "made", "smooth", Fraction(25), 10)


def affine(size: int = 1) -> AffineField:
    unit = np.zeros((1, 3, 4, size, size), np.float32)
    unit[:, np.arange(3), np.arange(3)] = 1
    return AffineField((unit + RANDOM.normal(0, 0.05, unit.shape)).astype(np.float32))


def test_the_nodes_are_what_the_transform_makes_of_the_lattice_red_fastest() -> None:
    one = affine()
    look = look_of(grade_of(one, affine()), 0)
    assert (look.kind, look.shape) == ("lut", (17, 17, 17))
    expected = one(lattice(17).reshape(1, 3, 17, -1)).reshape(3, -1).T
    np.testing.assert_allclose(look.values.reshape(-1, 3), expected, atol=1e-6)
    assert look.values[0, 0, 1, 0] - look.values[0, 0, 0, 0] > 0.03  # the last axis but one is red


def test_frames_without_a_grade_have_none() -> None:
    grade = grade_of(affine())
    assert look_of(grade, 9) is NO_LOOK
    assert look_of(grade, 99) is NO_LOOK


def test_a_grade_that_varies_is_a_field_of_matrices() -> None:
    field = affine(3)
    look = look_of(grade_of(field), 0)
    assert (look.kind, look.shape) == ("field", (3, 3, 3))
    np.testing.assert_array_equal(look.values[2, 1], field.parameters[0, :, :, 2, 1])


def test_protected_hues_are_those_of_the_render() -> None:
    one = affine()
    shown = look_of(grade_of(one), 0, HueRange.parse("skin")).values.reshape(-1, 3)
    rendered = Hand.of(protect="skin")(one).parameters[0].reshape(3, -1).T  # type: ignore[union-attr]
    np.testing.assert_allclose(shown, rendered, atol=1e-6)


@pytest.mark.parametrize("field", ["exposure", "temperature", "tint"])
def test_the_stops_are_those_of_parametric(field: str) -> None:
    stops = turning()["stops"][field]
    gains = Parametric(**{field: -7.5}).affine[0].diagonal()  # type: ignore[index]
    np.testing.assert_allclose(np.exp2(-7.5 * np.array(stops)), gains, rtol=1e-5)


def test_every_parameter_has_its_limits() -> None:
    assert {each.name for each in dataclasses.fields(Parametric)} == set(turning()["limits"])
