import json
import re
from dataclasses import asdict, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from chromacord.color.parameters.parametric import Parametric
from chromacord.color.transforms import AffineField, ColorTransform, Identity, Lut3d, lattice
from chromacord.errors import GradeFileError, MissingFileError
from chromacord.grade.by_hand import Hand, Strength, turned
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
        Shot(12, 20, (Key(12, 0.1, field),), hand=Hand(Strength(0.5, 0.25))),
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
        assert (shot.start, shot.stop, shot.hand) == (again.start, again.stop, again.hand)
        for key, same in zip(shot.keys, again.keys, strict=True):
            assert (key.index, key.weight, key.transform.kind) == (same.index, same.weight, same.transform.kind)
            np.testing.assert_allclose(key.transform.parameters, same.transform.parameters, atol=1e-6)


def one_shot(transform, **options) -> Grade:
    return Grade((Shot(0, 1, (Key(0, 1.0, transform),), **options),), "made", "shot", Fraction(24), 1)


def shot_of(grade: Grade) -> dict:
    return json.loads(grade_text(grade))["shots"][0]


def read_back(path: Path, shot: dict, version: int = 2) -> ColorTransform:
    data = json.loads(grade_text(one_shot(Identity.for_frames(1)))) | {"version": version, "shots": [shot]}
    path.write_text(json.dumps(data))
    return read_grade(path).shots[0].keys[0].transform


def test_lut_values_stand_red_fastest() -> None:
    red = lattice(2)[None].copy()
    red[0, 0, 0, 0, 1] += 0.5  # of the node that is red
    values = shot_of(one_shot(Lut3d(red)))["keys"][0]["residual"]["values"]
    assert int(np.argmax(np.abs(values).max(axis=1))) == 1


def test_affine_matrices_stand_as_three_rows_of_gains_and_an_offset() -> None:
    transform = AffineField.from_matrix(np.eye(3, dtype=np.float32)[None] * 1.5, np.float32([[0.1, 0.2, 0.3]]))
    shot = shot_of(one_shot(transform))
    base = np.column_stack(Parametric(**shot["parametric"]).affine)
    np.testing.assert_allclose(
        base + shot["keys"][0]["residual"]["matrices"][0], transform.parameters[0, ..., 0, 0], atol=1e-5
    )


MADE = Parametric(0.3, -15, 4, contrast=1.2, black=0.02, saturation=0.9)


def test_what_numbers_can_say_is_said_in_numbers_and_leaves_no_residual() -> None:
    shot = shot_of(one_shot(turned(Identity.for_frames(1), MADE)))
    assert shot["parametric"] == pytest.approx(asdict(MADE), abs=2e-3, rel=2e-3)
    assert np.abs(shot["keys"][0]["residual"]["values"]).max() < 2e-3


def test_edited_numbers_turn_the_grade(tmp_path: Path) -> None:
    shot = shot_of(one_shot(turned(Identity.for_frames(1), MADE)))
    shot["parametric"] |= {"exposure": 0.8, "saturation": 0.5}
    edited = replace(MADE, exposure=0.8, saturation=0.5)
    colors = np.random.default_rng(0).random((500, 3), np.float32)
    seen = read_back(tmp_path / "grade.json", shot)(np.ascontiguousarray(colors.T)[None, :, None])[0, :, 0].T
    np.testing.assert_allclose(seen, edited(colors), atol=6e-3)  # of a LUT of 17 nodes


def test_contrast_is_given_to_a_grade_without_any(tmp_path: Path) -> None:
    shot = shot_of(one_shot(turned(Identity.for_frames(1), Parametric(exposure=0.5))))
    shot["parametric"]["contrast"] = 1.3
    picture = np.full((1, 3, 1, 1), 0.4, np.float32)
    expected = Parametric(exposure=0.5, contrast=1.3)(picture.reshape(1, 3))
    np.testing.assert_allclose(read_back(tmp_path / "grade.json", shot)(picture).reshape(1, 3), expected, atol=2e-3)


def test_a_grade_of_version_1_is_read(tmp_path: Path) -> None:
    values = lattice(2).reshape(3, -1).T + 0.1
    key = {"frame": 0, "weight": 0.5, "transform": {"kind": "lut3d", "size": 2, "values": values.tolist()}}
    shot = {"start": 0, "stop": 1, "strength": 0.5, "keys": [key]}
    read = read_back(tmp_path / "grade.json", shot, version=1)
    np.testing.assert_allclose(read.parameters, lattice(2)[None] + 0.1, atol=1e-6)


def test_a_shot_without_strength_has_all_of_it(tmp_path: Path) -> None:
    grade = one_shot(turned(Identity.for_frames(1), MADE), hand=Hand(Strength.both(0.5)))
    shot = shot_of(grade)
    del shot["strength"]
    np.testing.assert_allclose(
        read_back(tmp_path / "grade.json", shot).parameters, grade.shots[0].keys[0].transform.parameters, atol=2e-6
    )


