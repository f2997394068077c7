import numpy as np
import pytest

from chromacord.color.parameters.parametric import Parametric
from chromacord.color.transforms import AffineField, ColorTransform, Identity, Lut3d, lattice
from chromacord.errors import InputError
from chromacord.grade.parts import joined, residual_of

COLORS = np.random.default_rng(0).random((1, 3, 6, 7), np.float32)
AFFINE = AffineField.from_matrix(
    np.float32([[[1.1, 0.1, 0], [0, 0.9, 0], [0, 0.1, 0.8]]]), np.float32([[0.05, 0, -0.02]])
)
LUT = Lut3d(lattice(5)[None] ** np.float32(1.3))
TURN = Parametric(exposure=0.4, temperature=15, saturation=0.8, black=0.02)


def mapped(base: Parametric) -> np.ndarray:
    return base(COLORS.reshape(3, -1).T).T.reshape(COLORS.shape)


@pytest.mark.parametrize("transform", [AFFINE, LUT], ids=["affine", "lut"])
def test_a_transform_is_its_parameters_and_its_residual(transform: ColorTransform) -> None:
    again = joined(residual_of(transform, TURN), TURN)
    assert type(again) is type(transform)
    np.testing.assert_allclose(again.parameters, transform.parameters, atol=1e-6)


@pytest.mark.parametrize("base", [TURN, Parametric(exposure=-1)])
def test_parameters_alone_are_what_they_do_to_colours(base: Parametric) -> None:
    whole = joined(Identity.for_frames(1), base)
    np.testing.assert_allclose(whole(COLORS), mapped(base), atol=1e-5)


def test_nothing_stays_nothing() -> None:
    nothing = Identity.for_frames(1)
    assert joined(nothing, Parametric()) is nothing
    assert residual_of(nothing, Parametric()) is nothing


def test_contrast_makes_a_lut_of_parameters_and_of_affine_residuals() -> None:
    base = Parametric(contrast=1.3)
    for residual in (Identity.for_frames(1), residual_of(AFFINE, Parametric())):
        whole = joined(residual, base)
        assert isinstance(whole, Lut3d)
        added = 0 if isinstance(residual, Identity) else AFFINE(COLORS) - COLORS
        np.testing.assert_allclose(whole(COLORS), mapped(base) + added, atol=6e-3)  # a LUT bends in steps


def test_contrast_of_a_residual_that_varies_is_refused() -> None:
    field = AffineField(np.tile(AFFINE.parameters, (1, 1, 1, 2, 3)))
    with pytest.raises(InputError, match="contrast must be 1"):
        joined(field, Parametric(contrast=1.1))
