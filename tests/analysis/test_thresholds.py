"""The detectors' thresholds, from both sides: films seldom come near them, so a slip would go unseen."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from chromacord.analysis import dissolves, shots
from chromacord.analysis.dissolves import DissolveDetector
from chromacord.analysis.likeness import Distance
from chromacord.analysis.shots import CutDetector
from tests.analysis.test_shots import scene

SPAN = dissolves._SPANS[0]


def is_dissolve(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> bool:
    """Whether frames with these features are one, if the features alone decide; unchanged they are one."""
    features = {
        "change": 0.5,
        "contrast": 1.0,
        "relative": 0.9,
        "palette": 0.8,
        "strayed": 0.0,
        "layout": 0.9,
        "evidence": 100.0,
    } | changes
    monkeypatch.setattr(dissolves, "palette_distance", lambda kind, other: features[kind])
    monkeypatch.setattr(dissolves, "distance", lambda one, other: Distance(features["layout"], 0.9, 0.9))
    monkeypatch.setattr(dissolves, "_evidence", lambda values: features["evidence"])
    detector = DissolveDetector()
    for number in range(SPAN + 1):
        share = number / SPAN
        # Two colours: the first goes from 0 to 1, the other leaves the line between the ends in the middle.
        away = features["strayed"] ** 0.5 if 2 * number == SPAN else 0.0
        look = SimpleNamespace(
            light=(0.5, 0.2 if number < SPAN else 0.2 * features["contrast"]),
            relative="relative",
            palette="palette",
            colors=np.array([share, away]),
            difference=lambda other: features["change"],
        )
        detector.push(look)  # type: ignore[arg-type]
    return detector._is_dissolve(SPAN)


@pytest.mark.parametrize(
    ("feature", "refused", "taken"),
    [
        ("change", 7.9 / 255, 8.1 / 255),
        ("contrast", 0.29, 0.31),
        ("contrast", 3.4, 3.3),
        ("relative", 0.29, 0.31),
        ("palette", 0.31, 0.33),
        ("strayed", 0.26, 0.24),
        ("layout", 0.079, 0.081),
        ("evidence", 7.5, 7.6),
    ],
)
def test_a_dissolve_passes_every_test(
    monkeypatch: pytest.MonkeyPatch, feature: str, refused: float, taken: float
) -> None:
    assert is_dissolve(monkeypatch, **{feature: taken})
    assert not is_dissolve(monkeypatch, **{feature: refused})


@pytest.mark.parametrize(("evidence", "expected"), [(0.0, []), (0.01, [8])])
def test_a_cut_needs_more_evidence_for_it_than_against(
    monkeypatch: pytest.MonkeyPatch, evidence: float, expected: list[int]
) -> None:
    monkeypatch.setattr(shots, "_evidence", lambda across, inside: evidence)
    detector = CutDetector()
    found = [detector.push(picture) for picture in scene(1, 8) + scene(2, 8)]
    assert [number for number in found if number is not None] == expected


def is_cut(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> bool:
    """Whether two frames with these features have a cut between them; unchanged they have."""
    features = {"change": 0.5, "plain": False, "relative": 0.9, "layout": 0.5, "palette": 0.5} | changes
    monkeypatch.setattr(shots, "palette_distance", lambda one, other: features["relative"])
    monkeypatch.setattr(
        shots, "distance", lambda one, other: Distance(features["layout"], features["palette"], features["relative"])
    )
    monkeypatch.setattr(shots, "_evidence", lambda across, inside: 1.0)
    look: Any = SimpleNamespace(is_plain=features["plain"], is_blank=False, relative=None)
    detector = CutDetector()
    detector._before.append(look)
    detector._coming.extend([look, look, look])
    return detector._is_cut(features["change"])


@pytest.mark.parametrize(
    ("refused", "taken"),
    [
        ({"plain": True, "change": 3.9 / 255}, {"plain": True, "change": 4.1 / 255}),
        ({"plain": True, "change": 3.9 / 255}, {"plain": True, "change": 4 / 255}),
        ({"plain": True, "change": 3.9 / 255}, {"plain": False, "change": 3.9 / 255}),
        ({"relative": 0.14}, {"relative": 0.16}),
        ({"relative": 0.14}, {"relative": 0.15}),
        ({"layout": 0.0, "palette": 0.28}, {"layout": 0.0, "palette": 0.29}),
        ({"layout": 0.1, "palette": 0.18}, {"layout": 0.1, "palette": 0.2}),
        ({"layout": 0.18, "palette": 0.1}, {"layout": 0.2, "palette": 0.1}),
    ],
)
def test_a_cut_passes_every_cheap_test(
    monkeypatch: pytest.MonkeyPatch, refused: dict[str, float], taken: dict[str, float]
) -> None:
    assert is_cut(monkeypatch, **taken)
    assert not is_cut(monkeypatch, **refused)


@pytest.mark.parametrize(("step", "expected"), [(2.8 / 255, []), (3.2 / 255, [8])])
def test_frames_that_hardly_differ_are_repetitions(
    monkeypatch: pytest.MonkeyPatch, step: float, expected: list[int]
) -> None:
    """Greys differ in luma alone, so their mean difference over Y', Cr and Cb is a third of the step."""
    monkeypatch.setattr(CutDetector, "_is_cut", lambda detector, change: True)
    pictures = [np.full((54, 96, 3), value, np.float32) for value in [0.5] * 8 + [0.5 + step] * 8]
    detector = CutDetector()
    found = [detector.push(picture) for picture in pictures]
    assert [number for number in found if number is not None] == expected


