from pathlib import Path

import pytest

from chromacord.grade.naming import clip_name


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("shots/a.mp4", "a"),
        ("a.b.mov", "a.b"),
        ("shots/a.%04d.exr", "a"),
        ("a_####.png", "a"),
        ("sh010/%04d.png", "sh010"),
        ("a", "a"),
    ],
)
def test_a_clip_is_called_by_its_file_without_suffix_and_frame_number(source: str, name: str) -> None:
    assert clip_name(source) == name
    assert clip_name(Path(source)) == name


def test_a_folder_keeps_its_whole_name(tmp_path: Path) -> None:
    (tmp_path / "sh010.v2").mkdir()
    assert clip_name(f"{tmp_path}/sh010.v2/") == "sh010.v2"
    assert clip_name(f"{tmp_path}/sh010.v2/.") == "sh010.v2"
    assert clip_name(f"{tmp_path}/sh010.v2/..") == tmp_path.name
