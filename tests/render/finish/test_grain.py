"""Grain is measured and matched on pictures whose noise is known: numpy draws it."""

import cv2
import numpy as np
import pytest

from chromacord.color.transforms import AffineField
from chromacord.errors import ChromacordWarning
from chromacord.grade.keys import ANY_LENGTH, Grade, Key, Shot
from chromacord.job.finishing.matching import MatchedGrain
from chromacord.job.finishing.measurement import Measuring
from chromacord.masks.masks import MaskedFrame
from chromacord.render.cpu import Renderer
from chromacord.render.finish.grain import Grain, graded_noise, missing
from chromacord.render.finish.noise import BINS, Noise, neutral_codes
from chromacord.render.finish.stage import Finish
from chromacord.render.graders import grading
from chromacord.types import Frame, PixelFormat, Size, VideoInfo
from tests.scenes import as_mask, describe

SIZE = Size(288, 384)
YUV = PixelFormat("yuv", 8, subsampling=(1, 1))
FORMATS = {
    "420 8 bit": YUV,
    "422 10 bit": PixelFormat("yuv", 10, subsampling=(0, 1)),
    "rgb 16 bit": PixelFormat("rgb", 16),
}


def matte() -> np.ndarray:
    rows, columns = np.mgrid[: SIZE.height, : SIZE.width]
    inside = np.hypot(rows - SIZE.height / 2, columns - SIZE.width * 0.45) < SIZE.height * 0.36
    return cv2.GaussianBlur(inside.astype(np.float32), (0, 0), 1)


def scene(info: VideoInfo, index: int, number: int) -> np.ndarray:
    """Return a plane without noise: slopes, a texture that moves, and one that does not; 0.2 to 0.7."""
    shift = info.pixel_format.subsampling if number and info.pixel_format.model == "yuv" else (0, 0)
    rows, columns = np.mgrid[: SIZE.height, : SIZE.width].astype(np.float32)
    value = 0.3 + 0.3 * columns / SIZE.width
    value += 0.1 * np.sin(columns * 0.9 + 1.7 * index) * (rows < 70)
    value += 0.1 * np.sign(np.sin(rows * 1.3)) * (rows > 230)
    return value[:: 1 << shift[0], :: 1 << shift[1]]


def clip(info: VideoInfo, inside: float, outside: float, *, num: int = 9, blur: float = 0) -> list[MaskedFrame]:
    """Return frames with noise of known deviation, in 8-bit codes, in the foreground and in the background."""
    generator, mask = np.random.default_rng(1), as_mask(matte())
    unit = info.pixel_format.max_code / 255
    frames = []
    for index in range(num):
        planes = []
        for number in range(3):
            clean = scene(info, index, number) * info.pixel_format.max_code
            weight = cv2.resize(matte(), clean.shape[::-1], interpolation=cv2.INTER_AREA)
            noise = generator.standard_normal(clean.shape).astype(np.float32)
            if blur:
                noise = cv2.GaussianBlur(noise, (0, 0), blur)
                noise /= noise.std()
            noisy = clean + unit * noise * np.where(weight > 0.5, inside, outside)
            planes.append(np.rint(noisy.clip(0, info.pixel_format.max_code)).astype(info.pixel_format.dtype))
        frames.append(MaskedFrame(Frame(tuple(planes), index), mask))
    return frames


def measured(info: VideoInfo, frames: list[MaskedFrame]) -> Measuring:
    measuring = Measuring(info)
    for each in frames:
        measuring.push(each.frame, each.mask, 0)
    return measuring


def grade_of(num: int, gain: float = 1.0) -> Grade:
    transform = AffineField.from_matrix(gain * np.eye(3, dtype=np.float32)[None], np.zeros((1, 3), np.float32))
    return Grade((Shot(0, num, (Key(0, 1.0, transform),)),), "", "shot", 24, num)


def noise_inside(info: VideoInfo, frames: list[Frame], sources: list[MaskedFrame], gain: float = 1.0) -> np.ndarray:
    """Return the true deviation of each plane well inside the matte, in 8-bit codes."""
    found = []
    for number in range(3):
        rest = np.stack(
            [
                frame.planes[number] - gain * scene(info, frame.index, number) * info.pixel_format.max_code
                for frame in frames
            ]
        )
        weight = cv2.resize(cv2.erode(matte(), np.ones((9, 9))), rest.shape[:0:-1], interpolation=cv2.INTER_AREA)
        found.append(rest[:, weight == 1].std() * 255 / info.pixel_format.max_code)
    return np.array(found)


