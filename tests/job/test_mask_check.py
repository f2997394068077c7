"""Implausible masks are refused or cause warnings, both from files and as arrays."""

import warnings
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

import chromacord as cc
from chromacord.errors import ChromacordWarning, InputError
from chromacord.job.mask_check import NUM_FRAMES, MaskCheck, warn_of_stretching
from chromacord.masks.masks import Mask, MaskedFrame
from chromacord.types import Colorimetry, Frame, PixelFormat, Size
from tests.footage import SIZE, disc, make_composite, make_mask, recoloured
from tests.images import parts, video_info, write

COMPOSITE = np.stack(recoloured("gbrp", 0), axis=-1)


INFO = video_info(PixelFormat("gray"), Colorimetry(full_range=True), size=SIZE)


def masked(plane: np.ndarray, index: int = 0) -> MaskedFrame:
    white = 1.0 if plane.dtype == np.float32 else float(np.iinfo(plane.dtype).max)
    return MaskedFrame(Frame((np.zeros_like(plane),), index), Mask.from_plane(plane, black=0.0, white=white))


def watched(planes: list[np.ndarray]) -> list[MaskedFrame]:
    return list(MaskCheck(Path("m.png"), INFO).watch(masked(plane, index) for index, plane in enumerate(planes)))


LABELS = (disc(0) > 127).astype(np.uint8)


@pytest.mark.parametrize(
    ("mask", "said"),
    [
        (LABELS, "1 of 255: .* multiply it by 255$"),
        (LABELS.astype(np.uint16), "1 of 65535: .* multiply it by 65535$"),
        (disc(0).astype(np.uint16), "255 of 65535: .* multiply it by 257$"),
        ((LABELS / 255).astype(np.float32), "0.00392 of 1: .* multiply it by 255$"),
    ],
)
def test_a_mask_of_labels_is_refused_as_array_and_as_file(tmp_path: Path, mask: np.ndarray, said: str) -> None:
    said = f": the mask never exceeds {said}"
    with pytest.raises(InputError, match="^frame 0" + said):
        list(cc.harmonize_frames([(COMPOSITE, mask)], "mkl"))
    if mask.dtype != np.float32 and mask.max() == 1:
        return  # 0 and 1 in a file are labels, see tests/cli/test_mask_forms.py
    name = "mask.exr" if mask.dtype == np.float32 else "mask.png"
    path = write(tmp_path / name, mask[..., None])
    composite = write(tmp_path / "comp.png", COMPOSITE)
    with pytest.raises(InputError, match=name + said):
        cc.harmonize_video(composite, mask=path, output=tmp_path / "out.png", method="mkl")
    assert not (tmp_path / "out.png").exists()


@pytest.mark.parametrize("suffix", ["exr", "tif"])
def test_floats_that_are_no_coverage_are_refused_as_mask_and_as_matte(tmp_path: Path, suffix: str) -> None:
    """Clipped to 1, they would lose their soft edges."""
    codes = write(tmp_path / f"codes.{suffix}", disc(0).astype(np.float32)[..., None])
    composite = write(tmp_path / "comp.png", COMPOSITE)
    out = tmp_path / "out.png"
    said = rf"codes\.{suffix}: the mask goes from 0 to 255; floats must be in 0\.\.1: divide by the white level"
    with pytest.raises(InputError, match=said):
        cc.harmonize_video(composite, mask=codes, output=out, method="mkl")
    with pytest.raises(InputError, match=said):
        cc.harmonize_video(foreground=composite, alpha=codes, background=composite, output=out, method="mkl")
    ringing = write(tmp_path / f"ringing.{suffix}", (disc(0) / np.float32(255) * 1.1 - 0.05)[..., None])
    cc.harmonize_video(composite, mask=ringing, output=out, method="mkl")


