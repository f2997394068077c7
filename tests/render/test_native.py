"""The compiled render against render.py's own, and how it is built. What both must do stands in test_render.py."""

import importlib.util
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from chromacord.color.transforms import AffineField, Identity, Lut3d, lattice
from chromacord.masks.masks import Mask, MaskedFrame
from chromacord.masks.packed_masks import PackedMask
from chromacord.render import native
from chromacord.render.cpu import Renderer
from chromacord.render.native import NativeGrading
from chromacord.types import Alpha, Box, Frame, PixelFormat, Size, VideoInfo
from tests.render.test_cpu import FORMATS, TRANSFORMS
from tests.scenes import as_mask, describe, masked, noise_frame, soft_disc

ROOT = Path(__file__).parents[2]

needs_native = pytest.mark.skipif(
    native.opened(native.BINARY) is None,
    reason="native.c was not compiled; with a C compiler installed: pip install --editable .",
)

COMMON = {
    **{name: FORMATS[name] for name in ("420 8 bit", "420 10 bit", "422 10 bit", "444 12 bit", "rgb 8 bit")},
    "440 8 bit": PixelFormat("yuv", 8, subsampling=(1, 0)),
    "420 16 bit": PixelFormat("yuv", 16, subsampling=(1, 1)),
    "rgb 16 bit": FORMATS["rgb 16 bit"],
    "rgba 8 bit": FORMATS["rgba 8 bit"],
    "yuva 8 bit": PixelFormat("yuv", 8, subsampling=(1, 1), alpha=Alpha.STRAIGHT),
}
STRONG = Lut3d(
    (lattice(9) + np.float32(0.2) * np.random.default_rng(1).standard_normal((3, 9, 9, 9), np.float32))[None]
)


def both(info: VideoInfo, shown: MaskedFrame, transform, monkeypatch: pytest.MonkeyPatch) -> tuple[Frame, Frame]:
    """Return what the compiled render makes, and what render.py makes."""
    assert NativeGrading.prepare(transform, info) is not None
    compiled = Renderer(info).render(shown, transform)
    with monkeypatch.context() as without:
        without.setattr(native, "BINARY", Path("not built"))
        return compiled, Renderer(info).render(shown, transform)


def agree(one: Frame, other: Frame, *, share: float = 1e-3) -> None:
    """Assert that samples are equal but for roundings: a few differ, by one code."""
    for plane, expected in zip(one.planes, other.planes, strict=True):
        difference = np.abs(plane.astype(int) - expected.astype(int))
        assert difference.max() <= 1
        assert (difference > 0).mean() <= share


@needs_native
@pytest.mark.parametrize("kind", ["affine", "lut", "strong lut"])
@pytest.mark.parametrize("layout", COMMON)
# 300 columns are more than two runs; of 513 one is left over.
@pytest.mark.parametrize("size", [Size(48, 64), Size(45, 63), Size(33, 300), Size(31, 513)], ids=str)
def test_it_makes_what_render_makes(layout: str, kind: str, size: Size, monkeypatch: pytest.MonkeyPatch) -> None:
    info = describe(COMMON[layout], size)
    wide = Size(size.height, size.height)
    weights = np.resize(soft_disc(wide), size) if size.width > 256 else soft_disc(size)
    transform = STRONG if kind == "strong lut" else TRANSFORMS[kind]
    # With more bits than floats keep apart, more samples lie next to a rounding.
    share = 0.05 if info.pixel_format.depth == 16 else 2e-3
    agree(*both(info, masked(info, weights), transform, monkeypatch), share=share)


