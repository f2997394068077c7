from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from chromacord.analysis.observe import working_size
from chromacord.color.transforms import AffineField, Lut3d
from chromacord.errors import NonFiniteError
from chromacord.masks.masks import MaskedFrame
from chromacord.methods.base import Method, Prediction, State, Window
from chromacord.types import FloatArray, Frame, PixelFormat, Size
from tests.analysis.whole import analyse
from tests.scenes import Brighten, Shade, as_mask, describe, soft_disc

INFO = describe(PixelFormat("rgb"))


def clip(count: int, *, cut_at: int = 10**6, unusable: tuple[int, ...] = ()) -> list[MaskedFrame]:
    """Return frames of two plain scenes; at the given indices, the mask is empty (even) or full (odd)."""
    frames = []
    for index in range(count):
        color = (60, 120, 90) if index < cut_at else (200, 60, 30)
        planes = tuple(np.full(INFO.size, value, np.uint8) for value in color)
        weights = np.full(INFO.size, index % 2, np.float32) if index in unusable else soft_disc()
        frames.append(MaskedFrame(Frame(planes, index), as_mask(weights)))
    return frames


def offsets(keys: tuple) -> list[float]:
    return [round(float(key.transform.parameters[0, 0, 3, 0, 0]), 4) for key in keys]


class Blocks(Method):
    """Sees one frame before and one after blocks of two, and adds each frame's own red to its green."""

    window = Window(past=1, hop=2, future=1)
    working_size = Size(8, 8)

    def harmonize(self, composite: FloatArray, mask: FloatArray, state: State = None) -> Prediction:
        assert composite.shape[1:] == (4, 3, 8, 8)
        red = composite[:, 1:3, 0].mean(axis=(-2, -1)).flatten()
        offset = np.stack([np.zeros_like(red), red, np.zeros_like(red)], axis=-1)
        matrix = np.tile(np.eye(3, dtype=np.float32), (len(red), 1, 1))
        return Prediction(composite[:, 1:3], AffineField.from_matrix(matrix, offset))


@pytest.mark.parametrize(("rate", "step"), [(24, 4), (Fraction(25), 4), (Fraction(30000, 1001), 5), (60, 10), (5, 1)])
def test_six_frames_a_second_are_looked_at(rate: Fraction, step: int) -> None:
    grade, tally = analyse(
        iter(clip(21)), replace(INFO, rate=Fraction(rate)), Brighten(), name="b", consistency="smooth"
    )
    assert [key.index for key in grade.keys] == list(range(0, 21, step))
    assert (tally.num_frames, tally.num_analysed) == (21, len(grade.keys))


def test_every_frame_is_looked_at_for_frame_consistency() -> None:
    grade, _ = analyse(iter(clip(7)), INFO, Brighten(), name="b", consistency="frame")
    assert offsets(grade.keys) == [0.0, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06]


def test_a_cut_begins_anew_with_its_first_frame_and_without_state() -> None:
    grade, _ = analyse(iter(clip(20, cut_at=10)), INFO, Brighten(), name="b", consistency="frame")
    assert [(shot.start, shot.stop) for shot in grade.shots] == [(0, 10), (10, 20)]
    assert offsets(grade.shots[1].keys)[:3] == [0.0, 0.01, 0.02]


def test_the_first_frame_of_a_shot_is_analysed_wherever_the_cut_is() -> None:
    grade, _ = analyse(iter(clip(20, cut_at=10)), INFO, Brighten(), name="b")
    assert [key.index for key in grade.keys] == [0, 4, 8, 10, 14, 18]


def test_instead_of_a_frame_without_a_usable_mask_the_next_one_is_looked_at() -> None:
    grade, tally = analyse(iter(clip(12, unusable=(0, 1, 4, 5, 6))), INFO, Brighten(), name="b")
    assert [key.index for key in grade.keys] == [2, 7, 11]
    assert (tally.num_empty, tally.num_full) == (3, 2)


def test_a_shot_without_usable_masks_has_no_keys() -> None:
    grade, _ = analyse(iter(clip(20, cut_at=10, unusable=tuple(range(10)))), INFO, Brighten(), name="b")
    assert [len(shot.keys) for shot in grade.shots] == [0, 3]
    assert grade.shots[0].at(3) is None


def test_indices_of_a_range_are_those_of_the_clip() -> None:
    frames = [item._replace(frame=replace(item.frame, index=item.frame.index + 100)) for item in clip(9)]
    grade, _ = analyse(iter(frames), INFO, Brighten(), name="b")
    assert [(shot.start, shot.stop) for shot in grade.shots] == [(100, 109)]
    assert [key.index for key in grade.keys] == [100, 104, 108]
    assert grade.num_frames == 109