@pytest.mark.parametrize("layout", FORMATS)
@pytest.mark.parametrize("blur", [0, 0.6])
@pytest.mark.parametrize("deviation", [1.5, 6.0])
def test_noise_is_measured_to_a_tenth(layout: str, deviation: float, blur: float) -> None:
    info = describe(FORMATS[layout], SIZE)
    frames = clip(info, 0.6 * deviation, deviation, blur=blur)
    found = measured(info, frames).noise
    unit = info.pixel_format.max_code / 255
    for side, true in (("foreground", 0.6 * deviation), ("background", deviation)):
        noise = Noise.over([getattr(each, side) for each in found], 3)
        assert np.sqrt(noise.variance[~np.isnan(noise.variance)]) / unit == pytest.approx(true, rel=0.1, abs=0.1)


@pytest.mark.parametrize(
    ("layout", "blur", "gain"),
    [
        ("420 8 bit", 0, 1.0),
        ("420 8 bit", 0.6, 1.0),
        ("422 10 bit", 0, 1.0),
        ("rgb 16 bit", 0, 1.0),
        ("rgb 16 bit", 0.6, 0.7),
    ],
)
def test_a_foreground_gets_the_noise_of_its_background_to_a_tenth(layout: str, blur: float, gain: float) -> None:
    info = describe(FORMATS[layout], SIZE)
    frames = clip(info, 1.0, 5.0, blur=blur)
    grade = grade_of(len(frames), gain)
    finish = Finish(info, [Grain(info, MatchedGrain(measured(info, frames), grade, info))])
    renderer = Renderer(info)
    done = [finish(each, renderer.render(each, grade.shots[0].keys[0].transform)) for each in frames]
    assert noise_inside(info, done, frames, gain) == pytest.approx(5, rel=0.1)
    outside = matte() == 0
    assert all(
        np.array_equal(a.planes[0][outside], b.frame.planes[0][outside]) for a, b in zip(done, frames, strict=True)
    )


def test_grain_moves_and_is_the_same_in_each_run() -> None:
    info = describe(YUV, SIZE)
    frames = clip(info, 0.0, 5.0)

    def run(start: int) -> list[Frame]:
        finish = Finish(info, [Grain(info, MatchedGrain(measured(info, frames), grade_of(len(frames)), info))])
        return [finish(each, each.frame) for each in frames[start:]]

    first, again, tail = run(0), run(0), run(4)
    assert all(np.array_equal(a.planes[0], b.planes[0]) for a, b in zip(first, again, strict=True))
    assert all(np.array_equal(a.planes[0], b.planes[0]) for a, b in zip(first[4:], tail, strict=True))
    inside = matte() == 1
    rest = [frame.planes[0][inside] - scene(info, frame.index, 0)[inside] * 255 for frame in first]
    assert abs(np.corrcoef(rest)[np.triu_indices(len(rest), 1)]).max() < 0.1


def test_no_grain_is_added_where_the_background_has_none_that_moves() -> None:
    """A codec that has smoothed the background, or frozen its noise, leaves none."""
    info = describe(YUV, SIZE)
    frames = clip(info, 0.0, 0.0)
    frozen = clip(info, 0.0, 6.0, num=1)[0].frame.planes
    for kind in (frames, [each._replace(frame=Frame(frozen, each.frame.index)) for each in frames]):
        matched = MatchedGrain(measured(info, kind), grade_of(len(kind)), info)
        found = matched(0)
        assert found is not None
        assert not found[0].any()


def test_a_still_is_measured_by_its_flat_blocks() -> None:
    info = describe(YUV, SIZE)
    (each,) = measured(info, clip(info, 0.0, 5.0, num=1)).noise
    known = ~np.isnan(each.background.variance)
    assert np.sqrt(each.background.variance[known]) == pytest.approx(5, rel=0.1)


def test_a_foreground_that_is_noisier_is_told() -> None:
    info = describe(YUV, SIZE)
    frames = clip(info, 6.0, 1.0)
    matched = MatchedGrain(measured(info, frames), grade_of(len(frames)), info)
    with pytest.warns(UserWarning, match="noisier than its background .* denoised over time"):
        found = matched(3)
    assert found is not None
    assert not found[0].any()


@pytest.mark.parametrize("lost", [[0], [2], [1, 2], [0, 1, 2]])
def test_planes_whose_noise_is_unknown_at_some_brightness_stay_finite(lost: list[int]) -> None:
    info = describe(YUV, SIZE)
    codes = np.linspace(40, 200, 8) * np.ones((3, 1))
    variance = np.full((3, 8), 9.0)
    none = Noise(np.full((3, 8), np.nan), codes, np.full((3, 2), np.nan))
    variance[lost, 3] = np.nan
    assert missing(none, Noise(variance, codes, none.neighbours), info) == pytest.approx((9 - 1 / 12) ** 0.5)
    variance[lost] = np.nan
    amount = missing(none, Noise(variance, codes, none.neighbours), info)
    assert not amount[lost].any()
    assert np.isfinite(amount).all()


