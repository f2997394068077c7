"""What is decoded on a GPU, and that what has none is decoded all the same."""

from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from av.codec.hwaccel import hwdevices_available

from chromacord.io import open_source
from chromacord.io.pixels import planes_of, to_planar
from chromacord.io.video import decoding
from chromacord.types import Alpha, PixelFormat
from tests.clips import make_clip

COMMON = PixelFormat("yuv", 8, subsampling=(1, 1))


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return make_clip(tmp_path / "clip.mp4", codec="libx264", pix_fmt="yuv420p", num_frames=4)


@pytest.mark.parametrize(
    ("codec", "pixel_format", "expected"),
    [
        ("h264", COMMON, True),
        ("hevc", replace(COMMON, depth=10), True),
        ("hevc", replace(COMMON, depth=12), False),
        ("h264", replace(COMMON, subsampling=(0, 1)), False),
        ("vp9", replace(COMMON, alpha=Alpha.STRAIGHT), False),
        ("av1", COMMON, False),
        ("prores", replace(COMMON, depth=10, subsampling=(0, 1)), False),
    ],
)
def test_only_what_decodes_to_the_same_bits_goes_to_a_gpu(
    clip: Path, codec: str, pixel_format: PixelFormat, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "hwdevices_available", lambda: ["cuda"])
    info = replace(open_source(clip).info, codec=codec, pixel_format=pixel_format)
    assert (decoding.accelerator(info, "cuda") is not None) == expected
    assert decoding.accelerator(info, "cpu") is None
    monkeypatch.setattr(decoding, "hwdevices_available", list)
    assert decoding.accelerator(info, "cuda") is None


def test_a_file_that_no_gpu_decodes_is_decoded_by_the_processor(clip: Path) -> None:
    expected = [frame.planes for frame in open_source(clip).frames()]
    made = [frame.planes for frame in open_source(clip, device="cuda").frames()]
    assert len(made) == len(expected) == 4
    for one, other in zip(expected, made, strict=True):
        for before, after in zip(one, other, strict=True):
            np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize(("handed", "depth"), [("nv12", 8), ("p010le", 10)])
def test_the_layouts_that_gpus_hand_over_become_planes_without_a_change(handed: str, depth: int) -> None:
    generator = np.random.default_rng(1)
    name = "yuv420p" if depth == 8 else "yuv420p10le"
    luma, chroma = (generator.integers(0, 1 << depth, shape) for shape in ((48, 64), (24, 64)))
    dtype, shift = (np.uint8, 0) if depth == 8 else (np.uint16, 6)  # P010 holds ten bits at the top of sixteen
    frame = av.VideoFrame(64, 48, handed)
    for plane, codes in zip(frame.planes, (luma, chroma), strict=True):
        view = np.frombuffer(plane, dtype).reshape(plane.height, -1)
        view[:, :64] = codes << shift
    made = planes_of(to_planar(frame, name))
    np.testing.assert_array_equal(made[0], luma)
    np.testing.assert_array_equal(made[1], chroma[:, ::2])
    np.testing.assert_array_equal(made[2], chroma[:, 1::2])


def test_pyav_was_built_with_nvidias_decoder() -> None:
    assert "cuda" in hwdevices_available()
