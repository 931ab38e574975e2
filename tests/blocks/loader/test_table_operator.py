"""Operators of Merlin's dataloader as transforms of the Loader."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
from merlin.dag import BaseOperator
from merlin.dataloader.ops.embeddings import EmbeddingOperator
from merlin.schema import ColumnSchema, Schema, Tags
from merlin.table import TensorTable

import emrys.blocks as mm
from emrys.blocks.errors import ConfigError
from emrys.blocks.loader import Loader, sample_batch
from tests.blocks.loader.conftest import Write

VECTORS = np.array([[i, 10 * i] for i in range(10)], np.float64)
SCHEMA = Schema([
    ColumnSchema("item", dtype="int64", tags=[Tags.ITEM_ID, Tags.ITEM, Tags.CATEGORICAL]),
    ColumnSchema("seen", dtype="int64", tags=[Tags.SEQUENCE], is_list=True, is_ragged=True),
    ColumnSchema("click", dtype="int8", tags=[Tags.TARGET, Tags.BINARY_CLASSIFICATION]),
])  # fmt: skip


@pytest.fixture
def rows(write: Write) -> Path:
    return write({"item": [3, 0, 4], "seen": pa.array([[1, 2], [], [9]]), "click": [0, 1, 1]})


def test_the_released_operator_gives_what_this_one_gives(rows: Path) -> None:
    ids = np.array([4, 7, 3, *range(20, 27)])
    pairs = [
        {"lookup_key": "item", "embedding_name": "image", "id_lookup_table": ids, "unknown_value": -1.0},
        {"lookup_key": "seen", "embedding_name": "images"},
    ]
    released, ours = (
        Loader(rows, 2, shuffle=False, schema=SCHEMA, transforms=[make(VECTORS, **pair) for pair in pairs])
        for make in (EmbeddingOperator, mm.EmbeddingOperator)
    )
    features, targets = next(iter(released))
    assert features["image"].numpy().tolist() == [[2, 20], [-1, -1]]  # rows 2 and none of the table
    assert features["images"].to_list() == [[[1, 10], [2, 20]], []]
    assert features["item"].numpy().tolist() == [[3], [0]]
    assert features["seen"].to_list() == [[1, 2], []]
    assert targets["click"].numpy().tolist() == [[0], [1]]
    for one, other in zip(released.to_tf_dataset(), ours.to_tf_dataset(), strict=True):
        for name, tensor in one[0].items():
            assert tensor.dtype == other[0][name].dtype
            tf.nest.map_structure(np.testing.assert_array_equal, *(_parts(t) for t in (tensor, other[0][name])))
    assert released.to_tf_dataset().element_spec[0]["image"].shape.as_list() == [None, 2]
    assert sample_batch(released, include_targets=False)["image"].numpy().tolist() == [[2, 20], [-1, -1]]
    schema = released.output_schema
    assert schema.column_names == ["item", "seen", "image", "images", "click"]
    for name in ("image", "images"):
        assert set(schema[name].tags) == set(ours.output_schema[name].tags)
        assert schema[name].shape.as_tuple == ours.output_schema[name].shape.as_tuple


def _parts(tensor: Any) -> Any:
    return [tensor.flat_values, tensor.row_splits] if isinstance(tensor, tf.RaggedTensor) else [tensor]


@pytest.mark.slow
def test_a_model_is_trained_with_it(rows: Path) -> None:
    loader = Loader(rows, 3, schema=SCHEMA.excluding_by_name(["seen"]),
                    transforms=[EmbeddingOperator(VECTORS.astype("float32"), "item", "image")])  # fmt: skip
    schema = loader.output_schema
    pretrained = mm.PretrainedEmbeddings(schema.select_by_tag(Tags.EMBEDDING), aggregation="concat")
    model = mm.Model(pretrained, mm.MLPBlock([4]), mm.BinaryOutput("click"))
    model.compile("adam")
    losses = model.fit(loader, epochs=3, verbose=0).history["loss"]
    assert losses[-1] < losses[0]


class Padding(BaseOperator):  # type: ignore[misc]
    """Changes, adds and drops columns."""

    def transform(self, col_selector: Any, transformable: Any) -> Any:
        seen = transformable["seen"]
        lengths = np.diff(seen.offsets)
        dense = np.zeros((len(lengths), 3), seen.values.dtype)
        for row, (start, length) in enumerate(zip(seen.offsets[:-1], lengths, strict=True)):
            dense[row, :length] = seen.values[start : start + length]
        return TensorTable({"seen": dense, "length": lengths.astype(np.float64)})


def test_an_operator_of_ones_own(rows: Path) -> None:
    loader = Loader(rows, 3, shuffle=False, schema=SCHEMA).map(Padding())
    for batches in (list(loader), list(loader.to_tf_dataset())):
        features, _ = batches[0]
        assert list(features) == ["seen", "length"]
        assert features["seen"].numpy().tolist() == [[1, 2, 0], [0, 0, 0], [9, 0, 0]]
        assert features["length"].numpy().tolist() == [[2], [0], [1]]
        assert features["length"].dtype == tf.float32


def test_a_faulty_operator_is_named(rows: Path) -> None:
    class Nothing(BaseOperator):  # type: ignore[misc]
        def transform(self, col_selector: Any, transformable: Any) -> Any:
            return [1]

    with pytest.raises(
        ConfigError, match=r"Nothing must return a table; expected a merlin\.table\.TensorTable, got list"
    ):
        Loader(rows, 3, transform=Nothing()).to_tf_dataset()
    with pytest.raises(ConfigError, match=r"the operator EmbeddingOperator fails on a row of zeros: .*id"):
        Loader(rows, 3, transform=EmbeddingOperator(VECTORS)).to_tf_dataset()