def test_what_a_hand_did_is_written_as_part_of_the_grade(tmp_path: Path) -> None:
    transform = turned(Identity.for_frames(1), MADE)
    turn = Parametric(exposure=0.2)
    by_hand = one_shot(transform, hand=Hand(Strength.both(0.5), turn))
    read = read_back(tmp_path / "grade.json", shot_of(by_hand))
    np.testing.assert_allclose(read.parameters, by_hand.shots[0].at(0).parameters, atol=2e-6)


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda data: data.update(format="other"), "is not a chromacord grade file"),
        (lambda data: data.update(version=3), "version 3, this chromacord reads 1 and 2"),
        (lambda data: data.pop("method"), "'method' is missing"),
        (lambda data: data.update(consistency="often"), "shot, smooth, frame"),
        (lambda data: data["shots"][1].update(start=9), "shot 2"),
        (lambda data: data["shots"][2].update(strength=1.5), "strength must lie in 0..1"),
        (lambda data: data["shots"][2].update(strength={"tone": 2}), "strength of tone must lie in 0..1"),
        (lambda data: data["shots"][2].update(strength={"hue": 1}), "'hue' is not known; choose one of tone, colour"),
        (lambda data: data["shots"][0]["parametric"].update(contrast=0), "contrast must lie in 0.1..10, got 0"),
        (lambda data: data["shots"][0]["parametric"].update(exposure="1"), "expected a number, got '1'"),
        (lambda data: data["shots"][0]["parametric"].update(exposure=float("nan")), "exposure must lie in"),
        (lambda data: data["shots"][0]["parametric"].update(gamma=1), "'gamma' is not known; choose one of exposure,"),
        (lambda data: data["shots"][0].update(parametric=[1]), "expected parametric numbers by their names"),
        (lambda data: data["shots"][2]["parametric"].update(contrast=1.5), "contrast must be 1 because the residual"),
        (lambda data: data["shots"][0]["keys"][1].update(frame=0), "must increase"),
        (
            lambda data: data["shots"][0]["keys"][1].update(residual=data["shots"][3]["keys"][0]["residual"]),
            "need transforms of one kind and size",
        ),
        (lambda data: data["shots"][0]["keys"][1]["residual"].update(kind="cdl"), "kind 'cdl' is not known"),
        (lambda data: data["shots"][3]["keys"][0]["residual"]["values"].pop(), "64 x 3"),
        (lambda data: data["shots"][3]["keys"][0]["residual"]["values"][5].__setitem__(0, float("nan")), "finite"),
        (lambda data: data["shots"][0]["keys"][0]["residual"]["matrices"][0][0].pop(), "shot 1, the key of frame 0"),
        (lambda data: data["shots"][3]["keys"][0]["residual"].update(values="abc"), "64 x 3 numbers"),
        (lambda data: data["shots"][0]["keys"][0].update(residual=None), "shot 1"),
        (lambda data: data["shots"][0].update(keys="none"), "shot 1"),
        (lambda data: data.update(rate="1/0"), "the head"),
        (lambda data: data.update(frames=float("inf")), "the head"),
        (lambda data: data.update(frames=2.5), "expected a whole number of 0 or more, got 2.5"),
        (lambda data: data.update(frames=10**400), "the head: int too large"),
        (lambda data: data.update(frames=2**31), "expected a whole number of 0 or more, got 2147483648"),
        (lambda data: data.update(rate="1e999999999"), "rate must be frames a second above 0"),
        (lambda data: data.update(rate=0), "rate must be frames a second above 0"),
        (lambda data: data.update(rate="-25"), "rate must be frames a second above 0"),
        (lambda data: data.update(method=7), "expected text, got 7"),
        (lambda data: data.update(method="\ud800"), "half of a surrogate pair"),
        (lambda data: data["shots"][0].update(start=-5), "shot 1: expected a whole number of 0 or more, got -5"),
        (lambda data: data["shots"][0].update(strength=True), "expected a number, got True"),
        (lambda data: data["shots"][1].update(start=12), "shot 2: start 12 and stop 12 must increase"),
        (lambda data: data["shots"][1].update(start=9), "shot 2: start 9 and stop 12 must increase, and not overlap"),
        (lambda data: data["shots"][0]["keys"][0].update(weight=float("nan")), "the weight must be a finite number"),
        (lambda data: data["shots"][0]["keys"][0].update(weight=-1), "the weight must be a finite number"),
        (lambda data: data["shots"][0]["keys"][0].update(weight=1e308), "the weight must be a finite number"),
        (lambda data: data["shots"][0]["keys"][0]["residual"]["matrices"][0][1].__setitem__(3, 3e38), "beyond 1e.09"),
        (lambda data: data["shots"][0]["keys"][0]["residual"]["matrices"][0][1].__setitem__(3, 1e39), "beyond 1e.09"),
        (lambda data: data["shots"][3]["keys"][0]["residual"].update(size=10**300), "expected a whole number"),
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


@pytest.mark.parametrize("confidence", [None, 0, 0.5, 1])
def test_what_a_key_leaves_out_has_its_default(tmp_path: Path, confidence: float | None) -> None:
    path, data = tmp_path / "grade.json", json.loads(grade_text(one_shot(Identity.for_frames(1))))
    key = data["shots"][0]["keys"][0]
    del key["weight"]
    key |= {} if confidence is None else {"confidence": confidence}
    path.write_text(json.dumps(data))
    (read,) = read_grade(path).keys
    assert (read.index, read.weight, read.confidence) == (0, 1, confidence)


@pytest.mark.parametrize("confidence", [-0.01, 1.01])
def test_a_confidence_is_a_share(tmp_path: Path, confidence: float) -> None:
    path, data = tmp_path / "grade.json", json.loads(grade_text(one_shot(Identity.for_frames(1))))
    data["shots"][0]["keys"][0]["confidence"] = confidence
    path.write_text(json.dumps(data))
    with pytest.raises(GradeFileError, match=r"confidence must lie in 0\.\.1"):
        read_grade(path)


def test_transforms_are_written_in_few_digits() -> None:
    """Float32 has six or seven that count; as float64 they would be written with up to 17."""
    shots = json.loads(grade_text(made_grade()))["shots"]
    text = json.dumps([key["residual"] for shot in shots for key in shot["keys"]])
    numbers = re.findall(r"\d+\.(\d+)", text)
    assert len(numbers) > 100
    assert max(map(len, numbers)) <= 6
