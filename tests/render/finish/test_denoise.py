"""Noise of a foreground is averaged over time, on clips whose noise is known: numpy draws it."""

import cv2
import numpy as np
import pytest

from chromacord.job.finishing.matching import MatchedGrain
from chromacord.masks.masks import MaskedFrame
from chromacord.render.finish.denoise import Denoise, Excess
from chromacord.render.finish.grain import Grain
from chromacord.render.finish.stage import Finish
from chromacord.types import Frame, PixelFormat, Size, VideoInfo
from tests.render.finish.test_grain import FORMATS, SIZE, clip, grade_of, matte, measured, scene
from tests.scenes import as_mask, describe

GREY = PixelFormat("gray", 8)
SMALL = Size(96, 160)


def noise_at_rest(info: VideoInfo, frames: list[Frame]) -> list[float]:
    """Return the deviation of each plane inside the matte, between the textures, in 8-bit codes."""
    found = []
    for number in range(3):
        unit = info.pixel_format.max_code / 255
        rest = np.stack([frame.planes[number] / unit - 255 * scene(info, frame.index, number) for frame in frames])
        weight = cv2.resize(cv2.erode(matte(), np.ones((9, 9))), rest.shape[:0:-1], interpolation=cv2.INTER_AREA)
        weight[: int(0.3 * len(weight))] = 0
        weight[int(0.78 * len(weight)) :] = 0
        found.append(float(rest[:, weight == 1].std()))
    return found


@pytest.mark.filterwarnings("ignore:.*noisier than its background")
@pytest.mark.parametrize("layout", FORMATS)
@pytest.mark.parametrize(("inside", "outside"), [(6.0, 3.0), (4.0, 2.5), (5.0, 4.0)])
def test_a_noisier_foreground_gets_the_noise_of_its_background_to_a_tenth(
    layout: str, inside: float, outside: float
) -> None:
    info = describe(FORMATS[layout], SIZE)
    frames = clip(info, inside, outside, num=14)
    matched = MatchedGrain(measured(info, frames), grade_of(len(frames)), info)
    finish = Finish(info, [Denoise(info, matched.excess), Grain(info, matched)])
    done = [finish(each, each.frame) for each in frames][8:]
    assert np.array(noise_at_rest(info, done)) == pytest.approx(outside, rel=0.1)
    background = matte() == 0
    for after, before in zip(done, frames[8:], strict=True):
        assert np.array_equal(after.planes[0][background], before.frame.planes[0][background])


def moving(step: float, *, num: int = 12, noise: float = 5.0) -> tuple[list[MaskedFrame], list[np.ndarray]]:
    """Return a bright bar that moves over a dark ground, with noise, all of it foreground but a rim; and the truth."""
    generator, frames, truths = np.random.default_rng(0), [], []
    weights = np.ones(SMALL, np.float32)
    weights[:, :4] = 0
    columns = np.arange(SMALL.width)
    for index in range(num):
        at = 30 + step * index
        truth = np.tile(60 + 100 * np.clip(8 - np.abs(columns - at), 0, 1), (SMALL.height, 1))
        noisy = np.rint(truth + noise * generator.standard_normal(SMALL)).clip(0, 255).astype(np.uint8)
        frames.append(MaskedFrame(Frame((noisy,), index), as_mask(weights)))
        truths.append(truth)
    return frames, truths


def excess(shot: int = 0, noise: float = 5.0, planes: int = 1) -> Excess:
    variance, share = (np.full((planes, 256), each, np.float32) for each in (noise**2, 1 / 16))
    return Excess(shot, variance, share, (1.0,) * planes)


@pytest.mark.parametrize("step", [0.5, 1, 3, 8])
def test_a_moving_edge_leaves_no_trail(step: float) -> None:
    info = describe(GREY, SMALL)
    frames, truths = moving(step)
    finish = Finish(info, [Denoise(info, lambda _: excess())])
    after = [finish(each, each.frame).planes[0].astype(float) for each in frames]
    # The mean over rows hides the noise: 5 codes / sqrt(96) = 0.5; a trail of a tenth of the bar would be 10 codes.
    error = np.stack([(one - truth).mean(axis=0) for one, truth in zip(after, truths, strict=True)])
    assert np.abs(error[:, 4:]).max() < 3
    still = np.stack(after)[6:, :, 140:] - 60
    assert still.std() < 0.5 * 5


