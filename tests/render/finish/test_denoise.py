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


def excess(shot: int = 0, noise: float = 5.0) -> Excess:
    return Excess(shot, np.full((1, 256), noise**2, np.float32), np.full((1, 256), 1 / 16, np.float32), (1.0,))


@pytest.mark.parametrize("step", [0.5, 1, 3, 8])
def test_a_moving_edge_leaves_no_trail(step: float) -> None:
    info = describe(GREY, SMALL)
    frames, truths = moving(step)
    finish = Finish(info, [Denoise(info, lambda _: excess())])
    after = [finish(each, each.frame).planes[0].astype(float) for each in frames]
    # The mean over rows hides the noise: 5 codes / sqrt(96) = 0.5; a trail of a tenth of the bar would be 10 codes.
    error = np.stack([(one - truth).mean(axis=0) for one, truth in zip(after, truths, strict=True)])
    assert np.abs(error[:, 4:]).max() < 4.5 * 0.51
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


@pytest.mark.parametrize(("contrast", "kept"), [(6.0, 0.7), (10.0, 0.9), (20.0, 0.95)])
@pytest.mark.parametrize("step", [(0.3, 0.0), (0.7, 0.4), (2.0, 1.0), (9.0, -4.0)])
def test_a_moving_texture_is_not_smeared(step: tuple[float, float], contrast: float, kept: float) -> None:
    """A texture keeps its detail under noise of 5 codes; one of no more contrast than that loses some."""
    info, generator = describe(GREY, SMALL), np.random.default_rng(0)
    finish = Finish(info, [Denoise(info, lambda _: excess())])
    weights = moving(0, num=1)[0][0].mask.plane
    wide = cv2.GaussianBlur(generator.standard_normal((3 * SMALL.height, 3 * SMALL.width), np.float32), (0, 0), 1.2)
    wide *= contrast / wide.std()
    for index in range(12):
        shift = np.float32([[1, 0, SMALL.width + step[0] * index], [0, 1, SMALL.height + step[1] * index]])
        truth = 120 + cv2.warpAffine(wide, shift, SMALL[::-1], flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP)
        frame = Frame((np.rint(truth + 5 * generator.standard_normal(SMALL)).clip(0, 255).astype(np.uint8),), index)
        after = finish(MaskedFrame(frame, as_mask(weights)), frame).planes[0].astype(np.float32)
        detail, left = (each[8:-8, 8:-8] - cv2.GaussianBlur(each, (0, 0), 3)[8:-8, 8:-8] for each in (truth, after))
        assert (left * detail).sum() > kept * np.square(detail).sum(), index


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
