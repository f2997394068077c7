"""The paper repeats some figures in several tables: a slip in one of ours would show."""

from chromacord.lab.reporting.literature import compare, paper_tables
from chromacord.lab.reporting.tables import Column, Row, Table, markdown

OURS = Table(
    "hyoutube",
    "ours",
    (Column("mse", "MSE"), Column("fmse", "fMSE"), Column("psnr", "PSNR"), Column("fssim", "fSSIM", 4)),
    (Row("composite", (1.0, 2.0, 3.0, 0.4), is_reference=True), Row("mkl", (5.0, 6.0, 7.0, 0.8))),
)


def row(table: Table, label: str) -> dict[str, object]:
    values = next(row.values for row in table.rows if row.label == label)
    return {column.key: value for column, value in zip(table.columns, values, strict=True)}


def test_what_two_tables_of_the_paper_state_is_the_same() -> None:
    methods, parts, levels, _ = paper_tables()
    for system, number in (("iS2AM", "1"), ("Chen et al.", "6")):
        found, part = row(methods, system), row(parts, number)
        assert (found["fmse"], found["tl"]) == (part["fmse"], part["tl"])
    assert row(levels, "2")["fmse"] == row(parts, "2")["fmse"]


def test_table_2_ticks_the_parts_of_each_row() -> None:
    text = markdown(paper_tables()[1:2])
    assert "| row | base | non-local | unidirectional | bidirectional | pretrained flow | aggregator | fMSE" in text
    assert "| 1 | + |  |  |  |  |  | 203.78 | 6.4765 |" in text
    assert "| 4 | + | + |  | + |  | + | 180.83 | 5.6093 |" in text


def test_the_tables_have_all_rows_of_the_paper() -> None:
    assert [len(table.rows) for table in paper_tables()] == [8, 6, 4, 3]


def test_table_1_is_printed_with_the_papers_digits() -> None:
    text = markdown(paper_tables()[:1])
    assert "| Composite | 1029.50 | 151.20 | 30.14 | 0.7197 | 2.5315 |" in text
    assert "| Chen et al. | **174.81** | **24.20** | **37.89** | 0.8826 | 5.0328 |" in text
    assert "| CO2Net | 186.71 | 26.50 | 37.61 | **0.8827** | 5.1126 |" in text


def test_figures_measured_on_hyoutube_stand_beside_the_papers_by_column() -> None:
    tables = compare([OURS], is_hyoutube=True)
    assert len(tables) == 4
    assert row(tables[0], "chromacord mkl") == {"mse": 5.0, "fmse": 6.0, "psnr": 7.0, "fssim": 0.8, "tl": None}
    assert row(tables[0], "Composite")["fmse"] == 1029.5


def test_figures_measured_elsewhere_stand_in_tables_of_their_own() -> None:
    *paper, ours = compare([OURS], is_hyoutube=False)
    assert paper == list(paper_tables())
    assert ours.rows == OURS.rows
    assert "other data" in ours.notes[0]


def test_figures_of_another_protocol_never_stand_beside_the_papers() -> None:
    clean = Table("clean", "ours", OURS.columns, OURS.rows)
    *paper, ours = compare([clean], is_hyoutube=True)
    assert paper == list(paper_tables())
    assert ours == clean
