"""The features of rating logs have the values that release 0.1.0 gave them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from emrys.components.contracts.fitted_workflow import FittedWorkflowArtifact
from emrys.components.contracts.splits import Splits
from emrys.components.contracts.transformed import Transformed
from emrys.components.preprocess.step import PreprocessConfig, run
from tests.components.preprocess import raw
from tests.components.validate.logs import START, log

SAVED = Path(__file__).parents[2] / "saved" / "artifacts"
FEATURES = {
    "userId": ["categorify"],
    "movieId": ["categorify", {"target_encoding": "rating"}],
    "gender": ["categorify", {"target_encoding": {"target": "rating"}}],
    "genres": ["categorify"],
    "release_year": [{"fill": "mean"}, "normalize"],
}


def log_of_release(rows: int, seed: int, start: int) -> pa.Table:
    """The rows that `tests.saved.make` wrote."""
    draw = np.random.default_rng(seed + 10)
    users, items = draw.integers(1, 9, rows).tolist(), draw.integers(1, 13, rows).tolist()
    years = [None if year == 1960 else float(year) for year in draw.integers(1960, 1965, rows)]
    dropped = dict.fromkeys(("title", "age", "occupation", "zipcode"))
    return log(rows, seed, start, userId=users, movieId=items, release_year=years, **dropped)


@pytest.mark.slow
def test_the_same_workflow_and_the_same_values(tmp_path: Path) -> None:
    tables = {"train": (60, 0, START), "valid": (12, 1, START + 10_000), "test": (24, 2, START + 20_000)}
    Splits.write(tmp_path / "splits", {name: log_of_release(*rows) for name, rows in tables.items()}, {})
    run(tmp_path / "splits", PreprocessConfig(raw.recipe(FEATURES)), data=tmp_path / "d", workflow=tmp_path / "w")
    before, after = FittedWorkflowArtifact(SAVED / "workflow").workflow, FittedWorkflowArtifact(tmp_path / "w").workflow
    assert {op.output.name: op for op in after.ops} == {op.output.name: op for op in before.ops}
    assert after.targets == before.targets
    for split in tables:
        old, new = Transformed(SAVED / "transformed").read(split), Transformed(tmp_path / "d").read(split)
        assert new.select(old.column_names).equals(old)
        assert new.num_columns == old.num_columns
