"""Headers of images that hold text in no UTF-8, which OpenImageIO quotes."""

import re
from pathlib import Path

import numpy as np
import pytest

from chromacord.errors import NonFiniteError, UnreadableFileError
from chromacord.io import open_source
from chromacord.io.stills.image_attributes import NO_REASON, any_attribute, channel_names, error_reason, text_attribute
from chromacord.io.stills.image_reader import read_header, read_image
from tests.images import copy, noise, write


def changed(path: Path, good: bytes, bad: bytes) -> Path:
    """Replace some bytes of a file by others of the same number."""
    content = path.read_bytes()
    assert good in content
    assert len(good) == len(bad)
    path.write_bytes(content.replace(good, bad))
    return path


def test_a_broken_header_is_refused_in_one_line_with_the_file(tmp_path: Path) -> None:
    path = changed(write(tmp_path / "a.exr", noise(3, "half"), "half"), b"chlist", b"chl\xadst")
    for read in (read_header, read_image, open_source):
        with pytest.raises(UnreadableFileError, match=r"a\.exr: is damaged or not an image .*chl\ufffdst") as told:
            read(path)
        assert "\n" not in str(told.value)


@pytest.mark.parametrize("suffix", [".exr", ".tif", ".dpx"])
def test_a_text_in_another_encoding_does_not_stop_a_good_picture(tmp_path: Path, suffix: str) -> None:
    kind = "half" if suffix == ".exr" else "uint16"
    path = write(tmp_path / f"a{suffix}", noise(3, kind), kind, Copyright="Jorg")
    header = read_header(changed(path, b"Jorg", b"J\xf6rg"))
    assert text_attribute(header.spec, "Copyright") == any_attribute(header.spec, "Copyright") == "J\ufffdrg"
    back = copy(open_source(path), tmp_path / f"b{suffix}")
    np.testing.assert_array_equal(next(back.frames()).planes, read_image(path)[1])
    assert b"J\xf6rg" in (tmp_path / f"b{suffix}").read_bytes()


def test_a_channel_of_such_a_name_is_read_named_and_written(tmp_path: Path) -> None:
    pixels = noise(4, "half")
    path = write(tmp_path / "a.exr", pixels, "half", names=("xo.R", "xo.G", "xo.B", "Z"))
    header = read_header(changed(path, b"xo.", b"x\xf6."))
    assert sorted(channel_names(header.spec)) == ["Z", "x\ufffd.B", "x\ufffd.G", "x\ufffd.R"]
    back = copy(open_source(path), tmp_path / "b.exr")
    np.testing.assert_array_equal(next(back.frames()).planes[0], pixels[..., 0])
    pixels[3, 4, 0] = np.nan
    changed(write(path, pixels, "half", names=("xo.R", "xo.G", "xo.B", "Z")), b"xo.", b"x\xf6.")
    with pytest.raises(NonFiniteError, match=re.escape("in channel x\ufffd.R")):
        read_image(path)


def test_an_error_without_a_reason_says_so() -> None:
    assert error_reason() == NO_REASON
