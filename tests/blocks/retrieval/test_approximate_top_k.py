"""The approximate index."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import emrys.blocks as mm
from emrys.blocks.errors import ConfigError, DependencyError


@pytest.fixture(scope="module")
def vectors():
    draw = np.random.default_rng(3)
    centres = draw.normal(size=(40, 16))
    found = centres[draw.integers(0, 40, 6000)] + 0.3 * draw.normal(size=(6000, 16))
    return found.astype("float32")


@pytest.fixture(scope="module")
def layer(vectors):
    return mm.ApproximateTopK(10, exact_up_to=1000).index(vectors[:5000], np.arange(5000) + 100, queries=vectors[5000:])


def recall(found, exact):
    return np.mean([len(set(a) & set(b)) / len(b) for a, b in zip(found.tolist(), exact.tolist(), strict=True)])


def test_recall_is_reported_as_it_is(layer, vectors):
    exact = mm.BruteForce(10).index(vectors[:5000], np.arange(5000) + 100)
    queries = vectors[5000:]
    found = layer(queries)
    measured = recall(found.identifiers.numpy(), exact(queries).identifiers.numpy())
    assert layer.report.recall == pytest.approx(measured, abs=1e-3)
    assert (layer.report.candidates, layer.report.k, layer.report.queries) == (5000, 10, 1000)
    assert layer.report.recall >= 0.95
    assert 1 <= layer.report.probes < layer.report.lists
    # The scores are those of the candidates.
    rows = found.identifiers.numpy() - 100
    np.testing.assert_allclose(found.scores, np.einsum("bd,bkd->bk", queries, vectors[rows]), rtol=1e-5)
    assert (np.diff(found.scores.numpy()) <= 0).all()


def test_all_lists_give_the_exact_answer(vectors):
    layer = mm.ApproximateTopK(10, recall_target=1.0, exact_up_to=0)
    # Queries as far from the candidates as numbers can be drawn: only all lists together have their results.
    queries = np.random.default_rng(4).normal(size=(200, 16)).astype("float32")
    layer.index(vectors, queries=queries)
    assert layer.report.recall == 1.0
    exact = mm.BruteForce(10).index(vectors)(queries)
    assert recall(layer(queries).identifiers.numpy(), exact.identifiers.numpy()) == 1.0


def test_small_catalogues_are_searched_exactly(vectors):
    layer = mm.ApproximateTopK(5).index(vectors)
    assert (layer.report.recall, layer.report.lists) == (1.0, 0)
    exact = mm.BruteForce(5).index(vectors)(vectors[:50])
    np.testing.assert_array_equal(layer(vectors[:50]).identifiers, exact.identifiers)


def test_seen_items_and_nan_in_a_graph(layer, vectors):
    queries = vectors[5000:5003].copy()
    best = layer(queries).identifiers.numpy()
    queries[1] = np.nan
    seen = tf.ragged.constant([best[0, :4].tolist(), [], [999_999]], dtype=tf.int64)
    found = tf.function(lambda queries, seen: layer(queries, seen_items=seen))(queries, seen)
    assert found.identifiers.numpy()[0, :6].tolist() == best[0, 4:].tolist()
    assert found.identifiers.numpy()[1].tolist() == [-1] * 10
    assert found.identifiers.numpy()[2].tolist() == best[2].tolist()
    nearly_all = tf.ragged.constant([list(range(100, 5098))], dtype=tf.int64)
    left = layer(vectors[:1], seen_items=nearly_all).identifiers.numpy()[0]
    assert set(left.tolist()) <= {-1, 5098, 5099}


def test_comes_back_with_its_index(layer, vectors, tmp_path):
    model = mm.Model(mm.TopKOutput(layer))
    expected = model(vectors[:20])
    model.save(tmp_path / "model.keras")
    again = mm.Model.load(tmp_path / "model.keras")
    assert again.last.to_call.report == layer.report
    found = again(vectors[:20])
    np.testing.assert_array_equal(found.identifiers, expected.identifiers)
    np.testing.assert_array_equal(found.scores, expected.scores)


def test_without_the_library(monkeypatch, vectors):
    monkeypatch.setitem(__import__("sys").modules, "faiss", None)
    with pytest.raises(DependencyError, match=r"Faiss, which is not installed\. Install faiss-cpu"):
        mm.ApproximateTopK(exact_up_to=0).index(vectors)


@pytest.mark.parametrize("target", [0, 1.5])
def test_bad_recall_target(target):
    with pytest.raises(ConfigError, match=rf"recall_target; expected above 0 and up to 1, got {target}"):
        mm.ApproximateTopK(recall_target=target)
