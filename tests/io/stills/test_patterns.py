from dataclasses import replace
from pathlib import Path

import pytest

from chromacord.errors import CodecError, InputError, MissingFileError, OutputExistsError, SequenceGapError
from chromacord.io.stills.patterns import Pattern, find_images, output_pattern, parse_pattern, sequences_in
from chromacord.io.writing.places import refuse_inputs
from chromacord.types import PixelFormat
from tests.images import DISPLAY, video_info

VIDEO = video_info(PixelFormat("yuv"), DISPLAY)


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).touch()
    return folder


def names(folder: Path, pattern: str, **options: bool) -> list[str]:
    return [path.name for path in find_images(folder / pattern, **options).paths]


@pytest.mark.parametrize("written", ["shot.%04d.png", "shot.####.png", "shot.@@@@.png"])
def test_every_way_to_write_a_pattern_names_the_same_files(written: str) -> None:
    pattern = parse_pattern(Path("a") / written)
    assert pattern is not None
    assert pattern.path(7) == Path("a/shot.0007.png")
    assert pattern.path(12345).name == "shot.12345.png"
    assert pattern.label == written


def test_percent_signs_in_a_name_survive_the_label() -> None:
    pattern = Pattern(Path("a"), "100%.", 3, ".png")
    assert parse_pattern(Path("a") / pattern.label) == pattern


def test_a_video_or_an_existing_file_is_no_pattern(tmp_path: Path) -> None:
    touch(tmp_path, "take#2.png")
    assert parse_pattern(tmp_path / "take#2.png") is None
    assert parse_pattern(tmp_path / "take#2.mp4") is None
    assert parse_pattern(tmp_path / "plain.png") is None


def test_two_places_for_a_number_are_refused() -> None:
    for name in ("a.%d.%d.png", "a.##b##c.png"):
        with pytest.raises(InputError, match="2 fields"):
            parse_pattern(Path(name))


@pytest.mark.parametrize("name", ["take #1.png", "still@2x.png", "cam@home.png"])
def test_a_mark_inside_a_word_is_a_letter(name: str) -> None:
    assert parse_pattern(Path(name)) is None
    assert output_pattern(name, VIDEO) == Pattern(Path(), name[:-4], 0, ".png")


@pytest.mark.parametrize("name", ["cam@home.%04d.png", "cam#home.####.png", "a##b.@@@@.png"])
def test_marks_beside_the_place_of_the_number_are_letters(name: str) -> None:
    pattern = parse_pattern(Path(name))
    assert pattern is not None
    assert pattern.name(7).endswith(".0007.png")
    assert pattern.name(7)[:4] == name[:4]


def test_marks_are_letters_in_the_name_of_a_still() -> None:
    still = replace(VIDEO, path=Path("a.png"), container="still")
    assert output_pattern("out ##.png", still).path(0) == Path("out ##.png")


def test_numbers_are_in_natural_order_and_start_anywhere(tmp_path: Path) -> None:
    touch(tmp_path, "f10.png", "f9.png", "f11.png", "notes.txt", ".f8.png", "g9.png")
    assert names(tmp_path, "f%d.png") == ["f9.png", "f10.png", "f11.png"]
    assert find_images(tmp_path / "f%d.png").first == 9


def test_a_number_may_outgrow_its_padding(tmp_path: Path) -> None:
    touch(tmp_path, "f.098.png", "f.099.png", "f.100.png", "f.0101.png")
    assert names(tmp_path, "f.%03d.png") == ["f.098.png", "f.099.png", "f.100.png"]


def test_a_gap_names_the_first_missing_file_and_the_count(tmp_path: Path) -> None:
    touch(tmp_path, "f.0001.exr", "f.0004.exr", "f.0006.exr")
    with pytest.raises(SequenceGapError, match=r"f\.0002\.exr: frame 2 is missing, the first of 3 missing frames"):
        find_images(tmp_path / "f.####.exr")


def test_a_held_gap_repeats_the_frame_before(tmp_path: Path) -> None:
    touch(tmp_path, "f.1.exr", "f.4.exr")
    assert names(tmp_path, "f.%d.exr", hold=True) == ["f.1.exr", "f.1.exr", "f.1.exr", "f.4.exr"]


