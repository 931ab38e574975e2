"""Lists of vectors, stored as lists of lists."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from merlin.io import Dataset
from merlin.schema import ColumnSchema, Schema, Tags

import emrys.blocks as mm
from emrys.blocks.errors import DataError

ROWS = [[[1.0, 2.0], [3.0, 4.0]], [], [[5.0, 6.0]], [[7.0, 8.0], [9.0, 10.0], [11.0, 12.0]]]


def _table(rows=None, inner=None):
    kind = pa.list_(pa.float64() if inner is None else inner)
    vectors = pa.array(ROWS if rows is None else rows, pa.list_(kind) if inner is None else pa.list_(inner))
    return pa.table({"v": vectors, "y": np.arange(len(vectors), dtype="float32")})


def _first(data, **options):
    return next(iter(mm.Loader(data, 4, label_names=["y"], shuffle=False, **options)))[0]["v"]


def test_lists_of_vectors_are_ragged():
    found = _first(_table())
    assert found.shape.as_list() == [4, None, 2]
    assert found.dtype == "float32"
    assert found.to_list() == ROWS


def test_the_data_may_be_a_data_set_or_a_file(tmp_path):
    pq.write_table(_table(), tmp_path / "rows.parquet", row_group_size=2)
    assert _first(tmp_path / "rows.parquet").to_list() == ROWS
    frame = pd.DataFrame({"v": ROWS, "y": np.arange(4.0)})
    assert _first(Dataset(frame)).to_list() == ROWS


def test_the_type_may_hold_the_length():
    assert _first(_table(inner=pa.list_(pa.float32(), 2))).to_list() == ROWS


def test_in_random_order_and_small_batches():
    loader = mm.Loader(_table(), 2, label_names=["y"], shuffle=True)
    seen = {}
    for features, targets in loader:
        for vectors, target in zip(features["v"].to_list(), targets["y"].numpy()[:, 0], strict=True):
            seen[int(target)] = vectors
    assert seen == dict(enumerate(ROWS))


def test_lists_of_one_length_are_dense():
    schema = Schema(
        [
            ColumnSchema("v", dtype="float32", dims=((0, None), (2, 2), (2, 2))),
            ColumnSchema("y", dtype="float32", tags=[Tags.TARGET]),
        ]
    )
    rows = [[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0], [7.0, 8.0]]]
    found = next(iter(mm.Loader(_table(rows), 2, schema=schema, shuffle=False)))[0]["v"]
    np.testing.assert_array_equal(found, np.array(rows, "float32"))
    batch, _ = mm.sample_batch(mm.Loader(_table(rows), 2, schema=schema, shuffle=False))
    np.testing.assert_array_equal(batch["v"], np.array(rows, "float32"))


def test_lists_are_padded_with_zeros():
    found = _first(_table(), sparse_max=2, sparse_as_dense=True)
    expected = np.zeros((4, 2, 2), "float32")
    expected[0], expected[2, 0], expected[3] = ROWS[0], ROWS[2][0], ROWS[3][:2]
    np.testing.assert_array_equal(found, expected)


def test_a_sample_batch():
    features, _ = mm.sample_batch(mm.Loader(_table(), 4, label_names=["y"], shuffle=False))
    assert features["v"].to_list() == ROWS


def test_vectors_of_other_lengths():
    with pytest.raises(DataError, match=r"column 'v': the vectors in the lists .* expected vectors of 2, got one of 3"):
        _first(_table([*ROWS[:3], [[1.0, 2.0, 3.0]]]))


def test_no_vector_at_all():
    with pytest.raises(DataError, match=r"column 'v': the length of the vectors .* Give the column a shape"):
        _first(_table([[], []]))