def test_labels_in_a_clip_are_refused_with_every_way_to_render(tmp_path: Path) -> None:
    composite = make_composite(tmp_path / "comp.mkv", codec="ffv1")
    mask = make_mask(tmp_path / "mask.mkv")
    cc.harmonize_video(composite, mask=mask, output=tmp_path / "a.mkv", method="mkl", grade_out=tmp_path / "a.json")
    labels = write(tmp_path / "labels.png", disc(0).astype(np.uint16)[..., None])
    ways: list[dict[str, object]] = [{}, {"consistency": "shot"}, {"grade_in": tmp_path / "a.json"}]
    for way in ways:
        with pytest.raises(
            InputError, match=r"labels\.png: the mask never exceeds 255 of 65535 in 8 frames: it looks like"
        ):
            cc.harmonize_video(composite, mask=labels, output=tmp_path / "out.mkv", method="mkl", **way)
    assert not (tmp_path / "out.mkv").exists()


def test_a_weak_mask_is_named_and_used() -> None:
    with pytest.warns(ChromacordWarning, match=r"^m\.png: the mask never exceeds 20 of 255 in 3 frames, so"):
        assert len(watched([LABELS * 20] * 3)) == 3


def test_a_foreground_that_fades_in_is_no_mask_of_labels() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for step in (1, 2, 8):
            watched([LABELS * min(255, level) for level in range(0, 300, step)])


def test_labels_are_refused_after_the_first_frames_with_foreground() -> None:
    def frames() -> Iterator[MaskedFrame]:
        for index in range(2 * NUM_FRAMES):
            yield masked(LABELS if index >= NUM_FRAMES else np.zeros(SIZE, np.uint8), index)
        raise AssertionError("nothing is asked for any more")

    with pytest.raises(InputError, match="never exceeds 1 of 255 in 12 frames"):
        list(MaskCheck(None, INFO).watch(frames()))
    watched([np.zeros(SIZE, np.uint8)] * 3)


@pytest.mark.parametrize("suffix", ["png", "mkv"])
def test_a_cut_out_is_a_mask_by_its_alpha(tmp_path: Path, suffix: str) -> None:
    composite, plain = write(tmp_path / "comp.png", COMPOSITE), write(tmp_path / "plain.png", disc(0)[..., None])
    cut_out = tmp_path / f"cut.{suffix}"
    if suffix == "png":
        write(cut_out, np.dstack([COMPOSITE, disc(0)]))
    else:
        make_composite(cut_out, "yuva444p", codec="ffv1", frames=[[*recoloured("yuv444p", 0), disc(0)]])
    cc.harmonize_video(composite, mask=plain, output=tmp_path / "a.png", method="mkl")
    with pytest.warns(ChromacordWarning, match=rf"cut\.{suffix}: its alpha is used as the mask"):
        cc.harmonize_video(composite, mask=cut_out, output=tmp_path / "b.png", method="mkl")
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "a.png")), cv2.imread(str(tmp_path / "b.png")))


def luma(rgb: np.ndarray) -> np.ndarray:
    return np.rint(rgb @ [0.2126, 0.7152, 0.0722]).astype(np.uint8)


