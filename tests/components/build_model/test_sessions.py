from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf

import emrys.blocks as mm
from emrys.blocks.errors import ConfigError, SchemaError
from emrys.blocks.inputs.embedding_table import embedding_tables
from emrys.blocks.models.export import save_serving
from emrys.components.build_model.config import BuildModelConfig
from emrys.components.build_model.layers import MarkedHistory
from emrys.components.build_model.step import build_model
from tests.components.train.shop import FIRST, GOODS, feature_schema

HISTORIES = [[3, 4, 5], [], [22]]
OPTIONS = {"embedding_dim": 4}


def ragged(lists: list[list[int]]) -> tf.RaggedTensor:
    return tf.ragged.constant(lists, dtype="int64", row_splits_dtype="int64")


def build(name: str, **options: object) -> mm.RetrievalModelV2:
    return build_model(feature_schema(), BuildModelConfig(architecture=name, options={**OPTIONS, **options}))


@pytest.mark.parametrize(
    ("end", "expected"), [("first", [[0, 4, 5], [0], [0, 22]]), ("last", [[4, 5, 0], [0], [22, 0]])]
)
def test_a_history_is_cut_and_marked(end: str, expected: list[list[int]]) -> None:
    layer = MarkedHistory("recent", end=end, max_length=2)
    batch = {"recent": ragged(HISTORIES), "price": tf.ones((3, 1))}
    found = layer(batch)
    assert found["recent"].to_list() == expected
    assert found["price"] is batch["price"]
    with_an_axis = {"recent": tf.expand_dims(ragged(HISTORIES), 2)}
    assert layer(with_an_axis)["recent"].to_list() == expected
    with pytest.raises(ConfigError, match="end; expected first or last, got 'middle'"):
        MarkedHistory("recent", end="middle", max_length=2)


def test_scores_of_the_last_item_by_hand() -> None:
    model = build("last-item")
    (table,) = embedding_tables([model.query_encoder])
    last, following = table.embeddings.numpy(), model.model_outputs[0].to_call.table.embeddings.numpy()
    scores = model({"recent": ragged(HISTORIES)}).numpy()
    # The vector of the last good, or that of the mark for an empty history, times the vectors of the next goods.
    np.testing.assert_allclose(scores, last[[5, 0, 22]] @ following.T, rtol=1e-5)


@pytest.mark.parametrize(("name", "causal"), [("gpt2", True), ("bert4rec", False)])
def test_transformers_read_the_order_and_share_the_table(name: str, causal: bool) -> None:
    model = build(name, num_layers=1)
    (table,) = embedding_tables([model])
    assert table.input_dim == FIRST + GOODS
    draw = np.random.default_rng(0)
    for weight in model.query_encoder.trainable_weights:  # at first the positions are close to 0
        weight.assign(draw.normal(scale=0.5, size=weight.shape))
    queries = model.query_encoder({"recent": ragged([*HISTORIES, [5, 4, 3], [4, 4, 5]])}).numpy()
    assert np.abs(queries[0] - queries[3]).max() > 1e-6
    assert np.abs(queries[0] - queries[4]).max() > 1e-6
    scores = model({"recent": ragged(HISTORIES)}).numpy()
    np.testing.assert_allclose(scores, queries[:3] @ table.embeddings.numpy().T, rtol=1e-4, atol=1e-6)
    # Alone in a batch, without padding, a history has the same vector.
    alone = model.query_encoder({"recent": ragged([[22]])}).numpy()
    np.testing.assert_allclose(alone[0], queries[2], rtol=1e-4, atol=1e-6)
    transformer = next(layer for layer in model.query_encoder.blocks if isinstance(layer, mm.TransformerBlock))
    assert transformer.causal is causal


def test_older_items_are_cut_off() -> None:
    model = build("gpt2", max_length=2)
    one, other = model.query_encoder({"recent": ragged([[9, 4, 5], [4, 5]])}).numpy()
    np.testing.assert_allclose(one, other, rtol=1e-5)


@pytest.mark.slow
def test_negatives_may_be_sampled() -> None:
    model = build("last-item", num_sampled=7)
    (output,) = model.model_outputs
    assert isinstance(output, mm.ContrastiveOutput)
    model.compile("adagrad")
    history = model.fit({"recent": ragged(HISTORIES)}, {"sku": np.array([[6], [7], [3]])}, batch_size=3, verbose=0)
    assert np.isfinite(history.history["loss"][0])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gpt2", "bert4rec", "last-item"])
def test_the_query_encoder_is_served_and_searched(tmp_path: Path, name: str) -> None:
    model = build(name)
    expected = model.query_encoder({"recent": ragged(HISTORIES)}).numpy()
    save_serving(model.query_encoder, tmp_path / "tower")
    served = tf.saved_model.load(str(tmp_path / "tower")).signatures["serving_default"]
    values, offsets = ragged(HISTORIES).values, ragged(HISTORIES).row_splits
    names = served.structured_input_signature[1]
    inputs = {key: values if key.endswith("values") else offsets for key in names}
    inputs = {
        key: tf.cast(tf.reshape(value, (-1, *names[key].shape[1:])), names[key].dtype) for key, value in inputs.items()
    }
    (found,) = served(**inputs).values()
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)

    items = pa.table({"sku": np.arange(FIRST, FIRST + GOODS)})
    encoder = model.to_top_k_encoder(items, candidate_id="sku", strategy=mm.BruteForce(k=3), k=3, batch_size=8)
    top = encoder({"recent": ragged(HISTORIES)})
    scores = model({"recent": ragged(HISTORIES)}).numpy()[:, FIRST:]
    np.testing.assert_array_equal(top.identifiers, np.argsort(-scores, axis=1)[:, :3] + FIRST)


def test_a_schema_without_a_history_of_items() -> None:
    with pytest.raises(SchemaError, match=r"gpt2 needs the histories of users; .*history_of"):
        build_model(feature_schema().excluding_by_name(["recent"]), BuildModelConfig(architecture="gpt2"))
