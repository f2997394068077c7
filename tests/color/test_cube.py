"""The text of .cube files, against OpenColorIO's and ffmpeg's readers and by hand."""

from pathlib import Path

import av
import av.filter
import numpy as np
import numpy.typing as npt
import PyOpenColorIO as ocio
import pytest

from chromacord.color.cube import Cube, cube_text, parse_cube
from chromacord.color.transforms import Lut3d, apply_lut3d, lattice
from chromacord.errors import InputError
from chromacord.types import FloatArray


def look(size: int = 17) -> Lut3d:
    """A smooth map whose channels and axes cannot be confused, with values beyond [0, 1]."""
    red, green, blue = lattice(size)
    mapped = np.stack([1.2 * red**1.3 + 0.1 * blue - 0.05, 0.8 * green + 0.2 * red * blue, blue**0.7 - 0.1 * green])
    return Lut3d(mapped[None])


def colors(number: int = 4096) -> FloatArray:
    """Random RGB. Shape (1, 3, 1, number)."""
    return np.random.default_rng(3).random((1, 3, 1, number), np.float32)


def two_nodes(head: str = "LUT_3D_SIZE 2\n", *, rows: int = 8) -> str:
    """The smallest LUT: its rows count up."""
    return head + "".join(f"{row}.0 0.{row} {-row}\n" for row in range(rows))


def test_what_is_written_reads_back() -> None:
    cube = parse_cube(cube_text(look(), title="a look", size=33), name="look.cube")
    assert (cube.title, cube.domain_min, cube.domain_max) == ("a look", (0, 0, 0), (1, 1, 1))
    np.testing.assert_allclose(cube.lut.parameters, look().to_lut(33).parameters, atol=1e-7)


def test_the_head_is_what_grading_tools_expect() -> None:
    lines = cube_text(look(), title='my "look"\nshot 1').splitlines()
    assert lines[:4] == [
        "TITLE \"my 'look' shot 1\"",
        "LUT_3D_SIZE 33",
        "DOMAIN_MIN 0.0 0.0 0.0",
        "DOMAIN_MAX 1.0 1.0 1.0",
    ]
    assert len(lines) == 4 + 33**3


def test_red_runs_fastest_and_values_are_not_clamped() -> None:
    rows = [line.split() for line in cube_text(Lut3d(2 * lattice(2)[None] - 0.5), title="t", size=2).splitlines()[4:]]
    assert rows[1] == ["1.50000000", "-0.50000000", "-0.50000000"]
    assert rows[4] == ["-0.50000000", "-0.50000000", "1.50000000"]


def test_values_that_are_not_finite_are_not_written() -> None:
    with pytest.raises(ValueError, match="finite"):
        cube_text(Lut3d(look().parameters * np.nan), title="t")


def test_several_maps_are_not_written() -> None:
    with pytest.raises(ValueError, match="one map"):
        cube_text(Lut3d(look().parameters.repeat(2, axis=0)), title="t")


def test_opencolorio_maps_as_we_do(tmp_path: Path) -> None:
    path = tmp_path / "look.cube"
    path.write_text(cube_text(look(), title="t"))
    transform = ocio.FileTransform(src=str(path), interpolation=ocio.INTERP_LINEAR)
    processor = ocio.Config.CreateRaw().getProcessor(transform).getDefaultCPUProcessor()
    image = colors()
    expected = np.ascontiguousarray(image[0, :, 0].T)
    processor.applyRGB(expected)
    np.testing.assert_allclose(look()(image)[0, :, 0].T, expected, atol=2e-5)


def ffmpeg_lut3d(path: Path, codes: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Run ffmpeg's lut3d filter with its defaults over rgb24."""
    frame = av.VideoFrame.from_ndarray(codes, format="rgb24")
    graph = av.filter.Graph()
    source = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base="1/25")  # type: ignore[arg-type]
    graph.link_nodes(source, graph.add("lut3d", file=str(path)), graph.add("buffersink")).configure()
    graph.push(frame)
    result = graph.pull()
    assert isinstance(result, av.VideoFrame)
    return result.to_ndarray(format="rgb24")


def test_ffmpeg_maps_as_we_do_within_one_level(tmp_path: Path) -> None:
    path = tmp_path / "look.cube"
    path.write_text(cube_text(look(), title="t"))
    codes = np.random.default_rng(4).integers(0, 256, (32, 64, 3), dtype=np.uint8)
    image = codes.transpose(2, 0, 1)[None] / np.float32(255)
    ours = look()(image).clip(0, 1)[0].transpose(1, 2, 0) * 255
    assert np.abs(ffmpeg_lut3d(path, codes).astype(float) - ours).max() <= 1.01


def test_both_readers_would_notice_swapped_axes(tmp_path: Path) -> None:
    path = tmp_path / "look.cube"
    path.write_text(cube_text(Lut3d(look().parameters.swapaxes(2, 4)), title="t"))
    codes = np.random.default_rng(4).integers(0, 256, (32, 64, 3), dtype=np.uint8)
    image = codes.transpose(2, 0, 1)[None] / np.float32(255)
    ours = look()(image).clip(0, 1)[0].transpose(1, 2, 0) * 255
    assert np.abs(ffmpeg_lut3d(path, codes).astype(float) - ours).max() > 20