def touching_below() -> np.ndarray:
    mask = disc(0)
    mask[SIZE.height // 2 :, 20:50] = 255
    return mask


SUSPECT = {
    "inverted": (255 - disc(0), r"the mask is white on 85% of the picture and most of its border: is it inverted\?"),
    "inverted and cut": (255 - touching_below(), "is it inverted"),
    "the picture": (luma(COMPOSITE), "the mask looks like the picture itself, so bright parts"),
    "the negative": (255 - luma(COMPOSITE), "the mask looks like the picture itself"),
}


@pytest.mark.parametrize("kind", SUSPECT)
def test_masks_that_are_hardly_meant_are_named_once(tmp_path: Path, kind: str) -> None:
    mask, said = SUSPECT[kind]
    with pytest.warns(ChromacordWarning, match="^frame 0: .*" + said) as told:
        list(cc.harmonize_frames([(COMPOSITE, mask)] * 3, "mkl"))
    assert len(told) == 1
    composite = write(tmp_path / "comp.png", COMPOSITE)
    path = write(tmp_path / "mask.png", mask[..., None])
    for consistency in ("smooth", "shot"):
        out = tmp_path / f"{consistency}.png"
        with pytest.warns(ChromacordWarning, match=r"mask\.png: .*" + said) as told:
            cc.harmonize_video(composite, mask=path, output=out, method="mkl", consistency=consistency)
        assert len(told) == 1


@pytest.mark.parametrize("mask", [disc(0), disc(8), touching_below(), np.minimum(disc(0), 128)])
def test_ordinary_masks_are_not_named(mask: np.ndarray) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        list(cc.harmonize_frames([(COMPOSITE, mask)], "mkl"))


def test_stretching_a_mask_to_another_shape_is_said(tmp_path: Path) -> None:
    composite = make_composite(tmp_path / "comp.mkv", codec="ffv1")
    for size, said in {
        Size(
            96, 72
        ): "the mask is 72x96 and is stretched to the composite's 96x72, another shape; it seems to be turned",
        Size(
            64, 64
        ): "the mask is 64x64 and is stretched to the composite's 96x72, another shape; check that it lies on",
    }.items():
        mask = make_mask(tmp_path / f"m{size.height}.mkv", size=size)
        with pytest.warns(ChromacordWarning, match=rf"m{size.height}\.mkv: {said}"):
            cc.harmonize_video(
                composite, mask=mask, output=tmp_path / "out.mkv", method="mkl", mask_fit=True, force=True
            )


@pytest.mark.parametrize(
    ("mask", "composite"),
    [
        ({}, {}),
        ({"size": Size(480, 854)}, {"size": Size(1080, 1920)}),
        ({"size": Size(1080, 1920)}, {"size": Size(1080, 1440), "pixel_aspect": Fraction(4, 3)}),
        ({"size": Size(540, 720)}, {"size": Size(1080, 1440), "pixel_aspect": Fraction(4, 3)}),
        ({"size": Size(960, 540)}, {"size": Size(1080, 1920), "rotation": 90}),
        ({"size": Size(960, 720)}, {"size": Size(1080, 1440), "pixel_aspect": Fraction(4, 3), "rotation": 90}),
    ],
)
def test_scaling_that_keeps_the_shape_of_pixels_or_picture_is_not(mask: dict, composite: dict) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_stretching(replace(INFO, **mask), replace(INFO, **composite))


def test_a_picture_that_is_called_like_data_is_said_and_a_mask_is_not(tmp_path: Path) -> None:
    light = (COMPOSITE / 255).astype(np.float32)
    normals = write(tmp_path / "n.exr", light, "half", names=["N.R", "N.G", "N.B"])
    mask = write(tmp_path / "z.exr", (disc(0) / np.float32(255))[..., None], "half", names=["matte.Y"])
    with pytest.warns(ChromacordWarning) as told:
        cc.harmonize_video(normals, mask=mask, output=tmp_path / "a.exr", method="mkl")
    said = "n.exr: layer N is used as the picture, although its name suggests data, not colours; check that it is the "
    assert [str(each.message).removeprefix(f"{tmp_path}/") for each in told] == [said + "picture"]


def test_the_layer_that_is_taken_is_said_and_can_be_chosen(tmp_path: Path) -> None:
    names = [f"{layer}.{channel}" for layer in ("beauty", "key") for channel in "RGB"]
    light = (COMPOSITE / 255).astype(np.float32) ** 2.2
    composite = write(tmp_path / "comp.exr", np.dstack([light, light * 0.5]), "half", names=names)
    mask = write(tmp_path / "mask.png", disc(0)[..., None])
    said = r"comp\.exr: layer beauty is used as the picture, not key; choose with --layer NAME$"
    with pytest.warns(ChromacordWarning, match=said):
        cc.harmonize_video(composite, mask=mask, output=tmp_path / "a.exr", method="mkl")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cc.harmonize_video(composite, mask=mask, output=tmp_path / "b.exr", method="mkl", layer="key")
    before, *after = (parts(path)[0][1] for path in (composite, tmp_path / "a.exr", tmp_path / "b.exr"))
    assert [[(before != each)[..., at].any() for at in (slice(0, 3), slice(3, 6))] for each in after] == [
        [True, False],
        [False, True],
    ]
