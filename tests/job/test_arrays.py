from collections.abc import Iterator

import numpy as np
import pytest

import chromacord as cc
from chromacord.errors import InputError, MismatchError, NonFiniteError
from tests.footage import SIZE, disc, make_composite, make_mask, recoloured
from tests.scenes import Brighten


def pairs(count: int = 30, dtype: str = "uint8") -> list[tuple[np.ndarray, np.ndarray]]:
    made = []
    for index in range(count):
        composite = np.stack(recoloured("gbrp", index % 12), axis=-1)
        if dtype == "uint16":
            composite = composite.astype(np.uint16) * 257
        elif dtype.startswith("float"):
            composite = (composite / 255).astype(dtype)
        made.append((composite, disc(index % 12)))
    return made


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
@pytest.mark.parametrize("consistency", ["shot", "smooth", "frame"])
def test_frames_come_out_as_they_went_in_with_only_the_foreground_changed(dtype: str, consistency: str) -> None:
    given = pairs(dtype=dtype)
    result = list(cc.harmonize_frames(iter(given), "mkl", consistency=consistency))
    assert len(result) == len(given)
    for (composite, mask), frame in zip(given, result, strict=True):
        assert (frame.shape, frame.dtype) == (composite.shape, composite.dtype)
        np.testing.assert_array_equal(frame[mask == 0], composite[mask == 0])
        assert (frame != composite)[mask == 255].mean() > 0.5


def test_the_result_equals_the_file_jobs(tmp_path) -> None:
    frames = [recoloured("gbrp16le", index) for index in range(30)]
    masks = [disc(index % 12) for index in range(30)]
    composite = make_composite(tmp_path / "comp.mkv", "gbrp16le", codec="ffv1", frames=frames)
    mask = make_mask(tmp_path / "mask.mkv", frames=[[plane] for plane in masks])
    cc.harmonize_video(composite, mask=mask, output=tmp_path / "out.mkv", method="mkl", strength=0.7)
    from chromacord.io import open_source

    given = ((np.stack(planes, axis=-1), plane) for planes, plane in zip(frames, masks, strict=True))
    arrays = cc.harmonize_frames(given, "mkl", strength=0.7, rate=25)
    for array, frame in zip(arrays, open_source(tmp_path / "out.mkv").frames(), strict=True):
        np.testing.assert_array_equal(array, np.stack(frame.planes, axis=-1))


def test_only_a_second_or_so_is_held() -> None:
    read = 0

    def source() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        nonlocal read
        for pair in pairs(120):
            read += 1
            yield pair

    most = 0
    for number, _ in enumerate(cc.harmonize_frames(source(), "mkl", rate=24)):
        most = max(most, read - number)
    assert read == 120
    assert most < 45  # a second of smoothing, a step of analysis, and what cut detection holds back


def test_a_generator_may_fill_the_same_arrays_anew() -> None:
    frames = pairs()
    buffers = tuple(np.empty_like(array) for array in frames[0])

    def filled() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for frame in frames:
            for buffer, array in zip(buffers, frame, strict=True):
                buffer[:] = array
            yield buffers

    for got, wanted in zip(cc.harmonize_frames(filled(), "mkl"), cc.harmonize_frames(frames, "mkl"), strict=True):
        assert np.array_equal(got, wanted)


def test_masks_may_be_boolean_or_have_a_channel() -> None:
    composite = pairs(1)[0][0]
    mask = disc(0) > 127
    plain = next(cc.harmonize_frames([(composite, mask)], "mkl"))
    np.testing.assert_array_equal(next(cc.harmonize_frames([(composite, mask[..., None])], "mkl")), plain)
    np.testing.assert_array_equal(next(cc.harmonize_frames([(composite, mask.astype(float))], "mkl")), plain)


def test_a_method_object_keeps_its_state_inside_a_shot_only() -> None:
    given = [(np.full((48, 64, 3), 0.5, np.float32), disc(0)[:48, :64]) for _ in range(12)]
    given += [(np.full((48, 64, 3), [0.9, 0.1, 0.1], np.float32), disc(0)[:48, :64]) for _ in range(12)]
    result = list(cc.harmonize_frames(given, Brighten(), consistency="frame", rate=24))
    center = [frame[24, 33, 1] for frame in result]
    expected = [0.5 + 0.01 * n for n in range(12)] + [0.1 + 0.01 * n for n in range(12)]
    np.testing.assert_allclose(center, expected, atol=1e-5)


def test_nothing_in_gives_nothing_out() -> None:
    assert list(cc.harmonize_frames([], "mkl")) == []