def test_windows_of_several_frames_give_each_frame_its_own_transform() -> None:
    frames = clip(5)
    for item in frames:
        item.frame.planes[0][...] = 10 * item.frame.index
    grade, _ = analyse(iter(frames), INFO, Blocks(), name="b", consistency="frame")
    added = [float(key.transform.parameters[0, 1, 3, 0, 0]) for key in grade.keys]
    assert added == pytest.approx([10 * index / 255 for index in range(5)], abs=1e-5)


def test_pixels_without_a_transform_are_fitted_as_the_method_says() -> None:
    local, _ = analyse(iter(clip(3)), INFO, Shade(), name="s")
    exportable, _ = analyse(iter(clip(3)), INFO, Shade(), name="s", exportable=True)
    assert isinstance(local.keys[0].transform, AffineField)
    assert not local.keys[0].transform.is_global
    assert isinstance(exportable.keys[0].transform, Lut3d)


def test_a_clip_without_frames_has_no_shots() -> None:
    grade, tally = analyse(iter([]), INFO, Brighten(), name="b")
    assert (grade.shots, tally.num_frames) == ((), 0)


def test_methods_of_any_size_get_the_pictures_shape() -> None:
    method = Brighten()
    assert working_size(method, INFO) == (16, 16)
    method.working_size = None
    assert working_size(method, INFO) == INFO.size
    assert working_size(method, replace(INFO, size=Size(1080, 1920))) == (90, 160)
    assert working_size(method, replace(INFO, size=Size(1, 1920))) == (1, 160)
    assert working_size(method, replace(INFO, size=Size(1920, 1))) == (160, 1)


class Corner(Method):
    """Brightens the upper right of the picture that it sees, and keeps that picture."""

    working_size = Size(24, 32)

    def harmonize(self, composite: FloatArray, mask: FloatArray, state: State = None) -> Prediction:
        self.seen = composite[0, 0], mask[0, 0]
        field = np.tile(np.eye(3, 4, dtype=np.float32)[None, :, :, None, None], (1, 1, 1, 2, 3))
        field[:, :, 3, 0, 2] = 0.2
        return Prediction(composite, AffineField(field))


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_methods_see_clips_upright_and_their_grades_are_for_the_pixels_as_stored(rotation: int, mirrored: bool) -> None:
    upright = [np.random.default_rng(seed).integers(0, 256, INFO.size, np.uint8) for seed in range(3)]
    weights = np.zeros(INFO.size, np.float32)
    weights[3:20, 7:30] = 1

    def stored(plane: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(np.rot90(plane[:, ::-1] if mirrored else plane, -rotation // 90))

    planes = tuple(map(stored, upright))
    info = replace(INFO, size=Size(*planes[0].shape), rotation=rotation, mirrored=mirrored)
    frame = MaskedFrame(Frame(planes, 0), as_mask(stored(weights)))
    method, expected = Corner(), Corner()
    grade, _ = analyse(iter([frame]), info, method, name="c")
    plain, _ = analyse(iter([MaskedFrame(Frame(tuple(upright), 0), as_mask(weights))]), INFO, expected, name="c")
    for seen, wanted in zip(method.seen, expected.seen, strict=True):
        np.testing.assert_allclose(seen, wanted, atol=1e-5)
    made = grade.keys[0].transform(np.zeros((1, 3, *info.size), np.float32))[0, 0]
    shown = plain.keys[0].transform(np.zeros((1, 3, *INFO.size), np.float32))[0, 0]
    np.testing.assert_allclose(made, stored(shown), atol=1e-6)
    assert shown[0, -1] == pytest.approx(0.2)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("offset", [float("nan"), float("inf"), 1e30])
@pytest.mark.parametrize("fitted", [True, False])
def test_a_grade_that_is_no_number_is_refused_with_its_frame(offset: float, fitted: bool) -> None:
    class Broken(Brighten):
        def harmonize(self, composite: FloatArray, mask: FloatArray, state: State = None) -> Prediction:
            matrix = np.tile(np.eye(3, dtype=np.float32), (composite.shape[1], 1, 1))
            transform = AffineField.from_matrix(matrix, np.full((composite.shape[1], 3), offset, np.float32))
            return Prediction(composite + offset, None if fitted else transform)

    with pytest.raises(NonFiniteError, match=r"^frame 0: the grade is not finite, .*; the method's weights may be"):
        analyse(iter(clip(2)), INFO, Broken(), name="b", consistency="smooth")
