from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emrys.blocks.errors import ArtifactError
from emrys.components.contracts.transformed import Transformed


def test_splits_are_read_back(tmp_path: Path) -> None:
    with Transformed.create(tmp_path / "data", {"rows": {"train": 1}}) as folder:
        for number, split in enumerate(("train", "valid", "test")):
            pq.write_table(pa.table({"a": [number], "b": [0.5]}), folder / f"{split}.parquet")
    data = Transformed(tmp_path / "data")
    assert data.columns == ("a", "b")
    assert [data.read(split, ["a"]).to_pydict() for split in ("train", "valid", "test")] == [
        {"a": [0]},
        {"a": [1]},
        {"a": [2]},
    ]
    assert data.file("valid") == tmp_path / "data" / "valid.parquet"
    with pytest.raises(ArtifactError, match="no such split; expected train, valid, test, got 'dev'"):
        data.file("dev")


def test_a_split_may_not_be_missing(tmp_path: Path) -> None:
    with (
        pytest.raises(ArtifactError, match=r"the step wrote no valid\.parquet"),
        Transformed.create(tmp_path / "data", {}) as folder,
    ):
        pq.write_table(pa.table({"a": [1]}), folder / "train.parquet")
    assert not list(tmp_path.iterdir())
