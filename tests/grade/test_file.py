import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from chromacord.color.transforms import AffineField, Identity, Lut3d, lattice
from chromacord.errors import GradeFileError, MissingFileError
from chromacord.grade.file import MAX_BYTES, grade_text, read_grade
from chromacord.grade.keys import Grade, Key, Shot


def made_grade() -> Grade:
    random = np.random.default_rng(0)
    affine = AffineField(random.standard_normal((1, 3, 4, 1, 1), np.float32))
    field = AffineField(random.standard_normal((1, 3, 4, 2, 3), np.float32))
    lut = Lut3d(lattice(4)[None] + np.float32(0.1) * random.standard_normal((1, 3, 4, 4, 4), np.float32))
    shots = (
        Shot(0, 10, (Key(0, 0.25, affine), Key(6, 0.5, affine.with_parameters(affine.parameters * 2)))),
        Shot(10, 12, ()),
        Shot(12, 20, (Key(12, 0.1, field),), strength=0.5),
        Shot(20, 30, (Key(22, 0.1, lut),)),
        Shot(30, 40, (Key(33, 0.1, Identity.for_frames(1)),)),
    )
    return Grade(shots, "made", "smooth", Fraction(24000, 1001), 40)


def test_a_grade_survives_writing_and_reading(tmp_path: Path) -> None:
    path = tmp_path / "grade.json"
    grade = made_grade()
    path.write_text(grade_text(grade))
    back = read_grade(path)
    assert (back.method, back.consistency, back.rate, back.num_frames) == ("made", "smooth", grade.rate, 40)
    for shot, again in zip(grade.shots, back.shots, strict=True):
        assert (shot.start, shot.stop, shot.strength) == (again.start, again.stop, again.strength)
        for key, same in zip(shot.keys, again.keys, strict=True):
            assert (key.index, key.weight, key.transform.kind) == (same.index, same.weight, same.transform.kind)
            np.testing.assert_allclose(key.transform.parameters, same.transform.parameters, atol=1e-6)


def test_lut_values_stand_red_fastest(tmp_path: Path) -> None:
    lut = Lut3d(lattice(2)[None])
    text = grade_text(Grade((Shot(0, 1, (Key(0, 1.0, lut),)),), "made", "shot", Fraction(24), 1))
    values = json.loads(text)["shots"][0]["keys"][0]["transform"]["values"]
    assert values[:3] == [[0, 0, 0], [1, 0, 0], [0, 1, 0]]


def test_affine_matrices_stand_as_three_rows_of_gains_and_an_offset() -> None:
    transform = AffineField.from_matrix(np.eye(3, dtype=np.float32)[None] * 2, np.float32([[0.1, 0.2, 0.3]]))
    text = grade_text(Grade((Shot(0, 1, (Key(0, 1.0, transform),)),), "made", "shot", Fraction(24), 1))
    matrices = json.loads(text)["shots"][0]["keys"][0]["transform"]["matrices"]
    assert matrices == [[[2, 0, 0, 0.1], [0, 2, 0, 0.2], [0, 0, 2, 0.3]]]


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda data: data.update(format="other"), "is not a chromacord grade file"),
        (lambda data: data.update(version=2), "version 2"),
        (lambda data: data.pop("method"), "'method' is missing"),
        (lambda data: data.update(consistency="often"), "shot, smooth, frame"),
        (lambda data: data["shots"][1].update(start=9), "shot 2"),
        (lambda data: data["shots"][2].update(strength=1.5), "strength must lie in 0..1"),
        (lambda data: data["shots"][0]["keys"][1].update(frame=0), "must increase"),
        (lambda data: data["shots"][0]["keys"][1]["transform"].update(kind="cdl"), "kind 'cdl' is not known"),
        (lambda data: data["shots"][3]["keys"][0]["transform"]["values"].pop(), "64 x 3"),
        (lambda data: data["shots"][3]["keys"][0]["transform"]["values"][5].__setitem__(0, float("nan")), "finite"),
        (lambda data: data["shots"][0]["keys"][0]["transform"]["matrices"][0][0].pop(), "shot 1, the key of frame 0"),
        (lambda data: data["shots"][3]["keys"][0]["transform"].update(values="abc"), "64 x 3 numbers"),
        (lambda data: data["shots"][0]["keys"][0].update(transform=None), "shot 1"),
        (lambda data: data["shots"][0].update(keys="none"), "shot 1"),
        (lambda data: data.update(rate="1/0"), "the head"),
        (lambda data: data.update(frames=float("inf")), "the head"),
        (lambda data: data.update(frames=2.5), "expected a whole number from 0 on, got 2.5"),
        (lambda data: data.update(frames=10**400), "the head: int too large"),
        (lambda data: data.update(rate="1e999999999"), "rate must be frames a second above 0"),
        (lambda data: data.update(rate=0), "rate must be frames a second above 0"),
        (lambda data: data.update(rate="-25"), "rate must be frames a second above 0"),
        (lambda data: data.update(method=7), "expected text, got 7"),
        (lambda data: data.update(method="\ud800"), "half of a surrogate pair"),
        (lambda data: data["shots"][0].update(start=-5), "shot 1: expected a whole number from 0 on, got -5"),
        (lambda data: data["shots"][0].update(strength=True), "expected a number, got True"),
        (lambda data: data["shots"][0]["keys"][0].update(weight=float("nan")), "the weight must be a finite number"),
        (lambda data: data["shots"][0]["keys"][0].update(weight=-1), "the weight must be a finite number"),
        (lambda data: data["shots"][0]["keys"][0].update(weight=1e308), "the weight must be a finite number"),
        (lambda data: data["shots"][0]["keys"][0]["transform"]["matrices"][0][1].__setitem__(3, 3e38), "beyond 1e.09"),
        (lambda data: data["shots"][0]["keys"][0]["transform"]["matrices"][0][1].__setitem__(3, 1e39), "beyond 1e.09"),
        (lambda data: data["shots"][3]["keys"][0]["transform"].update(size=10**300), "expected a whole number"),
    ],
)
def test_a_broken_grade_is_refused_with_its_place(tmp_path: Path, edit, said: str) -> None:
    data = json.loads(grade_text(made_grade()))
    edit(data)
    path = tmp_path / "grade.json"
    path.write_text(json.dumps(data))
    with pytest.raises(GradeFileError, match=said) as caught:
        read_grade(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_absent_and_unreadable_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no such file"):
        read_grade(tmp_path / "none.json")
    (tmp_path / "text.json").write_text("not json")
    with pytest.raises(GradeFileError, match="JSON"):
        read_grade(tmp_path / "text.json")


def test_files_that_ask_for_too_much_are_refused(tmp_path: Path) -> None:
    with pytest.raises(GradeFileError, match="is a device"):
        read_grade(Path("/dev/zero"))
    path = tmp_path / "deep.json"
    path.write_text("[" * 200_000)
    with pytest.raises(GradeFileError, match=r"deep.json: cannot be read as JSON: it is nested too deeply; write one"):
        read_grade(path)
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(GradeFileError, match=r"is larger than the limit of 1,073,741,824 bytes"):
        read_grade(path)