@pytest.mark.parametrize("size", [2, 16, 65])
def test_other_sizes_are_read(size: int) -> None:
    rows = "0.1 0.2 0.3\n" * size**3
    assert parse_cube(f"LUT_3D_SIZE {size}\n{rows}", name="n").lut.size == size


def test_a_domain_is_obeyed() -> None:
    head = 'TITLE "wide"\nDOMAIN_MIN -1 0 0\nDOMAIN_MAX 3 2 1\nLUT_3D_SIZE 2\n'
    identity = "".join(f"{r} {g} {b}\n" for b in (0, 1) for g in (0, 2) for r in (-1, 3))
    cube = parse_cube(head + identity, name="n")
    image = np.float32([2.5, 1.5, 0.25])[None, :, None, None]
    np.testing.assert_allclose(cube(image), image, rtol=1e-5)


def test_a_cube_over_the_unit_domain_maps_as_its_lut() -> None:
    np.testing.assert_allclose(Cube(look())(colors()), apply_lut3d(colors(), look().parameters), rtol=1e-5)


def test_comments_empty_lines_and_every_line_break_are_read() -> None:
    text = two_nodes('# made by hand\r\n\r\nTITLE "Look #3"\r\n   LUT_3D_SIZE   2  \r\n')
    text = text.replace("3.0 0.3 -3\n", "3.0\t0.3 -3\r")
    cube = parse_cube(text, name="n")
    assert cube.title == "Look #3"
    assert cube.lut.parameters[0, :, 0, 1, 1].tolist() == pytest.approx([3.0, 0.3, -3.0])


def test_bytes_may_be_latin_1_or_utf_8_with_a_mark() -> None:
    text = two_nodes('TITLE "Café"\nLUT_3D_SIZE 2\n')
    assert parse_cube(text.encode("latin-1"), name="n").title == "Café"
    assert parse_cube(text.encode("utf-8-sig"), name="n").title == "Café"
    assert parse_cube(b"# \x85 dots\n" + text.encode("latin-1"), name="n").title == "Café"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (two_nodes("LUT_1D_SIZE 2\n"), "n line 1: this is a 1D LUT"),
        (two_nodes("LUT_3D_SIZE 2\nLUT_1D_SIZE 4\n"), "n line 2: this is a 1D LUT"),
        (two_nodes(""), "no LUT_3D_SIZE"),
        (two_nodes("LUT_3D_SIZE 1\n"), "n line 1: LUT_3D_SIZE must be one number from 2 to 129, got '1'"),
        (two_nodes("LUT_3D_SIZE 130\n"), "got '130'"),
        (two_nodes("LUT_3D_SIZE\n"), "n line 1"),
        (two_nodes(rows=7), "7 rows of colours up to line 8, but LUT_3D_SIZE 2 needs 8"),
        (two_nodes(rows=9), "9 rows of colours up to line 10"),
        ("LUT_3D_SIZE 129\n", "0 rows of colours up to line 0, but LUT_3D_SIZE 129 needs 2146689"),
        (two_nodes().replace("5.0 ", "nan "), "n line 7: 'nan' is not a finite number"),
        (two_nodes().replace("5.0 ", "-nan "), "n line 7: '-nan' is not a finite number"),
        (two_nodes().replace("5.0 ", "1e999 "), "n line 7"),
        (two_nodes().replace("5.0 0.5", "5.0 0,5"), "n line 7: '0,5'"),
        (two_nodes().replace("5.0 0.5", "5.0"), "n line 7: expected three numbers, got '5.0 -5'"),
        (two_nodes("LUT_3D_SIZE 2\nDOMAIN_MAX 1 1\n"), "n line 2: expected three numbers"),
        (two_nodes("LUT_3D_SIZE 2\nDOMAIN_MAX 1 0 1\n"), "must lie below"),
        (two_nodes("LUT_3D_SIZE 2\nGIF89a\n"), "n line 2: unknown keyword 'GIF89a'"),
        (two_nodes().replace("5.0 ", "1e39 "), "n line 7: '1e39' is not a finite number up to 1e+09"),
        (two_nodes("LUT_3D_SIZE 2\nDOMAIN_MIN -3e38 0 0\n"), "n line 2: '-3e38' is not a finite number"),
        (two_nodes("LUT_3D_SIZE 2\nDOMAIN_MAX 1e-50 1 1\n"), "must lie below"),
        (two_nodes(f"LUT_3D_SIZE {'2' * 5000}\n"), "LUT_3D_SIZE must be one number from 2 to 129"),
        ("A" * 100_000, "n line 1: is too long"),
        ("A" * 9_000, "n line 1: unknown keyword 'AAA"),
        ("\n" * 2_300_000, "has more than 2,246,689 lines"),
        ("", "no LUT_3D_SIZE"),
    ],
)
def test_bad_files_are_refused_with_their_line(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_cube(text, name="n")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200
