import numpy as np
import pytest

from chromacord.analysis import dissolves, shots
from chromacord.analysis.likeness import Distance
from chromacord.analysis.shots import MIN_SHOT_LENGTH, CutDetector, split_shots


def scene(seed: int, count: int, *, pan: int = 0) -> list[np.ndarray]:
    """Return `count` pictures of a smooth random scene, moved by `pan` pixels a frame."""
    generator = np.random.default_rng(seed)
    coarse = generator.uniform(0, 1, (6, 30, 3)).repeat(10, 0).repeat(10, 1).astype(np.float32)
    return [coarse[:54, pan * n : pan * n + 96] for n in range(count)]


def shots_of(pictures: list[np.ndarray]) -> list[int]:
    split = list(split_shots(range(len(pictures)), lambda number: pictures[number]))
    assert [number for number, _ in split] == list(range(len(pictures)))
    return [shot for _, shot in split]


def test_cuts_are_found_at_their_frames() -> None:
    assert shots_of(scene(1, 12) + scene(2, 9) + scene(3, 14)) == [0] * 12 + [1] * 9 + [2] * 14


def test_a_moving_camera_is_no_cut() -> None:
    assert set(shots_of(scene(4, 20, pan=6))) == {0}


def test_a_flash_of_one_frame_splits_at_most_once() -> None:
    pictures = scene(5, 30)
    pictures[15] = np.ones_like(pictures[15])
    assert max(shots_of(pictures)) <= 1


def test_a_clip_shorter_than_the_detector_needs_is_one_shot() -> None:
    assert shots_of(scene(6, MIN_SHOT_LENGTH - 2)) == [0] * (MIN_SHOT_LENGTH - 2)
    assert shots_of(scene(6, 1)) == [0]


def test_items_are_held_back_only_as_long_as_needed() -> None:
    pictures, read = scene(7, 30), []

    def source():
        for number in range(30):
            read.append(number)
            yield number

    split = split_shots(source(), lambda number: pictures[number])
    next(split)
    assert len(read) == CutDetector.delay + 1 == 3


@pytest.mark.parametrize("speed", [8, 16, 24])
def test_a_cut_after_a_fast_pan_is_found_at_its_frame(speed: int) -> None:
    pan = scene(8, 8, pan=speed)
    assert shots_of(pan + scene(9, 12)) == [0] * 8 + [1] * 12
    assert shots_of(scene(9, 12) + pan) == [0] * 12 + [1] * 8


@pytest.mark.parametrize("length", [1, 2])
def test_a_flash_is_no_cut(length: int) -> None:
    pictures = scene(5, 30)
    for number in range(15, 15 + length):
        pictures[number] = np.clip(pictures[number] * 2 + 0.3, 0, 1).astype(np.float32)
    assert set(shots_of(pictures)) == {0}


def test_a_cut_behind_a_flash_is_found() -> None:
    pictures = scene(5, 15) + scene(6, 15)
    pictures[12] = np.ones_like(pictures[12])
    assert shots_of(pictures) == [0] * 15 + [1] * 15


@pytest.mark.parametrize("times", [2, 3])
def test_repeated_frames_of_a_moving_picture_are_no_cut(times: int) -> None:
    pictures = [picture for picture in scene(10, 16, pan=2) for _ in range(times)]
    assert set(shots_of(pictures)) == {0}


def test_a_change_of_exposure_is_no_cut() -> None:
    gains = np.linspace(0.4, 1, 12, dtype=np.float32)
    assert set(shots_of([gain * picture for gain, picture in zip(gains, scene(11, 12), strict=True)])) == {0}


@pytest.mark.parametrize("length", [6, 10, 16, 24, 48])
def test_a_shot_begins_inside_a_dissolve(length: int) -> None:
    shares = np.linspace(0, 1, length + 2, dtype=np.float32)[1:-1]
    before, after = scene(12, 30), scene(13, 30)
    mixed = [share * after[0] + (1 - share) * before[0] for share in shares]
    shots = shots_of([*before, *mixed, *after])
    assert max(shots) == 1
    assert 30 < shots.index(1) <= 30 + length


def test_a_hard_cut_after_a_dissolve_is_found() -> None:
    shares = np.linspace(0, 1, 14, dtype=np.float32)[1:-1]
    before, after = scene(12, 20), scene(13, 30)
    mixed = [share * after[0] + (1 - share) * before[0] for share in shares]
    shots = shots_of([*before, *mixed, *after[:12], *scene(14, 12)])
    assert shots[-13:] == [1] + [2] * 12


