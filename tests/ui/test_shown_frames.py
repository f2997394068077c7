"""Pictures for the page."""

import json
import time
import zlib
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from chromacord.errors import InputError
from chromacord.io.interfaces import SupersededError
from chromacord.ui.packets import exact_packet
from chromacord.ui.proxies import ProxyFolder
from chromacord.ui.session import Session
from chromacord.ui.shown_frames import FramePictures, FrameReader, exact_pictures
from tests.clips import make_clip, picture
from tests.footage import SIZE, disc, make_composite, make_mask, recoloured
from tests.ui.browsers.processes import PATIENCE
from tests.ui.conftest import Server, make_footage


@pytest.fixture
def session(tmp_path: Path) -> Session:
    make_footage(tmp_path)
    return Session({"composite": str(tmp_path / "comp"), "mask": str(tmp_path / "mask.mkv")})


def exact(reader: FrameReader, index: int) -> FramePictures:
    return exact_pictures(reader.read(index), reader.clip)


def unpacked(packet: bytes) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Return the head and the parts of what the page gets."""
    end = 4 + int.from_bytes(packet[:4], "little")
    head, parts = json.loads(packet[4:end]), {}
    for part in head["parts"]:
        parts[part["name"]] = packet[end : end + part["bytes"]]
        end += part["bytes"]
    assert end == len(packet)
    return head, parts


def test_exact_pictures_are_the_files_codes_in_any_order(session: Session) -> None:
    reader = FrameReader(session)
    for index in (0, 1, 7, 3, 3, 9):
        pictures = exact(reader, index)
        np.testing.assert_array_equal(pictures.picture, np.stack(recoloured("gbrp", index), axis=-1))
        np.testing.assert_array_equal(pictures.mask, disc(index))
        assert pictures.layer is None
    with pytest.raises(InputError, match="has no frame 10"):
        reader.read(10)


@pytest.mark.parametrize("composite", ["comp", "comp.mp4"])
@pytest.mark.parametrize("first", [0, None])
def test_a_frame_that_nobody_waits_for_is_not_decoded(session: Session, composite: str, first: int | None) -> None:
    path = Path(session.clip["composite"]).with_name(composite)
    reader, asked = FrameReader(Session({**session.clip, "composite": str(path)})), 0

    def is_wanted() -> bool:
        nonlocal asked
        asked += 1
        return asked < 4

    if first is not None:
        reader.read(first)
    with pytest.raises(SupersededError):
        reader.read(8, is_wanted)
    assert asked == 4
    with pytest.raises(SupersededError):
        reader.read(7, lambda: False)
    masked = reader.read(8)
    assert masked.frame.index == 8
    np.testing.assert_array_equal(masked.mask.plane, disc(8))


@pytest.mark.parametrize(("layout", "codec", "unit"), [("yuv420p", "libx264", 255), ("yuv422p10le", "ffv1", 1024)])
def test_video_travels_as_the_codes_of_its_file(tmp_path: Path, layout: str, codec: str, unit: int) -> None:
    clip = make_composite(tmp_path / "clip.mkv", layout, codec=codec, num_frames=3)
    mask = make_mask(tmp_path / "mask.mkv", num_frames=3)
    reader = FrameReader(Session({"composite": str(clip), "mask": str(mask)}))
    masked = reader.read(2)
    head, parts = unpacked(b"".join(exact_packet(masked, reader.clip)))
    dtype = np.uint8 if unit == 255 else np.float16
    luma, *chroma = masked.frame.planes
    shown = np.frombuffer(parts["luma"], dtype).reshape(luma.shape)
    both = np.frombuffer(parts["chroma"], dtype).reshape(*chroma[0].shape, 2)
    scale = 1 if unit == 255 else unit
    np.testing.assert_array_equal(shown.astype(float) * scale, luma)
    np.testing.assert_array_equal(both.astype(float) * scale, np.stack(chroma, axis=-1))
    there = head["coded"]
    assert (there["unit"], there["max"]) == (unit, 255 if unit == 255 else 1023)
    decode, encode = (np.vstack([np.reshape(there[name], (3, 4)), [0, 0, 0, 1]]) for name in ("decode", "encode"))
    np.testing.assert_allclose(decode @ encode, np.eye(4), atol=1e-9)
    weight = np.frombuffer(parts["mask"], np.uint8).reshape(SIZE) / 255 * head["weighing"][0] + head["weighing"][1]
    np.testing.assert_allclose(weight, disc(2) / 255, atol=1 / 254)


def test_the_proxy_has_the_colours_of_the_file(session: Session, tmp_path: Path) -> None:
    reader, folder = FrameReader(session), ProxyFolder(tmp_path / "proxy")
    assert folder.make(reader.clip, lambda _: None) == 10
    for index in (0, 9):
        whole = exact(reader, index)
        head, parts = unpacked(zlib.decompress(folder.file(index).read_bytes()))
        small = cv2.imdecode(np.frombuffer(parts["picture"], np.uint8), cv2.IMREAD_UNCHANGED)
        mask = np.frombuffer(parts["mask"], np.uint8).reshape(SIZE)
        difference = small[..., ::-1].astype(int) - whole.picture
        assert np.abs(difference).mean() < 1.5
        assert abs(difference.mean()) < 0.2  # no shift of the colour
        np.testing.assert_array_equal(mask, whole.mask)
        rows, columns = whole.mask.nonzero()
        assert head["box"] == [
            columns.min() / SIZE.width,
            rows.min() / SIZE.height,
            (columns.max() + 1) / SIZE.width,
            (rows.max() + 1) / SIZE.height,
        ]


def test_layers_show_the_foreground_alone_too(tmp_path: Path) -> None:
    front = make_clip(
        tmp_path / "fg.mp4", size=SIZE, frames=[[np.full_like(p, 90) for p in picture("yuv420p", size=SIZE)]] * 2
    )
    matte, back = (
        make_mask(tmp_path / "matte.mkv", num_frames=2),
        make_clip(tmp_path / "bg.mp4", size=SIZE, num_frames=2),
    )
    reader = FrameReader(Session({"foreground": str(front), "alpha": str(matte), "background": str(back)}))
    pictures = exact(reader, 1)
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
    pictures = [exact(FrameReader(Session(clip, **each)), 0).picture for each in (plain, log)]
    assert pictures[0].shape == pictures[1].shape == (*SIZE, 3)
    assert pictures[1].std() > pictures[0].std()  # log has little contrast as stored


def test_answers_are_sent_at_once(server: Server) -> None:
    connection, seconds = HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE), []
    for _ in range(20):
        began = time.perf_counter()
        connection.request("GET", "/api/tasks")
        connection.getresponse().read()
        seconds.append(time.perf_counter() - began)
    connection.close()
    # A system that waits for more to send holds the body back for 40 ms, once a connection has been in use.
    assert min(seconds[5:]) < 0.035
