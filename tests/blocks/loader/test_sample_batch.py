from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
from merlin.schema import ColumnSchema, Schema, Tags

from emrys.blocks.loader import Loader, sample_batch
from tests import golden
from tests.blocks.loader.conftest import Write


def cases() -> list[golden.Case]:
    return [case for case in golden.read("conventions") if case.name == "sample_batch" and case.inputs]


def stored_types(case: golden.Case) -> dict[str, str]:
    """Types of the columns in the data: those of the case of the same data that was not prepared."""
    plain = next(other for other in cases() if other.args["dataset"] == case.args["dataset"]
                 and not other.args["prepare_features"]).outputs  # fmt: skip
    columns = {**plain["inputs"], **(plain["targets"] or {})}
    return {name.removesuffix("__values"): kind["dtype"] for name, kind in columns.items() if "__offsets" not in name}


def check(tensor: Any, expected: dict) -> None:
    assert tensor.dtype.name == expected["dtype"]
    assert isinstance(tensor, tf.RaggedTensor) == (expected["kind"] == "ragged")
    if expected["shape"] != ["total number of values"]:
        assert tensor.shape.as_list() == expected["shape"]


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.call + case.args["dataset"])
def test_golden_kinds_types_and_shapes(write: Write, case: golden.Case) -> None:
    lists, targets = case.inputs["list_columns"], case.inputs["target_columns"]
    types = stored_types(case)
    path = write({
        name: pa.array([[1, 2, 3][: row % 4] if name in lists else row for row in range(10)],
                       *([] if name in lists else [pa.from_numpy_dtype(kind)]))
        for name, kind in types.items()
    })  # fmt: skip
    schema = Schema([
        ColumnSchema(name, dtype=kind, is_list=name in lists, is_ragged=name in lists,
                     tags=[Tags.TARGET] if name in targets else [])
        for name, kind in types.items()
    ])  # fmt: skip
    loader = Loader(path, case.args["batch_size"], schema=schema)
    inputs, labels = sample_batch(loader, prepare_features=case.args["prepare_features"])
    expected = case.outputs
    assert set(inputs) == set(expected["inputs"])
    for name, tensor in inputs.items():
        check(tensor, expected["inputs"][name])
    if not expected["targets"]:
        assert labels is None
    elif len(targets) == 1:
        check(labels, expected["targets"])
    else:
        assert set(labels) == set(expected["targets"])
        for name, tensor in labels.items():
            check(tensor, expected["targets"][name])


@pytest.fixture
def mixed(write: Write) -> Path:
    return write(
        {"id": [1, 2, 3], "x": [0.5, 1.5, 2.5], "ids": [[1, 2], [], [3]], "y": pa.array([0, 1, 0], pa.int64())}
    )


def test_values_of_a_prepared_batch(mixed: Path) -> None:
    features, target = sample_batch(Loader(mixed, 2, label_names=["y"], shuffle=False))
    assert features["id"].numpy().tolist() == [[1], [2]]
    assert features["x"].numpy().tolist() == [[0.5], [1.5]]
    assert features["ids"].to_list() == [[[1], [2]], []]
    # One target is a bare tensor and keeps its type.
    assert (target.dtype, target.numpy().tolist()) == (tf.int64, [[0], [1]])


def test_values_of_a_plain_batch(mixed: Path) -> None:
    features = sample_batch(mixed, 3, include_targets=False, prepare_features=False)
    assert features["id"].numpy().tolist() == [1, 2, 3]
    assert (features["x"].dtype, features["x"].numpy().tolist()) == (tf.float64, [0.5, 1.5, 2.5])
    assert features["ids__values"].numpy().tolist() == [1, 2, 3]
    assert features["ids__offsets"].numpy().tolist() == [0, 2, 2, 3]
    assert "ids" not in features


def test_several_targets_are_a_dict_and_lists_of_one_length_are_dense(mixed: Path) -> None:
    loader = Loader(mixed, 2, label_names=["y", "x"], shuffle=False, sparse_max=2)
    features, targets = sample_batch(loader)
    assert features["ids"].numpy().tolist() == [[[1], [2]], [[0], [0]]]
    assert {name: tensor.numpy().tolist() for name, tensor in targets.items()} == {"y": [[0], [1]], "x": [[0.5], [1.5]]}
    assert targets["x"].dtype == tf.float64
    plain, _ = sample_batch(loader, prepare_features=False)
    assert plain["ids"].numpy().tolist() == [[1, 2], [0, 0]]


def test_a_loader_is_not_moved_on(mixed: Path) -> None:
    loader = Loader(mixed, 2)
    sample_batch(loader)
    assert loader.epoch == 0


def test_more_rows_than_there_are(mixed: Path) -> None:
    features, _ = sample_batch(mixed, 10)
    assert features["id"].numpy()[:, 0].tolist() == [1, 2, 3]


def test_shuffled_rows_are_rows_of_the_data(numbered: Path) -> None:
    features, _ = sample_batch(numbered, 20, shuffle=True)
    drawn = features["id"].numpy()[:, 0]
    assert len(set(drawn)) == 20
    assert list(drawn) != sorted(drawn)
    np.testing.assert_allclose(features["x"].numpy()[:, 0], drawn / 2)


def test_a_data_set_needs_a_batch_size(mixed: Path) -> None:
    with pytest.raises(ValueError, match="sample_batch needs a batch_size"):
        sample_batch(mixed)
