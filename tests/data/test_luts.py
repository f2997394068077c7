import zipfile
from pathlib import Path

import pytest
import torch

from chromacord.color.cube import cube_text
from chromacord.color.transforms import Lut3d, lattice
from chromacord.data.luts import MAX_BYTES, read_cube, read_luts
from chromacord.errors import InputError, MissingFileError, UnreadableFileError

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
        assert torch.equal(cube.lut.parameters, from_archive[name].lut.parameters)
    assert from_folder["9.cube"].title == "café"


def test_one_file_is_read_by_its_name(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "luts")
    assert list(read_luts(folder / "10.cube")) == ["10.cube"]
    colors = torch.tensor([[0.2, 0.4, 1.0]])[..., None, None]
    torch.testing.assert_close(read_cube(folder / "9.cube")(colors), colors / 2)


def test_a_broken_lut_is_named_with_its_archive_and_line(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "luts.zip", "w") as archive:
        archive.writestr("bad.cube", HALF.replace("0.50000000 0.00000000 0.00000000", "0.5 nan 0"))
    with pytest.raises(InputError, match=r"luts.zip/bad.cube line 6: 'nan' is not a finite number"):
        read_luts(tmp_path / "luts.zip")


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "luts.zip").write_bytes(b"PK\x03\x04 but no more")
    with pytest.raises(UnreadableFileError, match=r"luts.zip: is damaged, encrypted or no zip archive"):
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
    with pytest.raises(MissingFileError, match="nowhere: no such file or folder"):
        read_luts(tmp_path / "nowhere")
    with pytest.raises(MissingFileError, match=r"a.cube: no such file"):
        read_cube(tmp_path / "a.cube")


def test_a_huge_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with (tmp_path / "a.cube").open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(InputError, match="has 200 MB"):
        read_cube(tmp_path / "a.cube")
