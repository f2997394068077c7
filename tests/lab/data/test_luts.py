import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

from chromacord.color.cube import cube_text
from chromacord.color.transforms import Lut3d, lattice
from chromacord.errors import InputError, MissingFileError, UnreadableFileError
from chromacord.lab.data import luts
from chromacord.lab.data.luts import MAX_BYTES, read_luts

IDENTITY = cube_text(Lut3d(lattice(2)[None]), title="identity", size=2)
HALF = cube_text(Lut3d(0.5 * lattice(2)[None]), title="half", size=2)
TITLED = b'TITLE "caf\xe9"\r\n# Latin-1\r\n' + HALF.partition("\n")[2].replace("\n", "\r\n").encode()


def write_folder(folder: Path) -> Path:
    (folder / "more").mkdir(parents=True)
    for name, content in {"10.cube": IDENTITY.encode(), "9.cube": TITLED, "more/1.CUBE": HALF.encode()}.items():
        (folder / name).write_bytes(content)
    (folder / "readme.txt").write_text("not a LUT")
    return folder


def test_a_folder_and_an_archive_of_it_give_the_same_luts(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "luts")
    with zipfile.ZipFile(tmp_path / "luts.zip", "w") as archive:
        for path in sorted(folder.rglob("*.*")):
            archive.write(path, path.relative_to(folder))
        archive.writestr("__MACOSX/._10.cube", b"\x00\x05\x16\x07")
    from_folder, from_archive = read_luts(folder), read_luts(tmp_path / "luts.zip")
    assert list(from_folder) == list(from_archive) == ["9.cube", "10.cube", "more/1.CUBE"]
    for name, cube in from_folder.items():
        assert np.array_equal(cube.lut.parameters, from_archive[name].lut.parameters)
    assert from_folder["9.cube"].title == "café"


def test_one_file_is_read_by_its_name(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "luts")
    luts = read_luts(folder / "9.cube")
    assert list(luts) == ["9.cube"]
    colors = np.float32([[0.2, 0.4, 1.0]])[..., None, None]
    np.testing.assert_allclose(luts["9.cube"](colors), colors / 2, rtol=1e-5)


def test_a_broken_lut_is_named_with_its_archive_and_line(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "luts.zip", "w") as archive:
        archive.writestr("bad.cube", HALF.replace("0.50000000 0.00000000 0.00000000", "0.5 nan 0"))
    with pytest.raises(InputError, match=r"luts.zip/bad.cube line 6: 'nan' is not a finite number"):
        read_luts(tmp_path / "luts.zip")


def test_a_broken_file_is_named_once(tmp_path: Path) -> None:
    (tmp_path / "bad.cube").write_text(HALF.replace("0.50000000 0.00000000 0.00000000", "0.5 nan 0"))
    with pytest.raises(InputError) as caught:
        read_luts(tmp_path / "bad.cube")
    assert str(caught.value).startswith(f"{tmp_path}/bad.cube line 6: ")


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "luts.zip").write_bytes(b"PK\x03\x04 but no more")
    with pytest.raises(UnreadableFileError, match=r"luts.zip: is damaged, encrypted or not a zip archive"):
        read_luts(tmp_path / "luts.zip")


def test_a_damaged_member_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "luts.zip", "w") as archive:
        archive.writestr("a.cube", HALF)
    content = (tmp_path / "luts.zip").read_bytes()
    (tmp_path / "luts.zip").write_bytes(content.replace(b"LUT_3D_SIZE 2", b"LUT_3D_SIZE 3"))
    with pytest.raises(UnreadableFileError, match="Bad CRC"):
        read_luts(tmp_path / "luts.zip")


def test_places_without_luts_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"holds no .cube files"):
        read_luts(tmp_path)
    with pytest.raises(MissingFileError, match=r"nowhere: no such file; name a .cube file, a .zip"):
        read_luts(tmp_path / "nowhere")
    with pytest.raises(MissingFileError, match=r"a.cube: no such file"):
        read_luts(tmp_path / "a.cube")


def test_a_huge_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with (tmp_path / "a.cube").open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(InputError, match=r"a.cube: is larger than the limit of 209,715,200 bytes"):
        read_luts(tmp_path / "a.cube")


def write_archive(path: Path, content: bytes = HALF.encode(), *, method: int = zipfile.ZIP_DEFLATED) -> bytearray:
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("a.cube", content)
    return bytearray(path.read_bytes())


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compressions_that_unpack_without_limit_are_refused(tmp_path: Path, method: int) -> None:
    write_archive(tmp_path / "luts.zip", method=method)
    with pytest.raises(UnreadableFileError, match=r"luts.zip: is damaged, .*: 'a.cube' is not compressed by deflate"):
        read_luts(tmp_path / "luts.zip")


def test_damage_in_any_byte_of_an_archive_is_refused_or_does_no_harm(tmp_path: Path) -> None:
    path, refused = tmp_path / "luts.zip", set()
    content = write_archive(path)
    for place in range(len(content)):
        damaged = content.copy()
        damaged[place] ^= 0xFF
        path.write_bytes(damaged)
        try:
            read_luts(path)
        except InputError as error:
            refused.add(str(error).partition(" archive: ")[2][:12])
    assert "Error -3 whi" in refused  # of zlib, which is no error of zipfile's


def test_an_archive_that_unpacks_to_far_more_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "luts.zip"
    write_archive(path, bytes(MAX_BYTES + 1))
    assert path.stat().st_size < 300_000
    with pytest.raises(InputError, match=r"luts.zip/a.cube: has 200 MB"):
        read_luts(path)
    monkeypatch.setattr(luts, "MAX_TOTAL", 2 * MAX_BYTES)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in "abc":
            archive.writestr(f"{name}.cube", bytes(MAX_BYTES))
    with pytest.raises(InputError, match="unpacks to more than"):
        read_luts(path)


def test_a_member_unpacks_to_no_more_than_it_says(tmp_path: Path) -> None:
    path = tmp_path / "luts.zip"
    content = write_archive(path, bytes(MAX_BYTES))
    stated = MAX_BYTES.to_bytes(4, "little")
    assert content.count(stated) == 2
    path.write_bytes(content.replace(stated, (100).to_bytes(4, "little")))
    tracemalloc.start()
    with pytest.raises(UnreadableFileError, match="Bad CRC"):
        read_luts(path)
    assert tracemalloc.get_traced_memory()[1] < MAX_BYTES / 10
    tracemalloc.stop()


def test_a_name_that_stands_twice_in_an_archive_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "luts.zip", "w") as archive:
        archive.writestr("a.cube", HALF)
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("a.cube", IDENTITY)
    with pytest.raises(InputError, match=r"luts.zip: holds a.cube twice"):
        read_luts(tmp_path / "luts.zip")


def test_names_of_many_digits_are_sorted_too(tmp_path: Path) -> None:
    names = [f"{'9' * 5000}.cube", f"1{'0' * 5000}.cube"]
    with zipfile.ZipFile(tmp_path / "luts.zip", "w") as archive:
        for name in reversed(names):
            archive.writestr(name, HALF)
    assert list(read_luts(tmp_path / "luts.zip")) == names


@pytest.mark.parametrize("name", ["a" * 300, f"{'a' * 300}.zip", f"{'a' * 300}.cube"])
def test_names_that_no_file_can_have_are_refused(name: str) -> None:
    with pytest.raises(InputError, match=r"no such file or folder|File name too long"):
        read_luts(Path(name))
