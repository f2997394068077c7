import numpy as np
import pytest
from scenedetect import FrameTimecode
from scenedetect.detectors import AdaptiveDetector

from chromacord.pipeline.shots import MIN_SHOT_LENGTH, CutDetector, split_shots


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


def eventful_clip(seed: int) -> list[np.ndarray]:
    """Return scenes of random lengths that stand, pan, flash, darken at once, or dissolve into the next."""
    generator = np.random.default_rng(seed)
    pictures: list[np.ndarray] = []
    for number in range(12):
        shot = scene(100 * seed + number, int(generator.integers(2, 16)), pan=int(generator.choice([0, 3, 8])))
        kind = generator.choice(["plain", "flash", "darker", "dissolve"])
        if kind == "flash":
            shot[len(shot) // 2] = np.ones_like(shot[0])
        if kind == "darker":
            shot = [picture * np.float32(generator.uniform(0.6, 1)) for picture in shot]
        if kind == "dissolve" and pictures:
            shares = np.linspace(0, 1, len(shot), dtype=np.float32)
            shot = [share * after + (1 - share) * pictures[-1] for share, after in zip(shares, shot, strict=True)]
        pictures += shot
    return pictures


@pytest.mark.parametrize("seed", range(12))
def test_cuts_are_those_of_pyscenedetect(seed: int) -> None:
    detector, reference = CutDetector(), AdaptiveDetector(min_scene_len=MIN_SHOT_LENGTH)
    found, expected = [], []
    for number, picture in enumerate(eventful_clip(seed)):
        found.append(detector.push(picture))
        bgr = np.ascontiguousarray(np.rint(picture[..., ::-1] * 255).astype(np.uint8))
        expected += [cut.frame_num for cut in reference.process_frame(FrameTimecode(number, fps=25.0), bgr)]
    assert [cut for cut in found if cut is not None] == expected
    assert len(expected) > 2
