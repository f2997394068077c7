"""The picture of the validation, read back with an XML parser."""

from pathlib import Path
from xml.etree import ElementTree

import pytest

from chromacord.lab.training.curve import line_chart, write_curve
from chromacord.lab.training.log import CURVE

SVG = "{http://www.w3.org/2000/svg}"


def points_of(drawing: ElementTree.Element) -> list[tuple[float, ...]]:
    line = drawing.find(f"{SVG}polyline")
    assert line is not None
    return [tuple(map(float, point.split(","))) for point in line.attrib["points"].split()]


def texts(drawing: ElementTree.Element) -> list[str]:
    return [str(element.text) for element in drawing.iter(f"{SVG}text")]


def test_points_lie_in_proportion_and_zero_at_the_bottom() -> None:
    """The axis of y ends 5 % above the largest value; 640 x 320, margins of 64, 40 and 16."""
    drawing = ElementTree.fromstring(line_chart([(0, 0), (50, 10), (100, 5)], x_label="step", y_label="fmse"))
    height = 320 - 40 - 16
    expected = [(64, 280), (64 + 280, 280 - height / 1.05), (624, 280 - height / 2.1)]
    for found, wanted in zip(points_of(drawing), expected, strict=True):
        assert found == pytest.approx(wanted, abs=0.06)


def test_the_last_value_and_the_axes_are_written(tmp_path: Path) -> None:
    drawing = ElementTree.fromstring(line_chart([(500, 3), (1000, 1.23456)], x_label="step", y_label="a < b & c"))
    assert "a < b & c: 1.235 at step 1000" in texts(drawing)
    assert "step 1000" in texts(drawing)
    assert {"0", "3.15"} <= set(texts(drawing))


@pytest.mark.parametrize("points", [[(1, 0.0)], [(5, 0.0), (6, 0.0)]])
def test_a_single_point_and_zeros_can_be_drawn(points: list[tuple[float, float]]) -> None:
    drawing = ElementTree.fromstring(line_chart(points, x_label="step", y_label="fmse"))
    assert len(points_of(drawing)) == len(points)


def test_the_first_figure_of_the_validations_is_drawn(tmp_path: Path) -> None:
    entries = [{"kind": "validate", "step": step, "fmse": 100 / step, "rmse": 1.0} for step in (1, 2, 4)]
    for count in (1, 3):
        write_curve(tmp_path, entries[:count])
        drawing = ElementTree.parse(tmp_path / CURVE).getroot()
        assert len(points_of(drawing)) == count
    assert "fmse: 25 at step 4" in texts(drawing)
    assert [path.name for path in tmp_path.iterdir()] == [CURVE]


def test_nothing_is_drawn_of_no_figures(tmp_path: Path) -> None:
    write_curve(tmp_path, [])
    write_curve(tmp_path, [{"kind": "validate", "step": 3}])
    assert not list(tmp_path.iterdir())
