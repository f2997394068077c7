from chromacord.methods import METHODS, list_methods
from tests.cli.conftest import Run


def test_every_method_has_a_line_with_what_can_be_exported(run: Run) -> None:
    done = run("methods")
    assert done.code == 0
    rows = {line.split()[0]: line for line in done.out.splitlines()[1:] if not line.startswith(" ")}
    assert list(rows) == list(METHODS)
    for method in list_methods():
        assert ("LUT-exportable" if method.is_global else "local") in rows[method.name]
    assert all("classical" in row for row in rows.values())
