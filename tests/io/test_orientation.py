"""All eight ways in which a stored picture may lie."""

import warnings
from pathlib import Path

import av
import numpy as np
import pytest

from chromacord.errors import ChromacordWarning
from chromacord.io import LayeredSource, open_source
from chromacord.io.orientation import Orientation
from chromacord.io.side_data import display_matrix
from tests.clips import make_clip
from tests.images import copy, noise, write

ONE, W = 1 << 16, 1 << 30
"""1 in a display matrix (ISO/IEC 14496-12, 8.3.2), and in its last column."""

PICTURE = np.arange(12).reshape(3, 4)

UPRIGHT = {
    # EXIF 2.3, table 6: on which side of the picture the first stored row and the first stored column are shown.
    1: lambda stored: stored,  # top, left
    2: lambda stored: stored[:, ::-1],  # top, right
    3: lambda stored: stored[::-1, ::-1],  # bottom, right
    4: lambda stored: stored[::-1],  # bottom, left
    5: lambda stored: stored.swapaxes(0, 1),  # left, top
    6: lambda stored: stored[::-1].swapaxes(0, 1),  # right, top
    7: lambda stored: stored[::-1, ::-1].swapaxes(0, 1),  # right, bottom
    8: lambda stored: stored.swapaxes(0, 1)[::-1],  # left, bottom
}
CODES = list(UPRIGHT)


@pytest.mark.parametrize("code", CODES)
def test_a_picture_comes_upright(code: int) -> None:
    np.testing.assert_array_equal(Orientation.from_exif(code).apply(PICTURE), UPRIGHT[code](PICTURE))


@pytest.mark.parametrize("code", [0, 9, -1])
def test_a_code_that_exif_does_not_know_is_upright(code: int) -> None:
    assert Orientation.from_exif(code) == Orientation()


@pytest.mark.parametrize("one", CODES)
@pytest.mark.parametrize("other", CODES)
def test_a_picture_is_made_to_lie_as_another(one: int, other: int) -> None:
    mine, theirs = Orientation.from_exif(one), Orientation.from_exif(other)
    moved = mine.relative_to(theirs).apply(PICTURE)
    np.testing.assert_array_equal(theirs.apply(moved), mine.apply(PICTURE))


@pytest.mark.parametrize("code", CODES)
def test_stills_are_stored_upright_where_the_format_cannot_say_so(tmp_path: Path, code: int) -> None:
    pixels = noise(3)
    source = open_source(write(tmp_path / "a.tif", pixels, Orientation=code))
    written = copy(source, tmp_path / "b.png")
    np.testing.assert_array_equal(np.stack(next(written.frames()).planes, -1), UPRIGHT[code](pixels))
    kept = copy(source, tmp_path / "c.tif")
    assert Orientation.of(kept.info) == Orientation.of(source.info) == Orientation.from_exif(code)
    np.testing.assert_array_equal(np.stack(next(kept.frames()).planes, -1), pixels)


@pytest.mark.parametrize("code", CODES)
def test_a_layer_lies_as_players_show_it(tmp_path: Path, code: int) -> None:
    pixels, matte = noise(3), np.zeros((12, 18, 1), np.uint8)
    matte[2:7, 3:9] = 255
    turned = UPRIGHT[code](noise(3, seed=1))
    foreground = open_source(write(tmp_path / "f.tif", noise(3, seed=1), Orientation=code))
    alpha = open_source(write(tmp_path / "m.tif", matte, Orientation=code))
    shape = turned.shape[:2]
    background = open_source(write(tmp_path / "b.png", np.resize(pixels, (*shape, 3))))
    ((composite, mask, layer),) = LayeredSource(foreground, background, alpha).layers()
    np.testing.assert_array_equal(mask.planes[0], UPRIGHT[code](matte)[..., 0])
    np.testing.assert_array_equal(np.stack(layer.planes, -1), turned)
    covered = mask.planes[0] > 0
    np.testing.assert_array_equal(np.stack(composite.planes, -1)[covered], turned[covered])


