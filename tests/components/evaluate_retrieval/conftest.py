"""Made data with a model of each architecture: once for all tests."""

from pathlib import Path

import pytest

from emrys.components.build_model.step import Architecture
from tests.components.evaluate_retrieval.retrieval_runs import fit, prepare


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with `splits`, `data`, `workflow`, `schema` and `trained-<architecture>`."""
    root = prepare(tmp_path_factory.mktemp("retrieval"))
    for architecture in (Architecture.TWO_TOWER, Architecture.MATRIX_FACTORIZATION, Architecture.YOUTUBE_DNN):
        fit(root, architecture)
    return root
