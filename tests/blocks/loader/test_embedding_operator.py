"""Pretrained vectors, looked up as batches are loaded."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from merlin.schema import ColumnSchema, Schema, Tags

import emrys.blocks as mm
from emrys.blocks.errors import ConfigError, DataError, SchemaError
from emrys.blocks.loader import EmbeddingOperator, Loader
from tests.blocks.loader.conftest import Write

#: Vector of row i: (i, 10 i).
VECTORS = np.array([[i, 10 * i] for i in range(5)], np.float64)
SCHEMA = Schema([
    ColumnSchema("item", dtype="int64", tags=[Tags.ITEM_ID, Tags.ITEM, Tags.CATEGORICAL]),
    ColumnSchema("seen", dtype="int64", tags=[Tags.SEQUENCE], is_list=True, is_ragged=True),
])  # fmt: skip


@pytest.fixture
def rows(write: Write) -> Path:
    return write({"item": [3, 0, 4], "seen": pa.array([[1, 2], [], [9]])})


def test_vectors_of_a_column_and_of_a_list(rows: Path) -> None:
    loader = Loader(rows, 3, shuffle=False, schema=SCHEMA, transforms=[
        EmbeddingOperator(VECTORS, lookup_key="item", embedding_name="image"),
        EmbeddingOperator(VECTORS, lookup_key="seen", embedding_name="images", unknown_value=np.array([7, 8])),
    ])  # fmt: skip
    for batches in (list(loader), list(loader.to_tf_dataset())):
        features, _ = batches[0]
        assert features["item"].numpy().tolist() == [[3], [0], [4]]
        assert features["image"].numpy().tolist() == [[3, 30], [0, 0], [4, 40]]
        assert features["image"].dtype == "float32"
        assert features["images"].to_list() == [[[1, 10], [2, 20]], [], [[7, 8]]]  # the table has no row 9
    assert loader.to_tf_dataset().element_spec[0]["image"].shape.as_list() == [3, 2]


def test_the_schema_has_the_vectors(rows: Path) -> None:
    operators = [EmbeddingOperator(VECTORS, key, f"{key}_vector") for key in ("item", "seen")]
    output = Loader(rows, 3, schema=SCHEMA, transforms=operators).output_schema
    assert output.column_names == ["item", "seen", "item_vector", "seen_vector"]
    assert set(output["item_vector"].tags) == {Tags.EMBEDDING, Tags.ITEM}
    assert set(output["seen_vector"].tags) == {Tags.EMBEDDING, Tags.SEQUENCE}
    assert output["item_vector"].shape.as_tuple == ((0, None), 2)
    assert output["seen_vector"].shape.as_tuple == ((0, None), (0, None), 2)
    assert output["item_vector"].dtype.name == "float32"


@pytest.mark.parametrize("mmap", [False, True])
def test_a_table_in_files_with_ids_of_its_own(rows: Path, tmp_path: Path, mmap: bool) -> None:
    np.save(tmp_path / "vectors.npy", VECTORS[:3].astype(np.float16))
    np.save(tmp_path / "ids.npy", np.array([4, 7, 3]))
    operator = EmbeddingOperator(
        tmp_path / "vectors.npy", "item", id_lookup_table=str(tmp_path / "ids.npy"), mmap=mmap, unknown_value=-1
    )
    assert isinstance(operator.embeddings, np.memmap) is mmap
    features, _ = next(iter(Loader(rows, 3, shuffle=False, transforms=[operator])))
    assert features["embeddings"].numpy().tolist() == [[2, 20], [-1, -1], [0, 0]]  # rows 2, none, 0 of the table


def test_a_block_reads_the_vectors(rows: Path) -> None:
    loader = Loader(rows, 3, shuffle=False, schema=SCHEMA.select_by_name("item"),
                    transforms=[EmbeddingOperator(VECTORS, "item", "image")])  # fmt: skip
    block = mm.PretrainedEmbeddings(loader.output_schema, normalizer="l2-norm")
    output = block(next(iter(loader))[0])["image"].numpy()
    np.testing.assert_allclose(output[0], [1 / 101**0.5, 10 / 101**0.5], rtol=1e-6)  # (3, 30) over its length


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"embeddings": [[1.0]]}, "EmbeddingOperator: embeddings; expected vectors (N, D) of numbers, or a .npy file"),
        ({"embeddings": np.zeros(3)}, "embeddings; expected vectors (N, D) of numbers, got float64 of shape (3,)"),
        ({"id_lookup_table": np.arange(4)}, "id_lookup_table; expected integers (5,), one per vector, got shape (4,)"),
        ({"id_lookup_table": np.array([1, 2, 3, 2, 5])}, "id_lookup_table; expected every id once, got 2 twice"),
        ({"id_lookup_table": np.zeros(5)}, "id_lookup_table; expected integers (5,), got float64 of shape (5,)"),
        ({"unknown_value": np.zeros(3)}, "unknown_value; expected a number, or (2,), got shape (3,)"),
    ],
)
def test_bad_arguments_are_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        EmbeddingOperator(**{"embeddings": VECTORS, **arguments})


def test_bad_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no\.npy: the file is missing; expected a \.npy file"):
        EmbeddingOperator(tmp_path / "no.npy")
    pickled = tmp_path / "pickled.npy"
    np.save(pickled, np.array([{"a": 1}], object), allow_pickle=True)
    with pytest.raises(
        DataError, match=r"pickled\.npy: the file cannot be read; expected a \.npy file, got .*allow_pickle"
    ):
        EmbeddingOperator(pickled)
    (tmp_path / "cut.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(DataError, match=r"cut\.npy: the file cannot be read"):
        EmbeddingOperator(tmp_path / "cut.npy")


def test_a_missing_or_fractional_key_is_named(write: Write) -> None:
    path = write({"id": [1], "x": [0.5]})
    with pytest.raises(
        SchemaError, match="column 'item': EmbeddingOperator: the column is missing; expected one of id, x"
    ):
        Loader(path, 1, transforms=[EmbeddingOperator(VECTORS, "item")]).to_tf_dataset()
    with pytest.raises(SchemaError, match="column 'x': EmbeddingOperator; expected integers, got float32"):
        Loader(path, 1, transforms=[EmbeddingOperator(VECTORS, "x")]).to_tf_dataset()
    with pytest.raises(SchemaError, match="column 'item': the column is not in the schema; expected one of id, x"):
        Loader(path, 1, transforms=[EmbeddingOperator(VECTORS, "item")]).output_schema  # noqa: B018 - raises
