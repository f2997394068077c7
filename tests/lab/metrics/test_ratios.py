"""Figures by hand: the errors are chosen so that each can be worked out in one's head."""

import math

import pytest

from chromacord.lab.metrics.ratios import Ratios, compare_errors, ratio_table


def test_the_ratio_is_of_the_sums_and_the_median_of_the_items() -> None:
    # Sums 1000 and 250; item by item 0.2, 0.5, 1.5 and 0.3.
    found = compare_errors([800, 100, 50, 50], [160, 50, 75, 15])
    assert found == Ratios(250, 75, pytest.approx(0.3), pytest.approx(0.4), 25, None)


def test_a_few_large_errors_decide_the_ratio_and_not_the_median() -> None:
    found = compare_errors([10_000, 10, 10], [1000, 20, 20])
    assert found.ratio == pytest.approx(1040 / 10_020)
    assert (found.median, found.worse) == (2, pytest.approx(200 / 3))


def test_an_error_that_stays_is_not_worse() -> None:
    assert compare_errors([5, 7], [5, 7]) == Ratios(6, 6, 1, 1, 0, None)


def test_items_that_were_not_changed_count_as_harm_alone() -> None:
    found = compare_errors([100, 0, 0], [50, 6, 2])
    assert found == Ratios(100, 50, 0.5, 0.5, 0, 4)
    assert compare_errors([0, 0], [6, 2]) == Ratios(None, None, None, None, None, 4)


def test_items_without_foreground_do_not_count() -> None:
    assert compare_errors([100, math.nan], [50, math.nan]) == Ratios(100, 50, 0.5, 0.5, 0, None)


def test_the_table_has_a_row_for_each_method_whatever_the_order_of_the_items() -> None:
    before = {"a": 100.0, "b": 300.0}
    table = ratio_table("set", before, {"identity": before, "mkl": {"b": 60.0, "a": 120.0}}, "Error.")
    assert table.rows[0].values == (200, 200, 1, 1, 0, None)
    assert table.rows[1].values == (200, 90, 0.45, pytest.approx(0.7), 50, None)
    assert [row.is_reference for row in table.rows] == [True, False]
    with pytest.raises(KeyError):
        ratio_table("set", before, {"mkl": {"a": 1.0}}, "Error.")