@needs_native
@pytest.mark.parametrize("full_range", [True, False])
@pytest.mark.parametrize("layout", ["420 8 bit", "444 12 bit", "rgb 8 bit", "420 16 bit"])
def test_codes_at_both_ends_stay_in_their_format(
    layout: str, full_range: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixel_format = COMMON[layout]
    info = describe(pixel_format, full_range=full_range)
    generator = np.random.default_rng(0)
    ends = np.array([0, 1, pixel_format.max_code - 1, pixel_format.max_code], pixel_format.dtype)
    planes = tuple(generator.choice(ends, plane.shape) for plane in noise_frame(info).planes)
    shown = MaskedFrame(Frame(planes, 0), as_mask(soft_disc()))
    gain = AffineField.from_matrix(3 * np.eye(3, dtype=np.float32)[None], np.full((1, 3), -0.8, np.float32))
    for transform in (gain, STRONG):
        agree(*both(info, shown, transform, monkeypatch), share=0.05 if pixel_format.depth == 16 else 2e-3)


@needs_native
@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (2, 1), (1, 3), (3, 3), (5, 7)])
@pytest.mark.parametrize("corner", ["near", "far"])
def test_boxes_of_few_pixels_are_graded_and_nothing_beside_them(
    shape: tuple[int, int], corner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = Size(9, 11)
    info = describe(FORMATS["420 8 bit"], size)
    weights = np.zeros(size, np.float32)
    height, width = shape
    part = weights[:height, :width] if corner == "near" else weights[-height:, -width:]
    part[...] = 1
    shown = masked(info, weights)
    compiled, expected = both(info, shown, TRANSFORMS["affine"], monkeypatch)
    agree(compiled, expected, share=0.01)
    np.testing.assert_array_equal(compiled.planes[0][weights == 0], shown.frame.planes[0][weights == 0])


@needs_native
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_masks_are_read_in_their_own_codes(dtype: type[np.generic], monkeypatch: pytest.MonkeyPatch) -> None:
    info = describe(FORMATS["420 8 bit"])
    white = 1.0 if dtype is np.float32 else 0.9 * np.iinfo(dtype).max
    black = 0.1 * white
    codes = (soft_disc() * white).astype(dtype)
    mask = Mask.from_plane(codes, black=black, white=0.95 * white)
    shown = MaskedFrame(noise_frame(info), mask)
    compiled, expected = both(info, shown, TRANSFORMS["lut"], monkeypatch)
    agree(compiled, expected)
    packed = MaskedFrame(shown.frame, PackedMask.pack(mask).unpack_box())
    again, _ = both(info, packed, TRANSFORMS["lut"], monkeypatch)
    for plane, other in zip(compiled.planes, again.planes, strict=True):
        np.testing.assert_array_equal(plane, other)


@needs_native
@pytest.mark.parametrize("dtype", [">u2", "<i4", "u4", "i8", "f8", "f2"])
def test_masks_of_other_types_mean_the_same(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    info = describe(FORMATS["420 8 bit"])
    codes = (soft_disc() * 200).astype(dtype)
    shown = MaskedFrame(noise_frame(info), Mask.from_plane(codes, black=10, white=190))
    agree(*both(info, shown, TRANSFORMS["lut"], monkeypatch))


@needs_native
def test_planes_that_do_not_hold_the_part_are_refused() -> None:
    info = describe(FORMATS["420 8 bit"])
    frame, target = noise_frame(info), noise_frame(info)
    grade = NativeGrading.prepare(TRANSFORMS["lut"], info)
    assert grade is not None
    whole, part = as_mask(soft_disc()), Box(0, 0, *info.size)
    short = replace(frame, planes=(frame.planes[0], frame.planes[1][:-1], frame.planes[2]))
    scattered = replace(target, planes=tuple(np.asfortranarray(plane) for plane in target.planes))
    cut = Mask(whole.plane[:20], whole.black, whole.white, whole.box, is_full=False)
    for given in ((short, target, whole), (frame, short, whole), (frame, scattered, whole), (frame, target, cut)):
        with pytest.raises(ValueError, match="does not lie in planes"):
            grade.render(*given, part)


@needs_native
@pytest.mark.parametrize(
    "view",
    [lambda plane: np.repeat(plane, 3, axis=1)[:, ::3], lambda plane: plane[::-1].copy()[::-1], np.asfortranarray],
    ids=["every third", "bottom up", "column by column"],
)
def test_planes_of_any_memory_layout_are_read(view: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    info = describe(FORMATS["420 8 bit"])
    shown = masked(info)
    other = MaskedFrame(replace(shown.frame, planes=tuple(map(view, shown.frame.planes))), shown.mask)
    transform = TRANSFORMS["lut"]
    one, two = Renderer(info).render(shown, transform), Renderer(info).render(other, transform)
    for plane, expected in zip(two.planes, one.planes, strict=True):
        np.testing.assert_array_equal(plane, expected)


@needs_native
def test_colours_on_the_nodes_take_the_nodes_values() -> None:
    info = describe(PixelFormat("rgb", 8), Size(16, 16))
    # 0, 51, ..., 255 are the nodes of a LUT of 6, which is stretched to 33 nodes: only both ends are nodes of both.
    ends = np.array(np.meshgrid([0, 255], [0, 255], [0, 255], indexing="ij"), np.uint8).reshape(3, 8)
    planes = tuple(np.resize(channel, (16, 16)).astype(np.uint8) for channel in ends)
    values = np.random.default_rng(5).random((1, 3, 6, 6, 6), np.float32)
    weights = np.ones((16, 16), np.float32)
    weights[-1, -1] = 0  # a mask that is full leaves no background
    rendered = Renderer(info).render(MaskedFrame(Frame(planes, 0), as_mask(weights)), Lut3d(values))
    red, green, blue = (ends // 255 * 5).astype(int)
    expected = values[0][:, blue, green, red] * 255
    for plane, wanted in zip(rendered.planes, expected, strict=True):
        assert np.abs(plane.ravel()[:8] - wanted).max() <= 0.51


@pytest.mark.parametrize("layout", ["411 8 bit", "gray 8 bit", "rgb float"])
def test_uncommon_formats_are_left_to_render(layout: str) -> None:
    assert NativeGrading.prepare(TRANSFORMS["lut"], describe(FORMATS[layout])) is None


def test_uncommon_pictures_and_grades_are_left_to_render() -> None:
    info = describe(FORMATS["rgba 8 bit"])
    premultiplied = replace(info, pixel_format=replace(info.pixel_format, alpha=Alpha.PREMULTIPLIED))
    light = describe(PixelFormat("rgb", 16), scene_linear=True)
    for each in (premultiplied, light):
        assert NativeGrading.prepare(TRANSFORMS["lut"], each) is None
    for transform in (TRANSFORMS["field"], Identity.for_frames(1)):
        assert NativeGrading.prepare(transform, info) is None


def test_a_library_that_is_missing_broken_or_of_other_sources_is_not_used(tmp_path: Path) -> None:
    broken, other = tmp_path / "broken.so", tmp_path / "other.so"
    broken.write_bytes(b"no library")
    assert native.opened(tmp_path / "missing.so") is None
    assert native.opened(broken) is None
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler")
    source = tmp_path / "other.c"
    source.write_text(native.SOURCE.read_text(encoding="utf-8") + "/* changed */", encoding="utf-8")
    assert build_hook().build(source, other) is None
    assert native.opened(other) is None


def build_hook() -> ModuleType:
    """Return hatch_build.py, which knows a package that only builds have."""
    interface = ModuleType("hatchling.builders.hooks.plugin.interface")
    interface.BuildHookInterface = object  # type: ignore[attr-defined]
    names = ["hatchling", "hatchling.builders", "hatchling.builders.hooks", "hatchling.builders.hooks.plugin"]
    modules = {**{name: ModuleType(name) for name in names}, interface.__name__: interface}
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        for name, each in modules.items():
            patch.setitem(sys.modules, name, each)
        spec.loader.exec_module(module)
    return module


@pytest.mark.skipif(not (ROOT / "hatch_build.py").exists(), reason="this is no clone")
class TestBuild:
    @pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
    def test_a_compiler_makes_a_library_that_is_used(self, tmp_path: Path) -> None:
        made = tmp_path / "made.so"
        assert build_hook().build(ROOT / build_hook().SOURCE, made) is None
        assert native.opened(made) is not None
        assert list(tmp_path.iterdir()) == [made]

    def test_where_nothing_compiles_the_reason_is_told_and_nothing_else_changes(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made = tmp_path / "made.so"
        for compiler in ("false", "no-such-compiler"):
            made.write_bytes(b"old")
            monkeypatch.setenv("CC", compiler)
            assert build_hook().build(ROOT / build_hook().SOURCE, made)
            assert made.read_bytes() == b"old"
            assert list(tmp_path.iterdir()) == [made]

    @pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
    def test_an_editable_installation_has_it(self) -> None:
        assert native.opened(ROOT / build_hook().BINARY) is not None, "run: pip install --editable ."
