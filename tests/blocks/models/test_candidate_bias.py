"""The bias of an output that holds the candidates: trained where training uses it, and served as it is trained."""

import warnings

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from merlin.io import Dataset
from merlin.schema import Schema

import emrys.blocks as mm
from tests.blocks.models.retrieval import SCHEMA, USERS, first, log

ITEM = SCHEMA["item_id"]


def _model(output, size=4):
    return mm.RetrievalModelV2(query=mm.Encoder(USERS, mm.MLPBlock([size], activation=None)), output=output)


def _table(**kwargs):
    return mm.EmbeddingTablePrediction(mm.EmbeddingTable(4, ITEM), use_bias=True, **kwargs)


OUTPUTS = {
    "column": lambda: mm.CategoricalOutput(ITEM),
    "column, layer before": lambda: mm.CategoricalOutput(ITEM, pre=mm.MLPBlock([3], activation="tanh")),
    "column, temperature": lambda: mm.CategoricalOutput(ITEM, logits_temperature=0.5),
    "table": lambda: mm.CategoricalOutput(_table(), target_name="item_id"),
    "tied": lambda: mm.CategoricalOutput(mm.ItemsPredictionWeightTying(Schema([ITEM])), target_name="item_id"),
}


def _bias(model):
    return next(weight for weight in model.trainable_weights if weight.shape == (20,))


def _trained(name):
    model = _model(OUTPUTS[name]())
    model.compile("sgd")
    model.fit(log(), batch_size=24, epochs=2, verbose=0, pre=mm.ToTarget(SCHEMA, "item_id", one_hot=False))
    bias = _bias(model)
    assert np.abs(bias.numpy()).max() > 0
    # Larger than all products: without it the order would be another.
    bias.assign(np.random.default_rng(2).permutation(20).astype("float32"))
    return model


@pytest.mark.parametrize("name", OUTPUTS)
@pytest.mark.slow
def test_top_k_is_that_of_the_scores(name):
    model, batch = _trained(name), first(log(), 24)
    scores = model(batch).numpy()
    found = model.to_top_k_encoder(k=6)(batch)
    order = np.argsort(-scores, axis=1, kind="stable")[:, :6]
    np.testing.assert_array_equal(found.identifiers, order)
    np.testing.assert_allclose(found.scores, np.take_along_axis(scores, order, axis=1), rtol=1e-5, atol=1e-5)


@pytest.mark.slow
def test_some_candidates_and_evaluation():
    model, batch = _trained("column"), first(log(), 24)
    scores = model(batch).numpy()
    few = Dataset(pd.DataFrame({"item": [11, 3, 7]}), schema=Schema([mm.create_categorical_column("item", 19)]))
    encoder = model.to_top_k_encoder(few, candidate_id="item", k=2, target="item_id")
    order = np.array([11, 3, 7])[np.argsort(-scores[:, [11, 3, 7]], axis=1, kind="stable")[:, :2]]
    np.testing.assert_array_equal(encoder(batch).identifiers, order)
    encoder.compile(metrics=[mm.RecallAt(2)])
    found = encoder.evaluate(log(), batch_size=7, verbose=0, return_dict=True)
    right = (order == batch["item_id"].numpy()).any(axis=1).mean()
    assert found["recall_at_2"] == pytest.approx(right, abs=1e-6)


@pytest.mark.parametrize("strategy", [mm.ApproximateTopK(k=3), mm.TopKOutput(mm.BruteForce(3), target="item_id")])
@pytest.mark.slow
def test_other_layers_that_search(strategy):
    model, batch = _trained("column"), first(log(), 24)
    order = np.argsort(-model(batch).numpy(), axis=1, kind="stable")[:, :3]
    np.testing.assert_array_equal(model.to_top_k_encoder(strategy=strategy, k=3)(batch).identifiers, order)


@pytest.mark.parametrize("name", ["column, layer before", "table"])
@pytest.mark.slow
def test_files(name, tmp_path):
    model, batch = _trained(name), first(log(), 24)
    encoder = model.to_top_k_encoder(k=6)
    expected = encoder(batch)
    encoder.save(tmp_path / "top_k.keras")
    encoder.export(tmp_path / "served", verbose=False)
    model.save(tmp_path / "model.keras")
    loaded = mm.Model.load(tmp_path / "top_k.keras")(batch)
    fresh = mm.Model.load(tmp_path / "model.keras").to_top_k_encoder(k=6)(batch)
    signature = tf.saved_model.load(tmp_path / "served").signatures["serving_default"]
    served = signature(**{name: batch[name] for name in USERS.column_names})
    for scores, ids in (loaded, fresh, (served["scores"], served["identifiers"])):
        np.testing.assert_array_equal(ids, expected.identifiers)
        np.testing.assert_allclose(scores, expected.scores, rtol=1e-6)


@pytest.mark.parametrize("to_call", [lambda: ITEM, _table], ids=["column", "table"])
@pytest.mark.slow
def test_sampled_scores_do_not_train_a_bias(to_call):
    # The golden cases have scores of samples without the bias, and those of all items with it.
    model = _model(mm.ContrastiveOutput(to_call(), "in-batch", target_name="item_id", schema=Schema([ITEM])))
    model.compile()
    data = log()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(data, batch_size=24, verbose=0, pre=mm.ToTarget(SCHEMA, "item_id", one_hot=False))
    bias = _bias(model)
    np.testing.assert_array_equal(bias, np.zeros(20))
    bias.assign(np.arange(20.0))
    batch = first(log(), 24)
    order = np.argsort(-model(batch).numpy(), axis=1, kind="stable")[:, :5]
    np.testing.assert_array_equal(model.to_top_k_encoder(k=5)(batch).identifiers, order)
