from pathlib import Path

import pytest

from tests.lab.training.material import make_data


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of `make_data`; tests do not change it."""
    return make_data(tmp_path_factory.mktemp("data"))
