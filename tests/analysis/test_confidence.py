"""What becomes of a method's confidence: it weighs keys, stands in grade files, and is said where it is low."""

import warnings
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from chromacord import harmonize_video
from chromacord.color.transforms import AffineField
from chromacord.errors import ChromacordWarning
from chromacord.grade.file import grade_text, read_grade
from chromacord.grade.keys import Grade, Key, Shot
from chromacord.masks.masks import MaskedFrame
from chromacord.methods.base import Method, Prediction, State
from chromacord.types import FloatArray, Frame, PixelFormat, Size
from tests.analysis.whole import analyse
from tests.footage import make_composite, make_mask
from tests.scenes import as_mask, describe, soft_disc

INFO = describe(PixelFormat("rgb"))


class Unsure(Method):
    """Adds a frame's red to everything, and trusts itself as far as the frame is red."""

    working_size = Size(8, 8)

    def __init__(self, *, confidence: float | None = None) -> None:
        super().__init__()
        self.confidence = confidence

    def harmonize(self, composite: FloatArray, mask: FloatArray, state: State = None) -> Prediction:
        red = composite[:, :, 0].mean(axis=(-2, -1)).flatten()
        unit = np.tile(np.eye(3, dtype=np.float32), (len(red), 1, 1))
        sure = red if self.confidence is None else np.full_like(red, self.confidence)
        return Prediction(composite, AffineField.from_matrix(unit, red[:, None].repeat(3, axis=1)), None, sure)


def clip(reds: list[int]) -> list[MaskedFrame]:
    planes = [tuple(np.full(INFO.size, value, np.uint8) for value in (red, 51, 51)) for red in reds]
    return [MaskedFrame(Frame(each, index), as_mask(soft_disc())) for index, each in enumerate(planes)]


def test_a_key_weighs_its_foreground_times_the_confidence_in_it() -> None:
    grade, _ = analyse(iter(clip([51, 102])), INFO, Unsure(), name="unsure", consistency="frame")
    first, second = grade.keys
    assert (first.confidence, second.confidence) == (pytest.approx(0.2), pytest.approx(0.4))
    assert second.weight == pytest.approx(2 * first.weight)


def test_frames_that_are_trusted_more_decide_more_of_a_shots_grade() -> None:
    frames = clip([51, 51, 51, 51, 58, 58, 58, 58])
    grade, _ = analyse(iter(frames), INFO, Unsure(), name="unsure", consistency="shot")
    keys, _ = analyse(iter(frames), INFO, Unsure(), name="unsure", consistency="frame")
    looked_at = [keys.keys[index].confidence or 0 for index in range(0, 8, max(1, round(INFO.rate / 6)))]
    expected = sum(red * red for red in looked_at) / sum(looked_at)
    assert float(grade.keys[0].transform.parameters[0, 0, 3, 0, 0]) == pytest.approx(expected, rel=1e-4)


def test_a_shots_confidence_is_the_mean_of_its_keys_that_have_one() -> None:
    unit = AffineField.from_matrix(np.eye(3, dtype=np.float32)[None], np.zeros((1, 3), np.float32))
    keys = (Key(0, 0.1, unit, 0.5), Key(6, 0.1, unit, 0.9), Key(12, 0.1, unit))
    assert Shot(0, 20, keys).confidence == pytest.approx(0.7)
    assert Shot(0, 20, keys[2:]).confidence is None


def test_confidence_stands_in_grade_files_where_there_is_one(tmp_path: Path) -> None:
    unit = AffineField.from_matrix(np.eye(3, dtype=np.float32)[None], np.zeros((1, 3), np.float32))
    grade = Grade((Shot(0, 9, (Key(0, 0.1, unit, 0.625), Key(6, 0.2, unit))),), "made", "smooth", Fraction(25), 9)
    (tmp_path / "grade.json").write_text(grade_text(grade))
    back = read_grade(tmp_path / "grade.json")
    assert [key.confidence for key in back.keys] == [0.625, None]
    assert grade_text(back) == grade_text(grade)
    assert grade_text(grade).count('"confidence"') == 1


@pytest.mark.parametrize(("confidence", "is_said"), [(0.1, True), (0.9, False)])
def test_a_shot_that_the_method_does_not_trust_is_named(tmp_path: Path, confidence: float, is_said: bool) -> None:
    composite, mask = make_composite(tmp_path / "comp.mp4"), make_mask(tmp_path / "mask.mkv")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        summary = harmonize_video(
            composite, mask=mask, output=tmp_path / "out.mp4", method=Unsure(confidence=confidence)
        )
    said = [str(each.message) for each in caught if issubclass(each.category, ChromacordWarning)]
    assert any("shot 1 (frames 0 to 7)" in line and "confidence 0.10" in line for line in said) == is_said
    assert summary.confidence == pytest.approx(confidence)


def test_a_method_that_cannot_tell_has_no_confidence(tmp_path: Path) -> None:
    composite, mask = make_composite(tmp_path / "comp.mp4"), make_mask(tmp_path / "mask.mkv")
    summary = harmonize_video(composite, mask=mask, output=tmp_path / "out.mp4", method="mkl")
    assert summary.confidence is None
