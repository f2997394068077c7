from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from chromacord.color.alpha import over
from chromacord.color.spaces import code_to_rgb
from chromacord.color.transforms import AffineField, ColorTransform, Identity, Lut3d, lattice
from chromacord.grade.lattice import lut_table
from chromacord.io.compositing.overlay import block_mean
from chromacord.masks.masks import MaskedFrame
from chromacord.render import compiled
from chromacord.render.cpu import Renderer, rounded, spans, unpack
from chromacord.render.native import NativeGrading
from chromacord.types import Alpha, Box, Frame, PixelFormat, Size
from tests.scenes import SIZE, as_mask, describe, masked, noise_frame, soft_disc

FORMATS = {
    "420 8 bit": PixelFormat("yuv", 8, subsampling=(1, 1)),
    "420 10 bit": PixelFormat("yuv", 10, subsampling=(1, 1)),
    "422 10 bit": PixelFormat("yuv", 10, subsampling=(0, 1)),
    "444 12 bit": PixelFormat("yuv", 12),
    "411 8 bit": PixelFormat("yuv", 8, subsampling=(0, 2)),
    "rgb 8 bit": PixelFormat("rgb", 8),
    "rgb 16 bit": PixelFormat("rgb", 16),
    "rgba 8 bit": PixelFormat("rgb", 8, alpha=Alpha.STRAIGHT),
    "gray 8 bit": PixelFormat("gray", 8),
    "rgb float": PixelFormat("rgb", 32, is_float=True),
}

TRANSFORMS: dict[str, ColorTransform] = {
    "affine": AffineField.from_matrix(
        np.float32([[[0.8, 0.1, 0.0], [0.05, 0.9, 0.0], [0.0, 0.1, 0.7]]]), np.full((1, 3), 0.06, np.float32)
    ),
    "lut": Lut3d((lattice(9)[None] ** 1.3) * 0.9 + 0.03),
    "field": AffineField(
        np.eye(3, 4, dtype=np.float32)[None, :, :, None, None]
        * np.linspace(0.6, 0.9, 20, dtype=np.float32).reshape(1, 1, 1, 4, 5)
        + 0.02
    ),
}


