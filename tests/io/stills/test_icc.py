"""ICC profiles of stills are kept where the colours are, and said to be lost elsewhere."""

import struct
import warnings
from pathlib import Path

import numpy as np
import OpenImageIO as oiio
import pytest

from chromacord.color.management.clip_space import Spaces, settle, space_of_clip
from chromacord.errors import ChromacordWarning
from chromacord.io import FrameSource, open_source
from chromacord.io.stills.icc import profile_name
from chromacord.types import Colorimetry, Encoding
from tests.clips import make_clip
from tests.images import Pixels, attributes, copy, noise, parts, write_parts


def make_profile(name: str, *, space: bytes = b"RGB ", version: int = 2) -> bytes:
    """Make the shortest profile that readers take (ICC.1:2001-04 and ICC.1:2022, 7.2 and 10)."""
    if version == 2:
        text = b"desc" + bytes(4) + struct.pack(">I", len(name) + 1) + name.encode() + bytes(1 + 78)
    else:
        encoded = name.encode("utf-16-be")
        text = b"mluc" + bytes(4) + struct.pack(">2I4s2I", 1, 12, b"enUS", len(encoded), 28) + encoded
    text += bytes(-len(text) % 4)
    tags = struct.pack(">I4s2I", 1, b"desc", 128 + 16, len(text)) + text
    header = struct.pack(">I4s4B4s4s4s12s4s", 128 + len(tags), b"test", version, 0, 0, 0, b"mntr", space, b"XYZ ",
                         struct.pack(">6H", 2026, 1, 1, 0, 0, 0), b"acsp")  # fmt: skip
    illuminant = struct.pack(">3I", 0xF6D6, 0x10000, 0xD32D)
    return header.ljust(68, b"\0") + illuminant + bytes(48) + tags


ADOBE = make_profile("Adobe RGB (1998)")


def embed(path: Path, pixels: Pixels, profile: bytes) -> Path:
    kind = "float" if pixels.dtype == np.float32 else str(pixels.dtype)
    spec = oiio.ImageSpec(pixels.shape[1], pixels.shape[0], pixels.shape[2], kind)
    spec.attribute("ICCProfile", oiio.TypeDesc(f"uint8[{len(profile)}]"), np.frombuffer(profile, np.uint8))
    write_parts(path, [(spec, pixels)])
    return path


def profile_of(path: Path) -> bytes | None:
    profile = parts(path)[0][0].getattribute("ICCProfile")
    return None if profile is None else profile.tobytes()


@pytest.mark.parametrize("kind", ["jpg", "png", "tif"])
@pytest.mark.parametrize("out", ["jpg", "png", "tif"])
def test_a_profile_comes_along_to_every_format_that_holds_one(tmp_path: Path, kind: str, out: str) -> None:
    source = open_source(embed(tmp_path / f"a.{kind}", noise(3), ADOBE))
    assert source.info.icc_profile == ADOBE
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        copy(source, tmp_path / f"b.{out}")
    assert profile_of(tmp_path / f"b.{out}") == ADOBE
    assert "CICP" not in attributes(tmp_path / f"b.{out}")


@pytest.mark.parametrize(
    ("out", "why"), [("exr", "openexr holds no ICC"), ("dpx", "dpx holds no ICC"), ("mkv", "video holds no ICC")]
)
def test_a_profile_that_cannot_be_kept_is_named(tmp_path: Path, out: str, why: str) -> None:
    source = open_source(embed(tmp_path / "a.png", noise(3), ADOBE))
    said = rf"b\.{out}: {why} profile, so the source's ICC profile \(Adobe RGB \(1998\)\) is lost"
    with pytest.warns(ChromacordWarning, match=said):
        copy(source, tmp_path / f"b.{out}")


P3 = make_profile("Display P3")
P3_TO_REC709 = np.array([[1.2249, -0.2247, 0], [-0.0420, 1.0419, 0], [-0.0197, -0.0786, 1.0979]])
"""Linear light; both have D65."""


def settled(source: FrameSource) -> FrameSource:
    source.info, _ = settle(source.info, Spaces())
    return source