@pytest.mark.parametrize("speed", [1, 2, 4, 8])
def test_a_slow_pan_is_no_dissolve(speed: int) -> None:
    assert set(shots_of(scene(15, 24, pan=speed))) == {0}


def test_light_that_changes_slowly_is_no_dissolve() -> None:
    (still,) = scene(16, 1)
    warmer = [
        (still * np.array([1, 1 - 0.3 * share, 1 - 0.6 * share])).astype(np.float32) for share in np.linspace(0, 1, 30)
    ]
    assert set(shots_of([still] * 10 + warmer + warmer[-1:] * 10)) == {0}


def test_a_small_change_of_a_plain_picture_is_no_cut() -> None:
    plain = [np.full((54, 96, 3), value, np.float32) for value in [0.2] * 8 + [0.21] * 8 + [0.22] * 8]
    assert set(shots_of(plain)) == {0}


def faded(pictures: list[np.ndarray], length: int = 8, level: float = 0.0) -> list[np.ndarray]:
    """Return the pictures, the last of which fade to a level in equal steps."""
    shares = np.linspace(1, 0, length + 2, dtype=np.float32)[1:-1]
    dark = [
        (share * picture + (1 - share) * level).astype(np.float32)
        for share, picture in zip(shares, pictures[-length:], strict=True)
    ]
    return [*pictures[:-length], *dark]


@pytest.mark.parametrize("level", [0.0, 1.0], ids=["black", "white"])
@pytest.mark.parametrize("hold", [0, 1, 12])
def test_a_shot_that_comes_out_of_black_or_white_begins_where_it_can_be_seen(hold: int, level: float) -> None:
    held = [np.full((54, 96, 3), level, np.float32)] * hold
    pictures = [*faded(scene(20, 20), level=level), *held, *faded(scene(21, 20)[::-1], level=level)[::-1]]
    shots = shots_of(pictures)
    assert max(shots) == 1
    assert 0 <= shots.index(1) - (20 + hold) <= 1


@pytest.mark.parametrize("hold", [0, 1, 12])
def test_a_shot_that_fades_and_comes_back_goes_on(hold: int) -> None:
    pictures = scene(22, 40, pan=1)
    black = [np.zeros((54, 96, 3), np.float32)] * hold
    assert set(shots_of([*black, *faded(pictures[:20]), *black, *faded(pictures[20:][::-1])[::-1]])) == {0}


def test_a_hard_cut_to_black_begins_no_shot_before_there_is_a_picture() -> None:
    assert shots_of(scene(23, 10) + [np.zeros((54, 96, 3), np.float32)] * 10 + scene(24, 10)) == [0] * 20 + [1] * 10


@pytest.mark.parametrize("times", [2, 3])
def test_repeated_frames_of_a_fast_pan_neither_make_nor_hide_a_cut(times: int) -> None:
    pan = [picture for picture in scene(25, 9, pan=20) for _ in range(times)]
    assert set(shots_of(pan)) == {0}
    still = scene(26, 12)
    assert shots_of(pan + still) == [0] * (9 * times) + [1] * 12
    assert shots_of(still + pan) == [0] * 12 + [1] * (9 * times)


def test_a_cut_at_a_flash_is_found_at_its_frame() -> None:
    for flashed in (range(13, 15), range(15, 17)):
        pictures = scene(27, 15) + scene(28, 15)
        for number in flashed:
            pictures[number] = (0.4 * pictures[number] + 0.6).astype(np.float32)
        assert shots_of(pictures) == [0] * 15 + [1] * 15


@pytest.mark.parametrize(
    ("across", "inside", "expected"),
    [((0.1, 0.2, 0.3), (0.9, 0.7, 0.8), -23.28), ((0.1, 0.1, 0.5), (0.1, 0.5, 0.5), -14.17)],
)
def test_the_evidence_for_a_cut_has_the_weights_that_were_trained(
    across: tuple[float, ...], inside: tuple[float, ...], expected: float
) -> None:
    """Between them the two reach every hidden unit: a digit that changes by a slip is not seen in a film."""
    assert shots._evidence(Distance(*across), Distance(*inside)) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("features", "expected"),
    [
        ([0.7, 0.3, 0.1, 0.1, 0.8, 0.9, 0.6, 0.8, 0.6, 1], -9.228),
        ([0.6, 1, 0.2, 1, 0.4, 0.5, 0.8, 0.5, 0.6, 1], -36.768),
    ],
)
def test_the_evidence_for_a_dissolve_has_the_weights_that_were_trained(features: list[float], expected: float) -> None:
    assert dissolves._evidence(np.array(features)) == pytest.approx(expected, abs=1e-6)