@pytest.mark.parametrize(
    ("files", "label"),
    [
        (["a.1.png", "a.2.png", "a.10.png"], "a.%d.png"),
        (["a.0099.png", "a.0100.png"], "a.%04d.png"),
        (["a.1001.png", "a.1002.png"], "a.%04d.png"),
        (["a.099.png", "a.1000.png", "a.101.png"], "a.%03d.png"),
        (["a.0.png", "a.1.png", "a.10.png"], "a.%d.png"),
        (["v2_shot_01_007.JPG", "v2_shot_01_008.JPG"], "v2_shot_01_%03d.JPG"),
        (["0001.png"], "%04d.png"),
        (["plate.png"], "plate.png"),
    ],
)
def test_the_one_sequence_of_a_folder_is_recognised(tmp_path: Path, files: list[str], label: str) -> None:
    touch(tmp_path, *files, "notes.txt", ".hidden.0001.png")
    assert [pattern.label for pattern in sequences_in(tmp_path)] == [label]


@pytest.mark.parametrize(
    ("files", "listed"),
    [
        (["a.1.png", "b.1.png"], r"2 sequences or stills \(a\.%d\.png, b\.%d\.png\)"),
        (["a.1.png", "a.1.exr"], r"a\.%d\.exr, a\.%d\.png"),
        (["a.01.png", "a.001.png"], r"a\.%02d\.png, a\.%03d\.png"),
        (["a.01.png", "thumbnail.jpg"], r"a\.%02d\.png, thumbnail\.jpg"),
    ],
)
def test_a_folder_with_several_sequences_is_refused_and_lists_them(
    tmp_path: Path, files: list[str], listed: str
) -> None:
    touch(tmp_path, *files)
    with pytest.raises(InputError, match=listed):
        find_images(tmp_path)


def test_missing_files_say_what_the_folder_holds(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="holds no images"):
        find_images(touch(tmp_path, "notes.txt"))
    touch(tmp_path, "shot.0001.png")
    with pytest.raises(MissingFileError, match=r"the folder holds shot\.%04d\.png"):
        find_images(tmp_path / "shot.###.png")
    with pytest.raises(MissingFileError, match="no such file"):
        find_images(tmp_path / "other.png")
    with pytest.raises(MissingFileError, match="there is no folder"):
        find_images(tmp_path / "nowhere" / "shot.%d.png")


def test_a_folder_as_output_takes_the_names_of_the_source(tmp_path: Path) -> None:
    sequence = replace(VIDEO, path=tmp_path / "in" / "shot.%03d.exr", container="sequence")
    assert output_pattern("out/", sequence) == Pattern(Path("out"), "shot.", 3, ".exr")
    assert output_pattern("out", VIDEO).label == "frame.%06d.png"
    assert output_pattern(tmp_path, VIDEO).folder == tmp_path
    assert output_pattern("a/still.png", VIDEO) == Pattern(Path("a"), "still", 0, ".png")
    with pytest.raises(CodecError, match="unknown image extension"):
        output_pattern("a/clip.xyz", VIDEO)


@pytest.mark.parametrize(
    ("out", "source", "clashes"),
    [
        ("shot.%04d.png", "shot.%04d.png", True),
        ("shot.####.png", "shot.%d.png", True),
        ("shot.0007.png", "shot.%04d.png", True),
        ("shot.%04d.png", "shot.0007.png", True),
        ("a.mp4", "a.mp4", True),
        ("b/shot.%04d.png", "shot.%04d.png", False),
        ("new.%04d.png", "shot.%04d.png", False),
        ("shot.%04d.exr", "shot.%04d.png", False),
        ("a.mov", "a.mp4", False),
    ],
)
def test_an_output_that_shares_files_with_an_input_is_refused(
    tmp_path: Path, out: str, source: str, clashes: bool
) -> None:
    if not clashes:
        refuse_inputs(tmp_path / out, VIDEO, inputs=[tmp_path / source])
        return
    with pytest.raises(OutputExistsError, match="also an input"):
        refuse_inputs(tmp_path / out, VIDEO, inputs=[tmp_path / source])


@pytest.mark.parametrize("stray", [1002 + 1, 60_000_000, 99_999_999_999])
def test_a_stray_number_is_no_gap_that_is_held(tmp_path: Path, stray: int) -> None:
    for number in (1, stray):
        (tmp_path / f"f.{number:04d}.png").touch()
    with pytest.raises(
        SequenceGapError, match=rf"f.{stray:04d}.png: {stray - 2} frames before it are missing, and at most 1000"
    ):
        find_images(tmp_path / "f.%04d.png", hold=True)


def test_the_longest_gap_is_held(tmp_path: Path) -> None:
    for number in (1, 1002):
        (tmp_path / f"f.{number:04d}.png").touch()
    assert len(find_images(tmp_path / "f.%04d.png", hold=True).paths) == 1002


@pytest.mark.parametrize("digits", ["201", "99999999999"])
def test_a_pattern_of_more_digits_than_a_name_has_is_refused(tmp_path: Path, digits: str) -> None:
    with pytest.raises(InputError, match="a frame number has at most 200 digits"):
        find_images(tmp_path / f"f.%0{digits}d.png")
