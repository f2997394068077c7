from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from skimage.data import astronaut, rocket

from chromacord.color.spaces import code_to_rgb, rgb_to_code
from chromacord.errors import MissingFileError
from chromacord.masks.masks import MaskedFrame
from chromacord.render.finish.sharpness import measure_spread
from chromacord.sample import scene as sample
from chromacord.sample.sample_files import make_chord, to_planes, write_sample
from chromacord.types import Frame, PixelFormat, Size
from tests.clips import BT709
from tests.scenes import as_mask, describe


@pytest.fixture(scope="module")
def layers() -> list[sample.Layers]:
    return list(sample.sample_layers(2))


def test_the_sample_is_the_same_in_every_run(layers: list[sample.Layers]) -> None:
    again = next(sample.sample_layers(2))
    assert all(np.array_equal(one, other) for one, other in zip(layers[0], again, strict=True))


def test_the_matte_is_soft_and_covers_the_person_alone(layers: list[sample.Layers]) -> None:
    alpha = layers[0].alpha
    assert alpha.shape == (720, 1280, 1)
    assert 0.15 < alpha.mean() < 0.4
    assert 0.002 < np.mean((alpha > 0.05) & (alpha < 0.95)) < 0.02
    assert not alpha[:40].any()
    assert not alpha[:, 1100:].any()


def test_the_composite_is_the_background_with_grain_outside_the_matte(layers: list[sample.Layers]) -> None:
    first = layers[0]
    outside = first.alpha[..., 0] == 0
    difference = (first.composite - first.background)[outside]
    inner = difference[(first.background[outside] > 0.05).all(axis=1)]
    assert abs(inner.mean()) < 1e-4
    assert inner.std() == pytest.approx(1.5 / 255, rel=0.05)


def test_the_person_and_the_launch_pad_both_move(layers: list[sample.Layers]) -> None:
    first, last = layers
    assert np.abs(first.background - last.background).mean() > 0.02
    centers = [np.average(np.arange(1280), weights=frame.alpha[..., 0].sum(axis=0)) for frame in layers]
    assert centers[1] - centers[0] > 50


def test_the_mismatch_is_one_that_anyone_sees(layers: list[sample.Layers]) -> None:
    first = layers[0]
    weight = first.alpha[..., 0]
    person, dusk = (np.average(first.composite, axis=(0, 1), weights=part) for part in (weight, 1 - weight))
    # Warmer and brighter by far more than 2 %, the least visible difference.
    assert person[0] / person[2] > 1.3 * dusk[0] / dusk[2]
    assert person.mean() > 1.3 * dusk.mean()


def test_a_filmed_plate_is_softer_than_the_actor_and_has_grain(layers: list[sample.Layers]) -> None:
    filmed = sample.as_filmed(layers[0], 0)
    grain = (filmed.background - sample.as_filmed(layers[0], 1).background)[:100, :100] / 2**0.5
    assert grain.std() == pytest.approx(4 / 255, rel=0.05)
    frame = Frame(tuple(np.rint(255 * filmed.composite).clip(0, 255).astype(np.uint8).transpose(2, 0, 1)), 0)
    found = measure_spread(
        MaskedFrame(frame, as_mask(filmed.alpha[..., 0])), describe(PixelFormat("rgb", 8), sample.SIZE)
    )
    assert found.background > found.foreground + 0.8**2


def test_planes_hold_the_colours_of_the_standard() -> None:
    pixels = PixelFormat("yuv", 8, subsampling=(1, 1))
    picture = np.full((4, 6, 3), (0.8, 0.3, 0.1), dtype=np.float32)
    planes = to_planes(picture, rgb_to_code(BT709, Size(4, 6), pixels))
    assert [plane.shape for plane in planes] == [(4, 6), (2, 3), (2, 3)]
    back = code_to_rgb(BT709, Size(4, 6), pixels)
    codes = np.array([float(plane.flat[0]) for plane in planes])
    assert back.matrix @ codes + back.offset == pytest.approx((0.8, 0.3, 0.1), abs=0.01)


def test_the_chord_has_the_length_of_the_clip_and_does_not_clip() -> None:
    chord = make_chord(Fraction(1, 2))
    assert chord.shape == (2, 24000)
    assert 0.05 < np.abs(chord).max() < 1
    assert np.abs(chord[0] - chord[1]).max() > 0.01


def test_the_files_are_what_a_compositor_would_hand_over(tmp_path: Path) -> None:
    files = write_sample(tmp_path, num_frames=3)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(path.name for path in files)
    for path in files:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            frames = list(container.decode(video=0))
            assert (stream.codec_context.name, frames[0].width, frames[0].height) == ("h264", 1280, 720)
            assert (len(frames), stream.average_rate) == (3, 25)
            assert (frames[0].colorspace, frames[0].color_primaries, frames[0].color_range) == (1, 1, 1)
            assert len(container.streams.audio) == (path == files.composite)


def test_the_photographs_are_those_of_scikit_image() -> None:
    for name, picture in ((sample.ASTRONAUT, astronaut()), (sample.ROCKET, rocket())):
        np.testing.assert_array_equal(np.rint(sample.read_photograph(name) * 255), picture)


def test_a_photograph_that_is_missing_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample, "ROCKET", "nothing.webp")
    with pytest.raises(MissingFileError, match=r"nothing.webp: is missing or damaged; reinstall chromacord$"):
        next(sample.sample_layers(2))
