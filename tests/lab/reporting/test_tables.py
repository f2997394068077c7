import json
import math

import pytest

from chromacord.lab.reporting.tables import Column, Row, Table, as_values, latex, markdown

TABLE = Table(
    key="hyoutube",
    title="set_1, protocol hyoutube",
    columns=(Column("fmse", "fMSE", 1, "lower"), Column("psnr", "PSNR", 2, "higher"), Column("n", "#", 0)),
    rows=(
        Row("composite", (1.0, 31.0, None), is_reference=True),
        Row("our_method", (12.34, 30.0, 3)),
        Row("theirs|50%", (12.36, 31.004, "x")),
    ),
    notes=("Mean over 6 frames.", "1 skipped."),
)


def test_markdown_has_a_row_for_each_method_and_the_best_in_bold() -> None:
    assert markdown([TABLE]) == (
        "**set_1, protocol hyoutube**\n"
        "\n"
        "| method | fMSE ↓ | PSNR ↑ | # |\n"
        "|---|---:|---:|---:|\n"
        "| composite | 1.0 | 31.00 | – |\n"
        "| our\\_method | **12.3** | 30.00 | 3 |\n"
        "| theirs\\|50% | 12.4 | **31.00** | x |\n"
        "\n"
        "Mean over 6 frames.  \n"
        "1 skipped.\n"
    )


def test_latex_escapes_what_latex_would_take_for_commands() -> None:
    text = latex([TABLE])
    assert r"\caption{set\_1, protocol hyoutube}" in text
    assert r"method & fMSE $\downarrow$ & PSNR $\uparrow$ & \# \\" in text
    assert r"our\_method & \textbf{12.3} & 30.00 & 3 \\" in text
    assert r"theirs|50\% & 12.4 & \textbf{31.00} & x \\" in text
    assert r"composite & 1.0 & 31.00 & -- \\" in text
    assert text.count(r"\begin{") == text.count(r"\end{") == 2


def test_json_holds_the_figures_as_they_were_measured() -> None:
    values = json.loads(json.dumps(as_values([TABLE]), allow_nan=False))
    assert values[0]["rows"][1] == {"label": "our_method", "fmse": 12.34, "psnr": 30.0, "n": 3}
    assert values[0]["rows"][0]["n"] is None
    assert values[0]["columns"][0] == {"key": "fmse", "heading": "fMSE", "decimals": 1, "better": "lower"}


def test_figures_that_print_alike_are_both_best() -> None:
    """12.301 and 12.34 are one figure at one decimal: the table cannot prefer the one that it does not show."""
    table = Table("t", "t", TABLE.columns[:1], (Row("a", (12.301,)), Row("b", (12.34,)), Row("c", (12.36,))))
    assert markdown([table]).count("**12.3**") == 2


def test_a_single_row_is_not_called_best() -> None:
    assert "**1.0**" not in markdown([Table("t", "t", TABLE.columns[:1], (Row("a", (1.0,)),))])


@pytest.mark.parametrize(
    ("value", "text"), [(math.inf, "∞"), (-math.inf, "–∞"), (None, "–"), (0.25, "0.25"), ("n/a", "n/a")]
)
def test_a_value_is_printed_as_people_write_it(value: float | str | None, text: str) -> None:
    assert Column("x", "x").text(value) == text
