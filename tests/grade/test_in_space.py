import numpy as np

from chromacord.color.management.config import REC709, find_space
from chromacord.color.transforms import Lut3d, lattice
from chromacord.grade.in_space import graded_in
from chromacord.masks.masks import MaskedFrame
from chromacord.render.cpu import Renderer
from chromacord.types import Frame, PixelFormat, Size
from tests.scenes import as_mask, describe


def test_a_lut_grades_colours_as_the_renderer_does() -> None:
    """Between its nodes too: a LUT of 33 nodes that varies from node to node tells tetrahedra from cubes."""
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
