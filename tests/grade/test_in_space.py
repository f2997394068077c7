import numpy as np
import pytest

from chromacord.color.management.config import REC709, find_space
from chromacord.color.transforms import AffineField, Lut3d, lattice
from chromacord.grade.in_space import SPACE_LUT_SIZE, brought, graded_in, lut_in
from chromacord.masks.masks import MaskedFrame
from chromacord.render.cpu import Renderer
from chromacord.types import Frame, PixelFormat, Size
from tests.scenes import as_mask, describe


def test_a_lut_grades_colours_as_the_renderer_does() -> None:
    """Also between nodes: a LUT of 33 nodes that varies from node to node distinguishes tetrahedral from trilinear."""
    generator = np.random.default_rng(0)
    noise = generator.uniform(-0.1, 0.1, (3, 33, 33, 33)).astype(np.float32)
    transform = Lut3d((0.5 * lattice(33) + 0.25 + noise)[None])
    size = Size(16, 24)
    codes = generator.integers(0, 65536, (3, *size)).astype(np.uint16)
    weights = np.ones(size, np.float32)
    weights[0, 0] = 0  # a mask that is full leaves no background
    shown = MaskedFrame(Frame(tuple(codes), 0), as_mask(weights))
    rendered = np.stack(Renderer(describe(PixelFormat("rgb", 16), size)).render(shown, transform).planes)
    graded = graded_in(transform, find_space(REC709), codes.reshape(3, -1).T / np.float32(65535))
    np.testing.assert_allclose(graded[1:], rendered.reshape(3, -1).T[1:] / 65535, atol=3e-4)


@pytest.mark.parametrize("name", ["ACEScct", REC709])
def test_a_lut_in_a_space_grades_that_spaces_colours(name: str) -> None:
    space = find_space(name)
    transform = AffineField.from_matrix(np.diag(np.float32([0.7, 0.8, 0.9]))[None], np.float32([[0.05, 0.02, 0.03]]))
    lut = lut_in(transform, space)
    assert lut.size == SPACE_LUT_SIZE
    nodes = np.ascontiguousarray(lattice(SPACE_LUT_SIZE)[:, ::16, ::16, ::16].reshape(3, -1).T)
    found = lut.parameters[0][:, ::16, ::16, ::16].reshape(3, -1).T
    np.testing.assert_allclose(found, graded_in(transform, space, nodes), atol=1e-5)
    assert np.abs(found - nodes).max() > 0.05


def test_colours_come_back_from_a_space() -> None:
    colors = np.random.default_rng(0).uniform(0.1, 0.9, (20, 3)).astype(np.float32)
    space = find_space("ACEScct")
    there = brought(colors, space)
    assert there.shape == (20, 3)
    assert np.abs(there - colors).max() > 0.05
    np.testing.assert_allclose(brought(colors, find_space(REC709)), colors, atol=1e-4)