@pytest.fixture(params=["native", "numpy"], autouse=True)
def build(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run every test with the compiled render, and as if it had not been built."""
    if request.param == "numpy":
        monkeypatch.setattr(compiled, "BINARY", Path("not built"))
    elif compiled.opened(compiled.BINARY) is None:
        pytest.skip("native.c was not compiled; with a C compiler installed: pip install --editable .")


def oracle(frame: Frame, info, transform: ColorTransform, weights: np.ndarray) -> np.ndarray:
    """Return what the transform and plain numpy make of a 4:4:4 or RGB frame, as unrounded codes. Shape (3, H, W)."""
    matrix, offset = code_to_rgb(info.colorimetry, info.size, info.pixel_format)
    codes = np.stack([plane.astype(np.float64) for plane in frame.planes[:3]])
    rgb = np.einsum("ij,jhw->ihw", matrix, codes) + offset[:, None, None]
    image = rgb.clip(0, 1).astype(np.float32)[None]
    graded = transform(image)[0].astype(np.float64).clip(0, 1)
    back = np.linalg.inv(matrix)
    target = np.einsum("ij,jhw->ihw", back, graded - offset[:, None, None])
    return over(target, codes, weights[None])


@pytest.mark.parametrize("kind", TRANSFORMS)
@pytest.mark.parametrize("layout", FORMATS)
@pytest.mark.parametrize("size", [SIZE, Size(45, 63)], ids=["even", "odd"])
def test_samples_that_the_mask_does_not_cover_keep_their_bits(layout: str, kind: str, size: Size) -> None:
    info = describe(FORMATS[layout], size)
    shown = masked(info)
    rendered = Renderer(info).render(shown, TRANSFORMS[kind])
    weights = soft_disc(size)
    down, right = info.pixel_format.subsampling
    for number, (before, after) in enumerate(zip(shown.frame.planes, rendered.planes, strict=True)):
        is_chroma = info.pixel_format.model == "yuv" and number in (1, 2)
        support = weights
        if is_chroma:
            rows, columns = 1 << down, 1 << right
            padded = np.pad(weights, ((0, -size.height % rows), (0, -size.width % columns)))
            support = padded.reshape(padded.shape[0] // rows, rows, -1, columns).max(axis=(1, 3))
        np.testing.assert_array_equal(before[support == 0], after[support == 0])
        assert before.dtype == after.dtype
        if number < info.pixel_format.num_colors:
            assert (before != after)[support > 0.9].mean() > 0.5


@pytest.mark.parametrize("kind", TRANSFORMS)
@pytest.mark.parametrize("layout", ["444 12 bit", "rgb 8 bit", "rgb 16 bit"])
def test_full_samples_equal_the_transform_to_half_a_code(layout: str, kind: str) -> None:
    info = describe(FORMATS[layout])
    shown = masked(info)
    rendered = np.stack(Renderer(info).render(shown, TRANSFORMS[kind]).planes[:3])
    expected = oracle(shown.frame, info, TRANSFORMS[kind], soft_disc())
    # Tetrahedral against trilinear interpolation of the LUT: 2e-4 on random colours (a ninth of a code at 8 bits).
    tolerance = 0.5 + (1e-3 if kind == "lut" else 2e-5) * info.pixel_format.max_code
    assert np.abs(rendered - expected).max() <= tolerance


@pytest.mark.parametrize("layout", ["420 8 bit", "422 10 bit", "411 8 bit"])
def test_subsampled_chroma_moves_by_the_mean_change_of_its_pixels(layout: str) -> None:
    info = describe(FORMATS[layout])
    down, right = info.pixel_format.subsampling
    shown = masked(info)
    planes = shown.frame.planes
    full = [planes[0], *(plane.repeat(1 << down, 0).repeat(1 << right, 1) for plane in planes[1:3])]
    everywhere = replace(info, pixel_format=replace(info.pixel_format, subsampling=(0, 0)))
    target = oracle(Frame(tuple(full), 0), everywhere, TRANSFORMS["affine"], soft_disc())
    rendered = Renderer(info).render(shown, TRANSFORMS["affine"])
    for number in (1, 2):
        change = target[number] - full[number]
        blocks = change.reshape(planes[1].shape[0], 1 << down, planes[1].shape[1], 1 << right).mean(axis=(1, 3))
        assert np.abs(rendered.planes[number] - (planes[number] + blocks)).max() <= 0.51


@pytest.mark.parametrize("layout", FORMATS)
def test_a_grade_that_changes_nothing_keeps_every_bit(layout: str) -> None:
    info = describe(FORMATS[layout])
    shown = masked(info)
    frame = shown.frame if not info.pixel_format.is_float else noise_frame(info)
    shown = MaskedFrame(frame, shown.mask)
    for transform in (None, Identity.for_frames(1)):
        assert Renderer(info).render(shown, transform) is shown.frame
    if info.pixel_format.is_float:
        return
    rendered = Renderer(info).render(shown, Lut3d(lattice(17)[None]))
    legal = unpack(frame.planes, info, Box(0, 0, *SIZE))[..., :3]
    matrix, offset = code_to_rgb(info.colorimetry, info.size, info.pixel_format)
    rgb = legal @ matrix.T.astype(np.float32) + offset.astype(np.float32)
    inside = ((rgb >= 0) & (rgb <= 1)).all(axis=-1)  # colours that RGB can hold; the others are clipped to it
    for before, after in zip(frame.planes[:1], rendered.planes[:1], strict=True):
        np.testing.assert_array_equal(before[inside], after[inside])


def test_masks_that_are_empty_or_full_pass_frames_through() -> None:
    info = describe(FORMATS["420 8 bit"])
    for weights in (np.zeros(SIZE), np.ones(SIZE)):
        shown = masked(info, weights)
        assert Renderer(info).render(shown, TRANSFORMS["affine"]) is shown.frame


def test_the_source_frame_is_not_written_to() -> None:
    info = describe(FORMATS["420 8 bit"])
    shown = masked(info)
    for plane in shown.frame.planes:
        plane.setflags(write=False)
    Renderer(info).render(shown, TRANSFORMS["affine"])


def test_one_renderer_follows_a_grade_that_moves() -> None:
    info = describe(FORMATS["rgb 8 bit"])
    shown, renderer = masked(info), Renderer(info)
    first = renderer.render(shown, TRANSFORMS["affine"])
    second = renderer.render(shown, TRANSFORMS["lut"])
    again = renderer.render(shown, TRANSFORMS["affine"])
    assert not np.array_equal(first.planes[0], second.planes[0])
    np.testing.assert_array_equal(first.planes[0], again.planes[0])


def test_equal_transforms_are_prepared_once(monkeypatch: pytest.MonkeyPatch) -> None:
    prepared, prepare = [], NativeGrading.prepare
    monkeypatch.setattr(NativeGrading, "prepare", lambda *given: prepared.append(given[0]) or prepare(*given))
    info = describe(FORMATS["rgb 8 bit"])
    shown, renderer = masked(info), Renderer(info)
    first, other = TRANSFORMS["affine"], TRANSFORMS["lut"]
    moved = first.with_parameters(first.parameters * np.float32(0.9))
    for transform in (first, first.with_parameters(first.parameters.copy()), moved, other, first):
        renderer.render(shown, transform)
    assert prepared == [first, moved, other, first]


def linear_info(**changes: object):
    return describe(PixelFormat("rgb", 32, is_float=True, **changes), scene_linear=True)


@pytest.mark.parametrize("kind", TRANSFORMS)
def test_light_outside_the_mask_survives_exactly_and_inside_it_is_graded_sensibly(kind: str) -> None:
    info = linear_info()
    frame = noise_frame(info)
    frame.planes[0][20:24, 30:34] = 12.5  # a highlight, inside the disc
    frame.planes[1][24, 31] = -0.25
    frame.planes[2][1, 1] = 40.0  # outside
    frame.planes[2][1, 2] = -0.5
    weights = (soft_disc() > 0.5).astype(np.float32)
    rendered = Renderer(info).render(MaskedFrame(frame, as_mask(weights)), TRANSFORMS[kind])
    for before, after in zip(frame.planes, rendered.planes, strict=True):
        np.testing.assert_array_equal(before[weights == 0], after[weights == 0])
        assert np.isfinite(after).all()
    assert (rendered.planes[0][20:24, 30:34] > 4).all()  # the highlight is still far above white
    assert rendered.planes[1][24, 31] < 0  # and values below 0 stay below


def test_light_grades_continuously_through_white() -> None:
    info = describe(PixelFormat("rgb", 32, is_float=True), Size(1, 201), scene_linear=True)
    ramp = np.linspace(0.8, 1.2, 201, dtype=np.float32)[None]
    frame = Frame((ramp, ramp * 0.7, ramp * 0.4), 0)
    weights = np.ones((1, 201), np.float32)
    weights[0, 0] = 0.99  # not full, so that it is graded
    rendered = Renderer(info).render(MaskedFrame(frame, as_mask(weights)), TRANSFORMS["lut"])
    steps = np.diff(np.stack(rendered.planes)[:, 0, 1:], axis=-1)
    assert (steps > 0).all()
    assert steps.max() < 3 * np.median(steps)


def test_linear_identity_keeps_light_to_float_precision() -> None:
    info = linear_info()
    shown = masked(info)
    shown.frame.planes[0][20, 30] = -0.1
    rendered = Renderer(info).render(shown, AffineField(np.eye(3, 4, dtype=np.float32)[None, :, :, None, None]))
    for before, after in zip(shown.frame.planes, rendered.planes, strict=True):
        np.testing.assert_allclose(before, after, rtol=2e-5, atol=2e-6)


def test_premultiplied_colours_are_graded_as_if_they_were_opaque() -> None:
    premultiplied, opaque = linear_info(alpha=Alpha.PREMULTIPLIED), linear_info()
    frame = noise_frame(opaque)
    coverage = np.linspace(0.25, 1, SIZE.width, dtype=np.float32)[None].repeat(SIZE.height, 0)
    mask = as_mask(soft_disc())
    scaled = Frame((*(plane * coverage for plane in frame.planes), coverage), 0)
    rendered = Renderer(premultiplied).render(MaskedFrame(scaled, mask), TRANSFORMS["lut"])
    expected = Renderer(opaque).render(MaskedFrame(frame, mask), TRANSFORMS["lut"])
    for after, straight in zip(rendered.planes[:3], expected.planes, strict=True):
        np.testing.assert_allclose(after, straight * coverage, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(rendered.planes[3], coverage)


def test_light_without_coverage_is_left_alone() -> None:
    info = linear_info(alpha=Alpha.PREMULTIPLIED)
    frame = noise_frame(info)
    frame.planes[3][...] = 0
    rendered = Renderer(info).render(MaskedFrame(frame, as_mask(soft_disc())), TRANSFORMS["lut"])
    for before, after in zip(frame.planes, rendered.planes, strict=True):
        np.testing.assert_array_equal(before, after)


def test_a_foreground_layer_is_graded_before_it_is_laid_over() -> None:
    background_info = describe(PixelFormat("yuv", 12))
    layer_info = describe(PixelFormat("rgb", 16))
    background, layer = noise_frame(background_info, seed=1), noise_frame(layer_info, seed=2)
    weights = soft_disc(soft=12)
    to_rgb = code_to_rgb(background_info.colorimetry, SIZE, background_info.pixel_format)
    inverse = np.linalg.inv(to_rgb.matrix)

    def lay(rgb: np.ndarray) -> np.ndarray:
        codes = np.einsum("ij,jhw->ihw", inverse, rgb - to_rgb.offset[:, None, None])
        return over(codes, np.stack(background.planes).astype(np.float64), weights[None])

    straight = np.stack(layer.planes) / 65535
    composite = Frame(tuple(lay(straight).round().astype(np.uint16)), 0)
    graded = TRANSFORMS["affine"](straight.astype(np.float32)[None])[0].clip(0, 1)
    rendered = Renderer(background_info, layer_info).render(
        MaskedFrame(composite, as_mask(weights), layer), TRANSFORMS["affine"]
    )
    assert np.abs(np.stack(rendered.planes) - lay(graded)).max() <= 1.01  # rounded twice


def test_a_layer_over_a_straight_transparency_is_graded_in_full() -> None:
    """Expected by Porter and Duff's "over" of straight colours: (a F + b (1 - a) B) / (a + b (1 - a))."""
    background_info = describe(PixelFormat("rgb", 16, alpha=Alpha.STRAIGHT))
    layer_info = describe(PixelFormat("rgb", 16))
    below, layer = noise_frame(background_info, seed=1), noise_frame(layer_info, seed=2)
    alpha = soft_disc(soft=12)
    colors = np.stack(below.planes[:3]) / 65535
    held = np.random.default_rng(3).uniform(0, 1, SIZE)  # the frame itself is opaque
    joined = alpha + held * (1 - alpha)

    def lay(rgb: np.ndarray) -> np.ndarray:
        return (rgb * alpha + colors * held * (1 - alpha)) / np.maximum(joined, 1e-6)

    straight = np.stack(layer.planes) / 65535
    planes = [*lay(straight), joined]
    composite = Frame(tuple((plane * 65535).round().astype(np.uint16) for plane in planes), 0)
    graded = TRANSFORMS["affine"](straight.astype(np.float32)[None])[0].clip(0, 1)
    rendered = Renderer(background_info, layer_info).render(
        MaskedFrame(composite, as_mask(alpha), layer), TRANSFORMS["affine"]
    )
    error = np.abs(np.stack(rendered.planes[:3]) - lay(graded) * 65535)
    assert error[:, joined > 0.1].max() < 12  # rounded alpha, divided by


def test_block_means_at_odd_edges_average_what_there_is() -> None:
    values = np.arange(15, dtype=np.float32).reshape(3, 5)
    expected = [[3, 5, 6.5], [10.5, 12.5, 14]]
    np.testing.assert_allclose(block_mean(values, (1, 1)), expected)


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ([], []),
        ([4], [(4, 5)]),
        ([0, 1, 2, 9], [(0, 3), (9, 10)]),
        ([3, 4, 5], [(3, 6)]),
        ([2, 3, 5, 20, 23], [(2, 6), (20, 24)]),
    ],
)
def test_two_spans_around_the_widest_gap_hold_all_columns(columns: list[int], expected: list[tuple[int, int]]) -> None:
    assert [(span.start, span.stop) for span in spans(np.array(columns, np.intp))] == expected