@pytest.mark.parametrize(("suffix", "codec"), [(".mp4", "libx264"), (".mkv", "ffv1")])
@pytest.mark.parametrize("code", CODES)
def test_a_display_matrix_is_read_and_written(tmp_path: Path, suffix: str, codec: str, code: int) -> None:
    expected = Orientation.from_exif(code)
    options = {"rotation": expected.rotation, "mirrored": expected.mirrored}
    source = open_source(make_clip(tmp_path / f"a{suffix}", codec=codec, num_frames=2, **options))
    assert Orientation.of(source.info) == expected
    assert Orientation.of(copy(source, tmp_path / f"b{suffix}").info) == expected


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
@pytest.mark.parametrize("code", CODES)
def test_a_display_matrix_is_kept_as_it_was_written(tmp_path: Path, suffix: str, code: int) -> None:
    """With where it moves the picture: by its own size in what phones write, or by anything."""
    matrix = Orientation.from_exif(code).matrix((96 * ONE, -5 * ONE // 2))
    source = open_source(make_clip(tmp_path / f"a{suffix}", num_frames=2, matrix=matrix))
    assert Orientation.of(source.info) == Orientation.from_exif(code)
    written = copy(source, tmp_path / f"b{suffix}").info.path
    with av.open(written) as container:
        assert display_matrix(next(container.decode(video=0))) == matrix


def test_a_picture_is_written_to_video_as_it_lies(tmp_path: Path) -> None:
    source = open_source(write(tmp_path / "a.tif", noise(3), Orientation=5))
    assert Orientation.of(copy(source, tmp_path / "b.mkv").info) == Orientation(270, mirrored=True)


def test_a_mirror_that_the_container_does_not_keep_is_said(tmp_path: Path) -> None:
    source = open_source(make_clip(tmp_path / "a.mkv", codec="ffv1", num_frames=2, mirrored=True))
    with pytest.warns(ChromacordWarning, match=r"b\.avi: \.avi does not keep the source's rotation"):
        copy(source, tmp_path / "b.avi")


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        ((ONE, 0, 0, 0, ONE, 0, 0, 0, W), (0, False)),
        ((-ONE, 0, 0, 0, ONE, 0, 96 * ONE, 0, W), (0, True)),
        ((ONE, 0, 0, 0, -ONE, 0, 0, 64 * ONE, W), (180, True)),
        ((0, ONE, 0, -ONE, 0, 0, 64 * ONE, 0, W), (270, False)),
        ((0, ONE, 0, ONE, 0, 0, 0, 0, W), (270, True)),
    ],
)
def test_a_matrix_of_quarter_turns_and_mirrors_is_all_that_is_read(matrix: tuple[int, ...], expected) -> None:
    assert Orientation.from_matrix(matrix) == (Orientation(*expected), True)


@pytest.mark.parametrize(
    "matrix",
    [
        (64000, 14000, 0, -14000, 64000, 0, 0, 0, W),
        (2 * ONE, 0, 0, 0, ONE, 0, 0, 0, W),
        (2 * ONE, 0, 0, 0, 2 * ONE, 0, 0, 0, W),
        (ONE, 0, 5, 0, ONE, 0, 0, 0, W),
        (0, 0, 0, 0, 0, 0, 0, 0, W),
    ],
)
def test_any_other_matrix_is_said(tmp_path: Path, matrix: tuple[int, ...]) -> None:
    assert Orientation.from_matrix(matrix) == (Orientation(), False)
    path = make_clip(tmp_path / "a.mp4", num_frames=2, matrix=matrix)
    with pytest.warns(ChromacordWarning, match=r"a\.mp4: is displayed with a rotation, scale or shear"):
        assert Orientation.of(open_source(path).info) == Orientation()


def test_upright_clips_warn_of_nothing(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        open_source(make_clip(tmp_path / "a.mp4", num_frames=2, rotation=90, mirrored=True))