@pytest.mark.parametrize(
    ("found", "expected"),
    [([40], [40]), ([40, 60, 80, 104], [40, 104]), ([40, 63], [40]), ([40, 64], [40, 64]), ([40, 60, 84], [40, 84])],
)
def test_a_dissolve_goes_on_for_as_long_as_it_is_found_again_within_a_second(
    monkeypatch: pytest.MonkeyPatch, found: list[int], expected: list[int]
) -> None:
    """A second of film, 24 frames: at that distance it is another one."""
    monkeypatch.setattr(DissolveDetector, "_is_dissolve", lambda self, span: self._number in found)
    detector, told = DissolveDetector(), []
    for number in range(1, 121):
        detector.push(number)  # type: ignore[arg-type]
        if detector.is_found():
            told.append(number)
            detector.restart()
    assert told == expected


def test_every_span_is_tested_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    tested: list[int] = []
    monkeypatch.setattr(DissolveDetector, "_is_dissolve", lambda self, span: bool(tested.append(span)))
    detector = DissolveDetector()
    for number in range(40):
        detector.push(number)  # type: ignore[arg-type]
        assert not detector.is_found()
        assert all(span <= number for span in tested)
    assert set(tested[-4:]) == {6, 10, 16, 22}


def _changing(monkeypatch: pytest.MonkeyPatch, cuts: set[int], dissolves: set[int], count: int) -> list[int]:
    """Return where shots begin, if there is evidence for cuts and dissolves at these frames."""
    detector, begun = CutDetector(), []
    now = [0]
    monkeypatch.setattr(CutDetector, "_is_cut", lambda self, change: now[0] in cuts)
    monkeypatch.setattr(DissolveDetector, "is_found", lambda self: now[0] in dissolves)
    pictures = [picture for seed in range(count) for picture in scene(seed, 1)]
    for number, picture in enumerate(pictures):
        now[0] = number - CutDetector.delay
        begun.append(detector.push(picture))
    return [number for number in begun if number is not None]


def test_shots_last_four_frames_or_more(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _changing(monkeypatch, {3, 10, 13, 14, 17, 18}, set(), 24) == [10, 14, 18]
    assert _changing(monkeypatch, {4, 7}, set(), 12) == [4]


def test_a_dissolve_is_followed_by_no_cut_for_half_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _changing(monkeypatch, {11, 21, 22}, {10}, 30) == [10, 22]
    assert _changing(monkeypatch, {14}, {17, 18, 25}, 30) == [14, 18]


def test_a_cut_is_compared_with_frames_of_its_own_shot_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames that are held do not push those of the shot before out."""
    held = []

    def is_cut(self: CutDetector, change: float) -> bool:
        held.append(len(self._before))
        return True

    monkeypatch.setattr(CutDetector, "_is_cut", is_cut)
    detector = CutDetector()
    pictures = [scene(seed, 1)[0] for seed in range(8)]
    for picture in [*pictures[:5], *[pictures[5]] * 4, *pictures[6:8], pictures[0]]:
        detector.push(picture)
    # The first cut has four frames before it, the next one a frame of its own shot that is shown five times, with one
    # that was new, and repetitions count once.
    assert held[0] == 4
    assert held[1] == 2


def test_neighbours_that_are_black_do_not_tell_how_fast_a_shot_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[str, str]] = []
    monkeypatch.setattr(shots, "palette_distance", lambda one, other: 0.9)

    def noted(one: Any, other: Any) -> Distance:
        compared.append((one.name, other.name))
        return Distance(0.5, 0.5, 0.5)

    monkeypatch.setattr(shots, "distance", noted)

    def look(name: str, *, is_blank: bool = False) -> Any:
        return SimpleNamespace(name=name, is_plain=False, is_blank=is_blank, relative=None)

    def pairs(*coming: Any) -> set[tuple[str, str]]:
        detector = CutDetector()
        detector._before.extend([look("a"), look("b")])
        detector._coming.extend(coming)
        compared.clear()
        detector._is_cut(0.5)
        return set(compared)

    across = {(one, other) for one in "ab" for other in "ce"}
    assert pairs(look("c"), look("d", is_blank=True), look("e")) == across | {("a", "b")}
    across = {(one, other) for one in "ab" for other in "cd"}
    assert pairs(look("c"), look("d"), look("e", is_blank=True)) == across | {("a", "b"), ("c", "d")}