@pytest.mark.parametrize(("depth", "most"), [(8, 255), (10, 1023), (16, 65535)])
def test_samples_are_rounded_to_even(depth: int, most: int) -> None:
    values = np.array([[-0.1, 0.5, 1.5, 2.4, most - 0.4, most + 0.1, most + 0.5]], np.float32)
    np.testing.assert_array_equal(rounded(values, PixelFormat("rgb", depth)), [[0, 0, 2, 2, most, most, most]])


@pytest.mark.parametrize(("below", "layer", "expected"), [(0, 200, 0), (255, 20, 255)])
def test_what_a_graded_layer_changes_stays_in_range(below: int, layer: int, expected: int) -> None:
    """A composite that is not of its layers: the layer's change leads out of what the format holds."""
    info = describe(PixelFormat("rgb", 8))
    composite, foreground = (Frame((np.full(SIZE, code, np.uint8),) * 3, 0) for code in (below, layer))
    toward_gray = AffineField.from_matrix(0.5 * np.eye(3, dtype=np.float32)[None], np.full((1, 3), 0.25, np.float32))
    shown = MaskedFrame(composite, as_mask(soft_disc()), foreground)
    for plane in Renderer(info, info).render(shown, toward_gray).planes:
        np.testing.assert_array_equal(plane, expected)


def test_a_mask_of_many_holes_is_followed_everywhere() -> None:
    info = describe(FORMATS["rgb 16 bit"])
    weights = np.random.default_rng(0).choice([0.0, 0.25, 1.0], SIZE, p=[0.2, 0.2, 0.6])
    shown = masked(info, weights)
    rendered = np.stack(Renderer(info).render(shown, TRANSFORMS["affine"]).planes)
    stored = shown.mask.crop(Box(0, 0, *SIZE))
    assert np.abs(rendered - oracle(shown.frame, info, TRANSFORMS["affine"], stored)).max() <= 2


@pytest.mark.parametrize("nodes", [2, 9, 17, 33, 40])
def test_a_luts_table_is_the_lut_on_the_lattice_in_the_order_of_opencolorio(nodes: int) -> None:
    lut = Lut3d(np.random.default_rng(nodes).random((1, 3, nodes, nodes, nodes), np.float32))
    expected = lut.to_lut(33).parameters[0]
    table = lut_table(lut, 33)
    for red, green, blue in ((0, 0, 0), (32, 5, 17), (3, 32, 32), (20, 11, 1)):
        np.testing.assert_allclose(table[red, green, blue], expected[:, blue, green, red], atol=1e-6)
    assert table.flags.c_contiguous
