"""The functions on tensors equal their twins on arrays."""

import numpy as np
import pytest
import torch

from chromacord.color import transforms
from chromacord.color.cube import Cube
from chromacord.color.transforms import Lut3d
from chromacord.lab.color.lut3d import apply_cube, apply_lut3d, lattice


@pytest.mark.parametrize("size", [2, 9, 17, 33])
def test_lattices_are_equal(size: int) -> None:
    np.testing.assert_allclose(lattice(size).numpy(), transforms.lattice(size), atol=1e-7)


@pytest.mark.parametrize("size", [2, 9, 33])
def test_tables_are_looked_up_alike_inside_and_outside_the_lattice(size: int) -> None:
    random = np.random.default_rng(size)
    tables = random.random((2, 3, size, size, size), np.float32)
    image = random.uniform(-0.2, 1.2, (2, 3, 30, 40)).astype(np.float32)
    expected = transforms.apply_lut3d(image, tables)
    found = apply_lut3d(torch.from_numpy(image), torch.from_numpy(tables))
    np.testing.assert_allclose(found.numpy(), expected, atol=2e-5)


def test_cubes_map_alike_over_their_domain() -> None:
    random = np.random.default_rng(0)
    lut = Lut3d(random.random((1, 3, 5, 5, 5), np.float32))
    cube = Cube(lut, domain_min=(-1.0, 0.0, 0.2), domain_max=(3.0, 2.0, 1.0))
    image = random.uniform(-1.5, 3.5, (2, 3, 8, 9)).astype(np.float32)
    np.testing.assert_allclose(apply_cube(torch.from_numpy(image), cube).numpy(), cube(image), atol=1e-5)
