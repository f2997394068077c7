"""The compiled blur against softness.py. What both must do stands in finish/test_sharpness.py."""

from pathlib import Path

import numpy as np
import pytest

from chromacord.masks.masks import Mask, MaskedFrame
from chromacord.render import compiled
from chromacord.render.finish.softness import Softness
from chromacord.render.finish.stage import Finish
from chromacord.render.soften import NativeSoftening
from chromacord.types import Frame, PixelFormat, Size, VideoInfo
from tests.render.test_native import COMMON, agree, needs_native
from tests.scenes import describe, masked

FORMATS = {**COMMON, "grey 8 bit": PixelFormat("gray", 8)}


def soft(info: VideoInfo, shown: MaskedFrame, sigma: float) -> Frame:
    return Finish(info, [Softness(info, lambda _: sigma)])(shown, shown.frame)


@needs_native
@pytest.mark.parametrize("sigma", [0.4, 1.2, 4])
@pytest.mark.parametrize("layout", FORMATS)
@pytest.mark.parametrize("size", [Size(48, 64), Size(45, 63), Size(5, 300)], ids=str)
def test_it_makes_what_softness_makes(layout: str, sigma: float, size: Size, monkeypatch: pytest.MonkeyPatch) -> None:
    info = describe(FORMATS[layout], size)
    # Holes and single pixels, so that rows and columns begin and end anywhere.
    generator = np.random.default_rng(0)
    weights = generator.random(size, np.float32) * (generator.random(size) < 0.3)
    weights[: size.height // 2, : size.width // 3] = 1
    shown = masked(info, weights)
    with monkeypatch.context() as without:
        made = soft(info, shown, sigma)
        without.setattr(compiled, "BINARY", Path("not built"))
        expected = soft(info, shown, sigma)
    assert any((one != other).any() for one, other in zip(made.planes, shown.frame.planes, strict=True))
    agree(made, expected, share=0.05 if info.pixel_format.depth == 16 else 5e-3)


@needs_native
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float64])
def test_mattes_of_all_types_weigh_alike(dtype: type) -> None:
    info = describe(COMMON["420 8 bit"], Size(48, 64))
    codes = np.random.default_rng(0).integers(0, 256, info.size)
    codes[10:30, 10:40] = 250
    shown = masked(info, np.clip((codes - 16) / 219, 0, 1))
    mask = Mask.from_plane(codes.astype(dtype), black=16, white=235)
    agree(soft(info, MaskedFrame(shown.frame, mask), 1.5), soft(info, shown, 1.5))


@needs_native
def test_planes_that_do_not_fit_are_refused() -> None:
    pixel_format = PixelFormat("yuv", 8, subsampling=(1, 1))
    native = NativeSoftening.prepare(pixel_format, np.zeros(256, np.float32), 219, 16)
    assert native is not None
    codes = np.zeros((9, 11), np.uint8)
    for plane in (np.zeros((9, 11), np.uint16), np.zeros((9, 22), np.uint8)[:, ::2]):
        with pytest.raises(ValueError, match="cannot render into"):
            native.soften(plane, codes, (0, 255), 1, is_chroma=False)
    with pytest.raises(ValueError, match="has a mask of"):
        native.soften(np.zeros((9, 11), np.uint8), codes, (0, 255), 1, is_chroma=True)
