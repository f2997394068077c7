import base64
import re
from html.parser import HTMLParser

import cv2
import numpy as np
import torch

from chromacord.lab.reporting.charts import Decades, Point, scatter
from chromacord.lab.reporting.report import MAX_SIDE, Scatter, Strip, error_map, page
from chromacord.lab.reporting.tables import Column, Row, Table

TABLE = Table("hyoutube", "a <title>", (Column("fmse", "fMSE", 1, "lower"),), (Row("a&b", (1.0,)), Row("b", (2.0,))))
POINTS = (Point("one", 10, 20), Point("two", 100, 50), Point("<three>", 30, 30))


class Tags(HTMLParser):
    """Counts elements, and checks that each is closed."""

    EMPTY = frozenset({"meta", "img", "line", "circle", "link"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.counts: dict[str, int] = {}
        self.sources: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.counts[tag] = self.counts.get(tag, 0) + 1
        self.sources += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in self.EMPTY:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.EMPTY:
            assert self._open.pop() == tag


def strip_of(side: int = 16) -> Strip:
    composite, real = torch.full((3, side, side), 0.5), torch.full((3, side, side), 0.25)
    results = {"mkl": real.clone(), "poisson": composite.clone()}
    mask = torch.ones(1, side, side)
    return Strip("cl<ip", "00003", composite, mask, real, results, {"composite": "fMSE 7", "mkl": "fMSE 0"})


def page_of(*strips: Strip) -> str:
    return page("T & t", ["fact <1>"], tables=[TABLE], scatters=[Scatter("mkl", POINTS)], strips=strips)


def pictures(text: str) -> list[np.ndarray]:
    found = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', text)
    return [cv2.imdecode(np.frombuffer(base64.b64decode(each), np.uint8), cv2.IMREAD_COLOR_RGB) for each in found]


def test_the_page_is_whole_html_that_loads_nothing() -> None:
    text = page_of(strip_of())
    tags = Tags(text)
    assert all(source.startswith("data:") for source in tags.sources)
    assert not re.search(r"https?:|@import|url\(", text)
    assert "script" not in tags.counts


def test_what_a_name_holds_is_not_taken_for_markup() -> None:
    text = page_of(strip_of())
    for shown in (
        "T &amp; t",
        "fact &lt;1&gt;",
        "a &lt;title&gt;",
        "a&amp;b",
        "cl&lt;ip, frame 00003",
        "&lt;three&gt;",
    ):
        assert shown in text


def test_a_strip_shows_composite_mask_methods_and_real_with_error_maps_below() -> None:
    text = page_of(strip_of())
    labels = re.findall(r"<span>(\S+) <em>(.*?)</em></span>", text)
    assert labels == [("composite", "fMSE 7"), ("mask", ""), ("mkl", "fMSE 0"), ("poisson", ""), ("real", "")]
    composite, mask, mkl, poisson, real, error_composite, error_mkl, error_poisson = pictures(text)
    for picture, level in ((composite, 128), (mask, 255), (mkl, 64), (poisson, 128), (real, 64), (error_mkl, 0)):
        assert abs(picture.astype(int) - level).max() <= 4  # JPEG
    assert np.array_equal(error_composite, error_poisson)
    # 0.25 is 64 levels, where the scale ends in the brightest colour of the map.
    assert error_composite.mean() > 200


def test_pictures_keep_their_colours() -> None:
    red = torch.zeros(3, 16, 16)
    red[0] = 1
    composite, *_ = pictures(page_of(Strip("c", "0", red, red[:1], red, {}, {})))
    assert (composite.reshape(-1, 3).mean(axis=0).round() - [255, 0, 0] <= 3).all()
    assert composite[..., 0].min() > 240


def test_an_error_map_is_black_without_error_and_full_at_the_end_of_its_scale() -> None:
    real = torch.zeros(3, 2, 2)
    result = torch.zeros(3, 2, 2)
    result[:, 0, 0] = 64 / 255
    result[:, 0, 1] = 1.0
    codes = error_map(result, real)
    assert codes[1, 1].max() <= 4
    assert np.array_equal(codes[0, 0], codes[0, 1])


def test_large_pictures_are_shown_smaller_in_their_own_proportion() -> None:
    large = torch.zeros(3, 2 * MAX_SIDE, 4 * MAX_SIDE)
    strip = Strip("c", "0", large, large[:1], large, {"mkl": large}, {})
    assert {picture.shape[:2] for picture in pictures(page_of(strip))} == {(MAX_SIDE // 2, MAX_SIDE)}


def test_a_scatter_says_on_how_many_clips_a_method_is_better() -> None:
    text = page_of()
    assert "mkl: better on 1 of 3 clips" in text
    assert [text.count(f'class="{kind}"') for kind in ("better", "worse", "same")] == [1, 1, 1]


def test_dots_lie_where_their_logarithms_say() -> None:
    """On an axis from 1 to 100 the value 10 lies in the middle: equal distances are equal ratios."""
    axis = Decades.around([1, 100])
    assert axis == Decades(0, 2)
    dots = re.findall(
        r'cx="([\d.]+)" cy="([\d.]+)"',
        scatter(
            [Point("low", 1, 1), Point("middle", 10, 10), Point("high", 100, 100)], axis=axis, x_label="x", y_label="y"
        ),
    )
    low, middle, high = ((float(x), float(y)) for x, y in dots)
    assert middle == ((low[0] + high[0]) / 2, (low[1] + high[1]) / 2)
    assert low[0] < high[0]
    assert low[1] > high[1]  # up is larger


def test_an_axis_holds_values_that_have_no_logarithm() -> None:
    axis = Decades.around([0.0, 3.0, 700.0])
    assert axis == Decades(0, 3)
    assert axis.place(0.0) == 0.0
    assert Decades.around([]) == Decades(0, 1)
