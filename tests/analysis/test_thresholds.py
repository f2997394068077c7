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
        ({"plain": True, "change": 3.9 / 255}, {"plain": False, "change": 3.9 / 255}),
        ({"relative": 0.14}, {"relative": 0.16}),
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
