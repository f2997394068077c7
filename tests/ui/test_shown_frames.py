"""Pictures for the page."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from chromacord.errors import InputError
from chromacord.ui.session import Session
from chromacord.ui.shown_frames import FrameReader, ProxyFolder, encoded
from tests.clips import make_clip, picture
from tests.footage import SIZE, disc, make_composite, make_mask, recoloured
from tests.ui.conftest import make_footage


@pytest.fixture
def session(tmp_path: Path) -> Session:
    make_footage(tmp_path)
    return Session({"composite": str(tmp_path / "comp"), "mask": str(tmp_path / "mask.mkv")})


def test_exact_pictures_are_the_files_codes_in_any_order(session: Session) -> None:
    reader = FrameReader(session)
    for index in (0, 1, 7, 3, 3, 9):
        pictures = reader.read(index)
        np.testing.assert_array_equal(pictures.picture, np.stack(recoloured("gbrp", index), axis=-1))
        np.testing.assert_array_equal(pictures.mask, disc(index))
        assert pictures.layer is None
    with pytest.raises(InputError, match="has no frame 10"):
        reader.read(10)


def test_the_proxy_has_the_colours_of_the_file(session: Session, tmp_path: Path) -> None:
    reader, folder = FrameReader(session), ProxyFolder(tmp_path / "proxy")
    assert folder.make(reader.clip, lambda _: None) == 10
    for index in (0, 9):
        exact = reader.read(index)
        small = cv2.imread(str(folder.file(index, "picture")))[..., ::-1]
        difference = np.abs(small.astype(int) - exact.picture)
        assert difference.mean() < 1
        assert abs((small.astype(int) - exact.picture).mean()) < 0.2  # no shift of the colour
        mask = cv2.imread(str(folder.file(index, "mask")), cv2.IMREAD_GRAYSCALE)
        np.testing.assert_array_equal(mask, exact.mask)


def test_layers_show_the_foreground_alone_too(tmp_path: Path) -> None:
    front = make_clip(
        tmp_path / "fg.mp4", size=SIZE, frames=[[np.full_like(p, 90) for p in picture("yuv420p", size=SIZE)]] * 2
    )
    matte, back = (
        make_mask(tmp_path / "matte.mkv", num_frames=2),
        make_clip(tmp_path / "bg.mp4", size=SIZE, num_frames=2),
    )
    reader = FrameReader(Session({"foreground": str(front), "alpha": str(matte), "background": str(back)}))
    pictures = reader.read(1)
    assert pictures.layer is not None
    inside = pictures.mask == 255
    difference = np.abs(pictures.layer.astype(int) - pictures.picture)
    assert difference[inside].mean() < 1  # chroma is shared with pixels at the edge
    assert difference[pictures.mask == 0].mean() > 3


def test_deep_and_log_clips_are_shown_as_sdr_video(tmp_path: Path) -> None:
    mask = make_mask(tmp_path / "mask.mkv", num_frames=1)
    deep = make_composite(tmp_path / "deep.mkv", "yuv422p10le", codec="ffv1", num_frames=1)
    plain, log = ({"options": options} for options in ({}, {"input_space": "ACEScct"}))
    clip = {"composite": str(deep), "mask": str(mask)}
    pictures = [FrameReader(Session(clip, **each)).read(0).picture for each in (plain, log)]
    assert pictures[0].shape == pictures[1].shape == (*SIZE, 3)
    assert pictures[1].std() > pictures[0].std()  # log has little contrast as stored


def test_encoded_pictures_say_what_they_are() -> None:
    grey = np.full((4, 6), 77, np.uint8)
    content, kind = encoded(grey)
    assert kind == "image/png"
    np.testing.assert_array_equal(cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED), grey)
    assert encoded(np.zeros((4, 6, 3), np.uint8))[1] == "image/jpeg"