def test_a_faint_shape_that_moves_leaves_no_trail() -> None:
    """A change of 4 codes under noise of 5 is found by its extent."""
    info, generator = describe(GREY, SMALL), np.random.default_rng(0)
    finish = Finish(info, [Denoise(info, lambda _: excess())])
    for index in range(12):
        truth = np.full(SMALL, 60.0)
        truth[:, 40 + 10 * index :] += 4
        noisy = np.rint(truth + 5 * generator.standard_normal(SMALL)).astype(np.uint8)
        frame = Frame((noisy,), index)
        shown = MaskedFrame(frame, as_mask(moving(0, num=1)[0][0].mask.plane))
        after = finish(shown, frame).planes[0].astype(float)
        swept = (after - truth)[:, 40 + 10 * (index - 1) : 40 + 10 * index]
        assert index == 0 or abs(swept.mean()) < 1.5


def texture(contrast: float, size: tuple[int, int], seed: int) -> np.ndarray:
    """Return a random texture of a deviation in codes, whose detail spans about three pixels."""
    noise = np.random.default_rng(seed).standard_normal(size, np.float32)
    wide = cv2.GaussianBlur(noise, (0, 0), 1.2)
    return contrast / wide.std() * wide


def moved(picture: np.ndarray, by: tuple[float, float]) -> np.ndarray:
    """Return the middle of a picture three times as large, moved by pixels across and down."""
    shift = np.float32([[1, 0, SMALL.width + by[0]], [0, 1, SMALL.height + by[1]]])
    return cv2.warpAffine(picture, shift, SMALL[::-1], flags=cv2.INTER_LANCZOS4 | cv2.WARP_INVERSE_MAP)


def denoised(truths: list[np.ndarray], noise: float = 5.0) -> list[np.ndarray]:
    """Return pictures that were given noise and denoised, all but a rim."""
    info, generator = describe(GREY, SMALL), np.random.default_rng(1)
    finish = Finish(info, [Denoise(info, lambda _: excess(noise=noise))])
    mask = moving(0, num=1)[0][0].mask
    found = []
    for index, truth in enumerate(truths):
        noisy = np.rint(truth + noise * generator.standard_normal(SMALL)).clip(0, 255).astype(np.uint8)
        frame = Frame((noisy,), index)
        found.append(finish(MaskedFrame(frame, mask), frame).planes[0].astype(np.float32))
    return found