def test_a_profile_is_honoured_where_colours_become_light(tmp_path: Path) -> None:
    source = settled(open_source(embed(tmp_path / "a.png", noise(3, "uint16"), P3)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        written = copy(source, tmp_path / "b.exr")
    encoded = noise(3, "uint16") / 65535
    light = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4) @ P3_TO_REC709.T
    (frame,) = written.frames()
    np.testing.assert_allclose(np.stack(frame.planes, axis=-1), light, atol=1e-3)


def test_a_video_has_tags_in_place_of_a_profile(tmp_path: Path) -> None:
    source = settled(open_source(embed(tmp_path / "a.png", noise(3), P3)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        written = copy(source, tmp_path / "b.mkv", encoding=Encoding("ffv1"))
    assert space_of_clip(written.info).name == space_of_clip(source.info).name == "Display P3 - Display"


def test_light_of_a_space_becomes_a_picture_by_that_space(tmp_path: Path) -> None:
    """White of ACEScg, whose primaries are others than a picture's, and a red of BT.709's, as ACEScg has it."""
    colors = np.float32([[[0.5, 0.5, 0.5], [0.3066, 0.0351, 0.0103]]])
    write_parts(tmp_path / "a.exr", [(oiio.ImageSpec(2, 1, 3, "float"), colors)])
    source = open_source(tmp_path / "a.exr")
    source.info, _ = settle(source.info, Spaces(composite="ACEScg"))
    (frame,) = copy(source, tmp_path / "b.png").frames()
    grey, red = np.stack(frame.planes, axis=-1)[0] / np.iinfo(frame.planes[0].dtype).max
    np.testing.assert_allclose(grey, 0.7354, atol=2e-3)
    np.testing.assert_allclose(red, [0.7354, 0, 0], atol=0.02)


def test_a_format_without_tags_says_whose_colours_it_holds(tmp_path: Path) -> None:
    wide = Colorimetry(9, 16, 9, full_range=False)
    clip = make_clip(tmp_path / "a.mkv", codec="ffv1", pix_fmt="yuv420p10le", num_frames=1, colorimetry=wide)
    source = settled(open_source(clip))
    with pytest.warns(ChromacordWarning, match=r"b.*\.tif: tiff cannot store its colour space, Rec\.2100-PQ - Display"):
        copy(source, tmp_path / "b.%04d.tif")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        written = copy(source, tmp_path / "b.%04d.png")
    assert space_of_clip(written.info).name == "Rec.2100-PQ - Display"


def test_srgb_may_be_lost_in_silence_since_it_is_what_is_assumed(tmp_path: Path) -> None:
    source = open_source(embed(tmp_path / "a.png", noise(3), make_profile("sRGB IEC61966-2.1")))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        copy(source, tmp_path / "b.exr")


def test_light_that_is_encoded_anew_has_no_profile_any_more(tmp_path: Path) -> None:
    source = open_source(embed(tmp_path / "a.tif", np.abs(noise(3, "float")), ADOBE))
    with pytest.warns(ChromacordWarning, match=r"b\.png: its colours are converted, so the source's ICC profile"):
        copy(source, tmp_path / "b.png")
    assert profile_of(tmp_path / "b.png") is None


def test_a_profile_of_other_colours_is_not_embedded(tmp_path: Path) -> None:
    source = open_source(embed(tmp_path / "a.tif", noise(3), make_profile("Press", space=b"CMYK")))
    with pytest.warns(ChromacordWarning, match=r"ICC profile \(Press\) is lost"):
        copy(source, tmp_path / "b.png")
    assert profile_of(tmp_path / "b.png") is None


@pytest.mark.parametrize("version", [2, 4])
def test_a_profile_is_named_as_it_names_itself(version: int) -> None:
    assert profile_name(make_profile("Display P3", version=version)) == "Display P3"


def test_a_damaged_profile_is_unnamed() -> None:
    for end in range(len(ADOBE)):
        assert "\n" not in profile_name(ADOBE[:end])
    assert profile_name(b"") == profile_name(bytes(200)) == profile_name(b"\xff" * 300) == "unnamed"


DAMAGE = {
    "cut": ADOBE[:-9],
    "no header": ADOBE[:90],
    "length": bytes(4) + ADOBE[4:],
    "mark": ADOBE[:36] + b"acsq" + ADOBE[40:],
    "target": ADOBE[:20] + b"XYY " + ADOBE[24:],
    "intent": ADOBE[:64] + b"\1" + ADOBE[65:],
    "count": ADOBE[:128] + b"\xff" * 4 + ADOBE[132:],
    "tag": ADOBE[:140] + b"\xff" * 4 + ADOBE[144:],
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize(("kind", "out"), [("jpg", "png"), ("tif", "png"), ("tif", "tif"), ("jpg", "jpg")])
def test_a_picture_is_not_lost_with_its_profile(
    tmp_path: Path, kind: str, out: str, damage: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """libpng writes no picture with a profile that it finds damaged."""
    source_path = embed(tmp_path / f"a.{kind}", noise(3), DAMAGE[damage])
    capfd.readouterr()
    with pytest.warns(ChromacordWarning, match=rf"a\.{kind}: its ICC profile is damaged and was dropped"):
        copy(open_source(source_path), tmp_path / f"b.{out}")

    assert capfd.readouterr().err == ""
    assert parts(tmp_path / f"b.{out}")