@pytest.mark.parametrize("radius", [5, 1000])
@pytest.mark.parametrize("layout", FORMATS)
def test_a_side_without_a_whole_block_is_unknown(layout: str, radius: int) -> None:
    """A foreground of few pixels has no whole block, nor has the background of one that fills the picture."""
    info = describe(FORMATS[layout], SIZE)
    rows, columns = np.mgrid[: SIZE.height, : SIZE.width]
    weights = (np.hypot(rows - 100, columns - 100) < radius).astype(np.float32)
    weights[0, 0] = 0
    frames = [each._replace(mask=as_mask(weights)) for each in clip(info, 4.0, 4.0, num=2)]
    found = measured(info, frames).noise[0]
    little, most = (found.foreground, found.background)[:: 1 if radius == 5 else -1]
    assert not little.is_known
    assert most.is_known
    with pytest.warns(ChromacordWarning, match="has too few blocks of 16x16 pixels"):
        MatchedGrain(measured(info, frames), grade_of(2), info)(0)


@pytest.mark.parametrize("layout", FORMATS)
def test_a_plane_of_unknown_noise_hides_no_other(layout: str) -> None:
    info = describe(FORMATS[layout], SIZE)
    whole = Noise(np.full((3, 8), 9.0), neutral_codes(info), np.full((3, 2), 0.0))
    lost = Noise(whole.variance.copy(), whole.codes.copy(), whole.neighbours)
    lost.variance[1:], lost.codes[1:] = np.nan, np.nan
    grade = grading(
        AffineField.from_matrix(np.eye(3, dtype=np.float32)[None], np.zeros((1, 3), np.float32)), info, info
    )
    graded = graded_noise(lost, grade, info)
    assert graded.variance[0] == pytest.approx(9, rel=0.01)
    assert graded_noise(whole, grade, info).variance[0] == pytest.approx(9, rel=0.01)


def test_the_frames_of_a_grade_without_end_are_told_as_such() -> None:
    info = describe(YUV, SIZE)
    frames = clip(info, 6.0, 1.0)
    with pytest.warns(UserWarning, match="frames 0 to the end: the foreground is noisier"):
        MatchedGrain(measured(info, frames), grade_of(ANY_LENGTH), info)(3)


def test_each_shot_is_measured_from_its_first_frame() -> None:
    """At 24 frames a second every fourth is measured; shots of two frames would be missed."""
    info = describe(YUV, SIZE)
    measuring, frames = Measuring(info), clip(info, 1.0, 5.0, num=6)
    for each, shot in zip(frames, (0, 1, 1, 2, 2, 3), strict=True):
        measuring.push(each.frame, each.mask, shot)
    assert [each.index for each in measuring.noise] == [0, 1, 3, 5]


def test_the_deviation_is_the_root_of_the_median_variance_where_it_is_known() -> None:
    variance = np.full((3, BINS), np.nan)
    codes, neighbours = np.zeros((3, BINS)), np.zeros((3, 2))
    assert Noise(variance, codes, neighbours).deviation == 0.0
    variance[0, [1, 4, 5]] = 4.0, 9.0, 100.0
    variance[1:] = 1e4  # chroma does not count
    assert Noise(variance, codes, neighbours).deviation == 3.0


def test_graded_noise_follows_the_grades_slope_in_every_direction() -> None:
    info = describe(FORMATS["rgb 16 bit"], SIZE)
    matrix = np.float32([[0.8, 0.1, -0.05], [0.2, 0.6, 0.1], [-0.1, 0.05, 0.9]])
    offset = np.float32([0.02, 0.05, 0.01])
    grade = grading(AffineField.from_matrix(matrix[None], offset[None]), info, info)
    generator = np.random.default_rng(0)
    codes, variance = generator.uniform(0.3, 0.7, (3, BINS)) * 65535, generator.uniform(1e4, 9e4, (3, BINS))
    graded = graded_noise(Noise(variance, codes, np.zeros((3, 2))), grade, info)
    np.testing.assert_allclose(graded.codes, matrix @ codes + 65535 * offset[:, None], rtol=1e-3)
    np.testing.assert_allclose(graded.variance, matrix**2 @ variance, rtol=1e-2)


def test_noise_of_rgb_is_looked_up_by_the_brightness_of_green() -> None:
    info = describe(FORMATS["rgb 16 bit"], SIZE)
    level = (np.arange(BINS) + 0.5) / BINS
    codes = np.stack([np.full(BINS, 0.9), level, level[::-1]]) * 65535
    none = Noise(np.full((3, BINS), np.nan), codes, np.zeros((3, 2)))
    rising = Noise(np.tile(1e6 * level, (3, 1)), codes, np.zeros((3, 2)))
    amount = missing(none, rising, info)
    expected = np.interp((np.arange(256) + 0.5) / 256, level, 1e6 * level)
    np.testing.assert_allclose(amount, np.tile(np.sqrt(expected - 1 / 12), (3, 1)), rtol=1e-4)