@pytest.mark.parametrize(("contrast", "kept", "error"), [(3.0, 0.8, 0.3), (10.0, 0.93, 0.35), (20.0, 0.96, 0.5)])
@pytest.mark.parametrize("step", [(0.3, 0.0), (0.7, 0.4), (3.0, 1.5), (4.5, -2.0)])
def test_a_moving_texture_loses_its_noise_but_no_detail(
    step: tuple[float, float], contrast: float, kept: float, error: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under noise of 5 codes. Without following motion, it would be smeared, or keep its noise."""
    wide = texture(contrast, (3 * SMALL.height, 3 * SMALL.width), 0)
    truths = [120 + moved(wide, (step[0] * index, step[1] * index)) for index in range(14)]
    inner = slice(32, -32), slice(48, -48)  # what entered some frames ago

    def left(frames: list[np.ndarray]) -> float:
        rest = np.stack(frames[8:]) - np.stack(truths[8:])
        return float(np.square(rest[:, *inner]).mean()) / 25

    frames = denoised(truths)
    assert left(frames) < error
    for truth, frame in zip(truths[8:], frames[8:], strict=True):
        detail, found = (each[inner] - cv2.GaussianBlur(each, (0, 0), 3)[inner] for each in (truth, frame))
        assert kept < (found * detail).sum() / np.square(detail).sum() < 1.1
    monkeypatch.setattr(Denoise, "_motion", lambda *_: None)
    assert left(frames) < 0.8 * left(denoised(truths))


@pytest.mark.parametrize("step", [(2.0, 1.0), (5.0, -2.0)])
def test_what_a_moving_object_uncovers_shows_no_ghost_of_it(step: tuple[float, float]) -> None:
    """A textured disc passes a textured ground, under noise of 5 codes."""
    ground, disc = 110 + texture(8, SMALL, 2), 135 + texture(8, (3 * SMALL.height, 3 * SMALL.width), 3)
    rows, columns = np.mgrid[: disc.shape[0], : disc.shape[1]].astype(np.float32)
    shape = (np.hypot(rows - 1.5 * SMALL.height, columns - 1.5 * SMALL.width) < 28).astype(np.float32)
    truths, covers = [], []
    for index in range(14):
        by = (-step[0] * (index - 7), -step[1] * (index - 7))
        covers.append(moved(shape, by))
        truths.append(ground + covers[-1] * (moved(disc, by) - ground))
    frames = denoised(truths)
    for index in range(4, 14):
        error = frames[index] - truths[index]
        for age in (1, 2, 3):
            was = truths[index - age] - truths[index]
            bared = (covers[index - age] > 0.99) & (covers[index] < 0.01)
            # Of white noise, the share of what was there differs from 0 by 5 / sqrt(sum of its squares).
            chance = 5 / np.square(was[bared]).sum() ** 0.5
            assert abs((error * was)[bared].sum() / np.square(was[bared]).sum()) < 0.03 + 4 * chance
        assert np.square(error[16:-16, 16:-16]).mean() < 0.75 * 25


def test_only_the_last_frames_means_are_kept_whatever_moves() -> None:
    """The box of the foreground moves, grows, and leaves its former place altogether."""
    info, generator = describe(PixelFormat("yuv", 8, subsampling=(1, 1)), SMALL), np.random.default_rng(0)
    stage = Denoise(info, lambda _: excess(planes=3))
    boxes = [(10, 10, 50, 60), (11, 14, 52, 66), (0, 0, 96, 160), (4, 100, 90, 158), (5, 3, 15, 12), (60, 90, 80, 158)]
    for index, (top, left, bottom, right) in enumerate(boxes):
        weights = np.zeros(SMALL, np.float32)
        weights[top:bottom, left:right] = 1
        shapes = (SMALL, (48, 80), (48, 80))
        planes = tuple(np.rint(120 + 5 * generator.standard_normal(shape)).astype(np.uint8) for shape in shapes)
        before = [plane.copy() for plane in planes]
        stage(Frame(planes, index), as_mask(weights))
        assert np.array_equal(planes[0][weights == 0], before[0][weights == 0])
        after = planes[0][top:bottom, left:right]
        assert 120 - 1 < after.mean() < 120 + 1
        assert after.std() < 6
        held = [*stage._memory.means, *stage._memory.left]
        area = (bottom - top + 2 * 16 + 2) * (right - left + 2 * 16 + 2)
        assert sum(each.nbytes for each in held) <= 2 * 1.5 * 4 * area


def test_a_tiny_picture_is_denoised_without_motion() -> None:
    info, generator = describe(GREY, Size(20, 24)), np.random.default_rng(0)
    stage = Denoise(info, lambda _: excess())
    for index in range(9):
        plane = np.rint(120 + 5 * generator.standard_normal((20, 24))).astype(np.uint8)
        stage(Frame((plane,), index), as_mask(np.ones((20, 24), np.float32)))
    assert plane.std() < 0.6 * 5


def test_nothing_is_averaged_across_a_cut_or_a_gap() -> None:
    info = describe(GREY, SMALL)
    frames, _ = moving(0)
    for shots, numbers in (((0, 0, 2), (0, 1, 2)), ((0, 0, 0), (0, 1, 7))):
        stage = Denoise(info, lambda index, shots=shots: excess(shots[min(index, 2)]))
        finish = Finish(info, [stage])
        shown = [
            each._replace(frame=Frame(each.frame.planes, number)) for each, number in zip(frames, numbers, strict=False)
        ]
        done = [finish(each, each.frame) for each in shown]
        assert not np.array_equal(done[1].planes[0], frames[1].frame.planes[0])
        assert np.array_equal(done[2].planes[0], frames[2].frame.planes[0])
