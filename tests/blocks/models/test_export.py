"""Models of retrieval as SavedModels: the same vectors and candidates as in Python, from raw columns."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from merlin.io import Dataset
from merlin.schema import ColumnSchema, Schema, Tags

import emrys.blocks as mm
from emrys.blocks.errors import ConfigError
from emrys.blocks.models.export import serving_signature
from tests.blocks.models.retrieval import ITEMS, SCHEMA, USERS, catalogue, first, log, two_tower

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:.* is deprecated:DeprecationWarning")]


def trained(model):
    model.compile("adam")
    model.fit(log(), batch_size=8, verbose=0)
    return model


@pytest.fixture(scope="module")
def second():
    return trained(two_tower())


@pytest.fixture(scope="module")
def first_generation():
    return trained(mm.TwoTowerModel(SCHEMA, mm.MLPBlock([4])))


def check(model, folder, batch, columns):
    """Exports the model before it is called itself, and compares what both compute for a batch."""
    model.export(folder)
    served = tf.saved_model.load(str(folder)).signatures["serving_default"]
    specs = served.structured_input_signature[1]
    assert sorted(specs) == sorted(columns)
    found = served(**{name: tf.cast(batch[name], spec.dtype) for name, spec in specs.items()})
    expected = model(batch)
    expected = expected._asdict() if hasattr(expected, "_asdict") else dict(zip(found, [expected], strict=True))
    assert sorted(found) == sorted(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-5, atol=1e-6, err_msg=name)


def test_two_towers(second, tmp_path):
    check(second, tmp_path / "model", first(log()), SCHEMA.column_names)


@pytest.mark.parametrize("side", ["query_encoder", "candidate_encoder"])
def test_an_encoder(second, tmp_path, side):
    columns = (USERS if side == "query_encoder" else ITEMS).column_names
    check(getattr(second, side), tmp_path / "model", first(log()), columns)


@pytest.mark.parametrize("side", ["query_block", "item_block"])
def test_a_tower_of_the_first_generation(first_generation, tmp_path, side):
    tower = getattr(first_generation.retrieval_block, side)()
    check(tower, tmp_path / "model", first(log()), (USERS if side == "query_block" else ITEMS).column_names)


def test_an_embedding_encoder(tmp_path):
    model = trained(mm.MatrixFactorizationModelV2(SCHEMA, dim=4))
    check(model.query_encoder, tmp_path / "query", first(log()), ["user_id"])
    check(model.to_top_k_encoder(k=3), tmp_path / "top_k", first(log()), ["user_id"])


def test_a_top_k_encoder(second, tmp_path):
    check(second.to_top_k_encoder(catalogue(), k=3), tmp_path / "model", first(log()), USERS.column_names)


def test_a_top_k_recommender_of_a_corpus_without_tags(first_generation, tmp_path):
    untagged = Dataset(catalogue().to_ddf().compute())
    assert len(untagged.schema.select_by_tag(Tags.ITEM_ID)) == 0
    model = first_generation.to_top_k_recommender(untagged, 3)
    expected = first_generation.to_top_k_recommender(catalogue(), k=3)(first(log()))
    np.testing.assert_array_equal(model(first(log())).identifiers, expected.identifiers)
    again = first_generation.to_top_k_recommender(untagged, 3)
    check(again, tmp_path / "model", first(log()), USERS.column_names)


def test_nothing_to_export(tmp_path):
    with pytest.raises(ConfigError, match="has no weights yet"):
        mm.EmbeddingEncoder(Schema([SCHEMA["user_id"]]), 4).export(tmp_path / "model")


def test_vectors_and_lists_of_numbers():
    schema = Schema(
        [
            ColumnSchema("image", [Tags.CONTINUOUS], dtype="float32", dims=(None, 2)),
            ColumnSchema("prices", [Tags.CONTINUOUS], dtype="float32", dims=(None, (0, 4))),
            ColumnSchema("price", [Tags.CONTINUOUS], dtype="float32"),
        ]
    )
    assert {name: tuple(spec.shape) for name, spec in serving_signature(keras.Model(), schema).items()} == {
        "image": (None, 2),
        "prices__values": (None,),
        "prices__offsets": (None,),
        "price": (None, 1),
    }