@pytest.mark.parametrize(
    ("composite", "mask", "error", "said"),
    [
        (np.zeros((*SIZE, 4), np.uint8), disc(0), InputError, "shape"),
        (np.zeros((*SIZE, 3), np.int32), disc(0), InputError, "int32"),
        (np.zeros((*SIZE, 3), np.uint8), disc(0)[:-1], MismatchError, "frame 0"),
        (np.zeros((*SIZE, 3), np.uint8), np.dstack([disc(0)] * 4), InputError, "frame 0: the mask has shape .* one"),
        (np.full((*SIZE, 3), np.nan, np.float32), disc(0), NonFiniteError, "frame 0: the composite holds NaN"),
        (np.full((*SIZE, 3), np.inf), disc(0), NonFiniteError, "frame 0: the composite holds NaN or infinity"),
        (np.zeros((*SIZE, 3), np.uint8), np.full(SIZE, np.nan, np.float32), NonFiniteError, "frame 0: the mask"),
    ],
)
def test_arrays_that_cannot_be_used_are_named(composite, mask, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        list(cc.harmonize_frames([(composite, mask)], "mkl"))


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "int64", "uint32", "uint64", "complex64", "object"])
@pytest.mark.parametrize("top", [1, 100])
def test_masks_of_other_types_are_refused_with_type_and_range(dtype: str, top: int) -> None:
    mask = ((disc(0) > 127) * top).astype(dtype)
    said = rf"^frame 0: the mask is {dtype}.*; give bool, uint8 \(0 to 255\), uint16 \(0 to 65535\) or floats \(0 to 1"
    with pytest.raises(InputError, match=said) as told:
        next(cc.harmonize_frames([(pairs(1)[0][0], mask)], "mkl"))
    assert ("int" in dtype) == (f"from 0 to {top}" in str(told.value))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize(("low", "high"), [(0, 255), (0, 1.01), (-1, 1), (-0.01, 0.9)])
def test_floats_outside_zero_and_one_are_refused_with_type_and_range(dtype: str, low: float, high: float) -> None:
    composite, mask = pairs(1, dtype="float32")[0]
    cases = {"composite": (composite, mask), "mask": (composite, mask / 255)}
    for index, (name, pair) in enumerate(cases.items()):
        wrong = pair[index].astype(dtype)
        wrong.flat[0], wrong.flat[-1] = low, high
        given = (wrong, mask) if name == "composite" else (composite, wrong)
        with pytest.raises(InputError, match=rf"^frame 0: the {name} is {dtype} from .* to .*; floats must be in 0..1"):
            next(cc.harmonize_frames([given], "mkl"))


def test_floats_that_are_rounded_a_little_beyond_one_are_taken() -> None:
    composite, mask = pairs(1, dtype="float32")[0]
    composite[0, 0], mask = 1.0005, (mask / 255).astype(np.float16) * np.float16(1.0005)
    assert next(cc.harmonize_frames([(composite, mask)], "mkl")).shape == composite.shape


def test_frames_of_another_size_are_named() -> None:
    given = [*pairs(2), (np.zeros((10, 10, 3), np.uint8), np.zeros((10, 10), np.uint8))]
    with pytest.raises(MismatchError, match="frame 2"):
        list(cc.harmonize_frames(given, "mkl"))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"method": "nope"}, "there is no method 'nope'"),
        ({"strength": 2.0}, "strength must lie in 0..1"),
        ({"consistency": "often"}, "consistency must be one of"),
        *[
            ({"rate": rate}, "rate must lie in 0.01..1000000")
            for rate in (0, -5, np.nan, np.inf, 1e-9, 1e300, "25", True)
        ],
    ],
)
def test_arguments_are_refused_at_the_call_before_any_frame_is_asked_for(options: dict, said: str) -> None:
    def never() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        raise AssertionError
        yield

    with pytest.raises(InputError, match=said):
        cc.harmonize_frames(never(), **({"method": "mkl"} | options))


@pytest.mark.parametrize("other", ["uint16", "float32", "float64"])
def test_frames_of_another_type_than_the_first_are_refused(other: str) -> None:
    with pytest.raises(MismatchError, match=f"^frame 1: is of type {other}, the first frame of uint8; convert one"):
        list(cc.harmonize_frames([pairs(1)[0], pairs(1, dtype=other)[0]], "mkl"))


@pytest.mark.parametrize("pair", [5, np.zeros((8, 8, 3)), (), (1,), (1, 2, 3), ([[1], [2, 3]], [[0]])])
def test_what_is_no_pair_of_arrays_is_refused(pair: object) -> None:
    told = r"^frame 1: is (not a pair; give \(composite, mask\)|not made of arrays: .*; give)"
    with pytest.raises(InputError, match=told):
        list(cc.harmonize_frames([*pairs(1), pair], "identity"))


@pytest.mark.parametrize("shape", [(0, 0), (0, 8), (8, 0)])
def test_pictures_without_pixels_are_refused(shape: tuple[int, int]) -> None:
    pair = np.zeros((*shape, 3), np.uint8), np.zeros(shape, np.uint8)
    with pytest.raises(InputError, match="has no pixels; give pictures"):
        list(cc.harmonize_frames([pair], "mkl"))


def test_a_picture_is_a_clip_of_one_frame() -> None:
    ((composite, mask),) = pairs(1)
    (expected,) = cc.harmonize_frames([(composite, mask)])
    assert np.array_equal(cc.harmonize_image(composite, mask), expected)
    assert not np.array_equal(expected, composite)
    with pytest.raises(cc.ChromacordError, match="strength"):
        cc.harmonize_image(composite, mask, strength=2)
