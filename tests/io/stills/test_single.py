from pathlib import Path

import cv2
import numpy as np
import pytest

from chromacord.errors import MissingFileError, OutputError, TruncatedFileError, UnreadableFileError
from chromacord.io.stills.single import read_matte, read_rgb, write_jpeg, write_png
from tests.images import noise, write


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_codes_come_as_the_file_holds_them(tmp_path: Path, suffix: str, dtype: str) -> None:
    pixels = noise(3, dtype)
    read = read_rgb(write(tmp_path / f"a{suffix}", pixels))
    assert read.dtype == pixels.dtype
    assert np.array_equal(read, pixels)


def test_grey_becomes_rgb_and_alpha_is_left_out(tmp_path: Path) -> None:
    grey, layered = noise(1), noise(4)
    assert np.array_equal(read_rgb(write(tmp_path / "grey.png", grey)), grey.repeat(3, axis=2))
    assert np.array_equal(read_rgb(write(tmp_path / "layered.png", layered)), layered[..., :3])


def test_webp_is_read_as_opencv_reads_it(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.webp"), noise(3), [cv2.IMWRITE_WEBP_QUALITY, 101])
    assert np.array_equal(read_rgb(tmp_path / "a.webp"), cv2.imread(str(tmp_path / "a.webp"))[..., ::-1])


def test_scene_linear_light_is_encoded(tmp_path: Path) -> None:
    """IEC 61966-2-1: half the light is 0.735357 of the range; values above white are clipped."""
    light = np.zeros((4, 6, 3), np.float32)
    light[1], light[2] = 0.5, 3.0
    with pytest.warns(UserWarning, match="above 1"):
        pixels = read_rgb(write(tmp_path / "a.exr", light))
    assert pixels[:3, 0, 0].tolist() == [0, round(0.735357 * 65535), 65535]


def test_a_matte_is_grey_or_the_luma_of_rgb(tmp_path: Path) -> None:
    """Luma of BT.709: 0.2126 R + 0.7152 G + 0.0722 B; of grey stored as RGB it is the grey itself."""
    grey, color = noise(1), noise(3)
    assert np.array_equal(read_matte(write(tmp_path / "grey.png", grey)), grey[..., 0])
    assert np.array_equal(read_matte(write(tmp_path / "rgb.png", grey.repeat(3, axis=2))), grey[..., 0])
    luma = color @ np.array([0.2126, 0.7152, 0.0722])
    assert np.abs(read_matte(write(tmp_path / "color.png", color)) - luma).max() <= 0.51


def test_a_lossy_matte_is_cleaned_near_black_and_white(tmp_path: Path) -> None:
    """Within 4 of 255 of an end counts as the end, and the ramp between is stretched: 128 stays 128."""
    steps = np.repeat(np.array([3, 128, 252], np.uint8), 16)[None].repeat(16, axis=0)
    cv2.imwrite(str(tmp_path / "a.jpg"), steps, [cv2.IMWRITE_JPEG_QUALITY, 100])
    cleaned = read_matte(tmp_path / "a.jpg")
    assert cleaned[8, [4, 24, 44]].tolist() == [0, 128, 255]


@pytest.mark.parametrize("channels", [1, 3])
def test_a_png_comes_back_to_the_bit(tmp_path: Path, channels: int) -> None:
    pixels = noise(channels)
    write_png(tmp_path / "a.png", pixels[..., 0] if channels == 1 else pixels)
    read = cv2.imread(str(tmp_path / "a.png"), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(read, pixels[..., 0] if channels == 1 else pixels[..., ::-1])


def test_a_jpeg_has_chroma_at_half_resolution(tmp_path: Path) -> None:
    """In the frame header (SOF0, FF C0) the first component's sampling factors are 2 by 2, the others' 1 by 1."""
    write_jpeg(tmp_path / "a.jpg", noise(3))
    content = (tmp_path / "a.jpg").read_bytes()
    header = content[content.index(b"\xff\xc0") :]
    assert [header[11 + 3 * component] for component in range(3)] == [0x22, 0x11, 0x11]


def test_what_cannot_be_read_or_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"a.png: no such file"):
        read_rgb(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(write(tmp_path / "whole.png", noise(3)).read_bytes()[:100])
    with pytest.raises(TruncatedFileError, match=r"b.png"):
        read_rgb(tmp_path / "b.png")
    (tmp_path / "c.webp").write_bytes(b"no picture")
    with pytest.raises(UnreadableFileError, match=r"c.webp"):
        read_matte(tmp_path / "c.webp")
    with pytest.raises(OutputError, match=r"nowhere/a.jpg: cannot be written: No such file or directory"):
        write_jpeg(tmp_path / "nowhere/a.jpg", noise(3))
