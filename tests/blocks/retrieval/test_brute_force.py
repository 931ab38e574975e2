"""The best candidates: golden numbers, a NumPy brute force, ties, blocks, memory, bad input."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import emrys.blocks as mm
from emrys.blocks.errors import ConfigError
from emrys.blocks.retrieval.brute_force import streamed_top_k
from tests import golden

QUERIES = np.array([[1.0, 0.5], [-1.0, 2.0]], "float32")
CANDIDATES = np.array([[0.5, 1.0], [1.0, 1.0], [-1.0, 0.25], [0.0, 2.0], [2.0, -0.5]], "float32")
IDS = np.array([10, 20, 30, 40, 50])


def indexed(case):
    candidates, ids = (case.inputs.get(name) for name in ("candidates", "identifiers"))
    given = [golden.array(value) if golden.is_tensor(value) else value for value in (candidates, ids)]
    return mm.BruteForce(**case.args).index(np.array(given[0]), given[1])


@pytest.mark.parametrize(
    "case", golden.cases("conventions", "BruteForce", where=lambda case: case.inputs and "targets" not in case.inputs)
)
def test_golden(case):
    queries = case.inputs["queries"]
    queries = golden.tensor(queries) if golden.is_tensor(queries) else tf.constant(queries)
    found = indexed(case)(queries, **({"k": 4} if "k=4" in case.call else {}))
    assert type(found).__name__ == "TopKPrediction"
    for name in ("scores", "identifiers"):
        golden.assert_close(getattr(found, name), case.outputs[name], dtype=True)


@pytest.mark.parametrize("case", golden.cases("conventions", "BruteForce", where=lambda case: "targets" in case.inputs))
def test_golden_testing(case):
    inputs = golden.tensors(case.inputs)
    found = indexed(case)(inputs["queries"], targets=inputs["targets"], testing=True)
    assert type(found).__name__ == case.outputs["type"]
    golden.assert_close(found.outputs, case.outputs["outputs"])
    golden.assert_close(found.targets, case.outputs["targets"])


def by_numpy(queries, candidates, k, left_out=()):
    """Scores and rows; among equals the smaller row first."""
    scores = queries @ candidates.T
    for query, row in left_out:
        scores[query, row] = -np.inf
    rows = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    scores = np.take_along_axis(scores, rows, 1)
    return scores, np.where(np.isinf(scores), -1, rows)


@pytest.mark.slow
@pytest.mark.parametrize("graph", [False, True], ids=["eager", "graph"])
@pytest.mark.parametrize("block_rows", [1, 7, 100, 1000, None])
def test_agrees_with_numpy_whatever_the_block(block_rows, graph):
    draw = np.random.default_rng(5)
    # Small integers: sums are exact, and most scores are tied.
    candidates = draw.integers(-2, 3, (999, 6)).astype("float32")
    queries = draw.integers(-2, 3, (40, 6)).astype("float32")
    pairs = np.stack([draw.integers(0, 40, 3000), draw.integers(0, 999, 3000)], 1)
    pairs = np.concatenate([pairs, [[3, row] for row in range(990)]])  # query 3 has 9 candidates left, and fewer

    def search(queries):
        return streamed_top_k(queries, tf.constant(candidates), 20, (pairs[:, 0], pairs[:, 1]), block_rows)

    scores, rows = (tf.function(search) if graph else search)(tf.constant(queries))
    expected = by_numpy(queries, candidates, 20, pairs)
    np.testing.assert_array_equal(scores, expected[0])
    np.testing.assert_array_equal(rows, expected[1])
    assert (expected[1][3] == -1).sum() >= 11


def test_does_not_depend_on_the_batch():
    draw = np.random.default_rng(6)
    candidates, queries = draw.normal(size=(5000, 32)).astype("float32"), draw.normal(size=(100, 32)).astype("float32")
    layer = mm.BruteForce(10).index(candidates)
    expected = by_numpy(queries, candidates, 10)
    for size in (1, 7, 100):
        found = [layer(queries[start : start + size]) for start in range(0, 100, size)]
        np.testing.assert_array_equal(np.concatenate([each.identifiers for each in found]), expected[1])
        np.testing.assert_allclose(np.concatenate([each.scores for each in found]), expected[0], rtol=3e-6)


def test_seen_items_are_left_out():
    layer = mm.BruteForce(3).index(CANDIDATES, IDS)
    # Scores of the first query: 1, 1.5, -0.875, 1, 1.75; of the second 1.5, 1, 1.5, 4, -3. 77 is not in the index.
    seen = tf.ragged.constant([[50, 77, 50], []], dtype=tf.int64)
    assert layer(QUERIES, seen_items=seen).identifiers.numpy().tolist() == [[20, 10, 40], [40, 10, 30]]
    dense = np.array([[50, 20], [40, -1]])
    assert layer(QUERIES, seen_items=dense).identifiers.numpy().tolist() == [[10, 40, 30], [10, 30, 20]]
    nearly_all = tf.ragged.constant([[10, 20, 30, 40], [10, 20, 30, 40, 50]])
    found = layer(QUERIES, seen_items=nearly_all)
    assert found.identifiers.numpy().tolist() == [[50, -1, -1], [-1, -1, -1]]
    assert found.scores.numpy().tolist() == [[1.75, -np.inf, -np.inf], [-np.inf] * 3]


def test_several_right_items():
    layer = mm.BruteForce(3).index(CANDIDATES, IDS)
    # Best of the first query: 50, 20, 10; of the second 40, 10, 30.
    for targets in (tf.ragged.constant([[10, 50, 50], []]), np.array([[10, 50], [-1, -1]])):
        found = layer(QUERIES, targets=targets, testing=True)
        assert found.targets.numpy().tolist() == [[1, 0, 1], [0, 0, 0]]


def test_a_query_with_nan_gets_nothing():
    found = mm.BruteForce(2).index(CANDIDATES)(np.array([[np.nan, 1], [1, 0.5], [np.inf, 0]], "float32"))
    assert found.identifiers.numpy().tolist() == [[-1, -1], [4, 1], [-1, -1]]


def test_large_ids_stay_whole():
    ids = np.array([2**40, 2**40 + 1, 5, 6, 7])
    found = mm.BruteForce(1).index(CANDIDATES, ids)(QUERIES[1:] * 0)
    assert found.identifiers.dtype == tf.int64
    assert found.identifiers.numpy().tolist() == [[2**40]]
    layer = mm.BruteForce(2).index(CANDIDATES, ids)
    assert layer(QUERIES[1:] * 0, seen_items=np.array([[2**40]])).identifiers.numpy().tolist() == [[2**40 + 1, 5]]


def test_indexed_again_with_another_size():
    layer = mm.BruteForce(1).index(CANDIDATES, IDS)
    assert layer(QUERIES).identifiers.numpy().tolist() == [[50], [40]]
    layer.index(CANDIDATES[:2], [7, 8])
    assert layer(QUERIES).identifiers.numpy().tolist() == [[8], [7]]
    layer.index(np.ones((3, 1)))
    assert layer(np.ones((1, 1))).identifiers.numpy().tolist() == [[0]]


def test_to_a_frame():
    found = mm.BruteForce(2).index(CANDIDATES, IDS)(QUERIES).to_df()
    assert list(found.columns) == ["score_0", "id_0", "score_1", "id_1"]
    assert found.to_numpy().tolist() == [[1.75, 50, 1.5, 20], [4, 40, 1.5, 10]]


@pytest.mark.parametrize("case", golden.cases("conventions", "TopKPrediction"))
def test_golden_names(case):
    assert mm.TopKPrediction.output_names(2) == case.outputs["output_names_k_2"]
    frame = mm.BruteForce(3).index(CANDIDATES)(QUERIES).to_df()
    assert (list(frame.columns), len(frame)) == (case.outputs["to_df_columns_k_3"], case.outputs["to_df_rows"])


@pytest.mark.slow
def test_memory_is_that_of_a_block():
    # All scores of 512 queries and 500,000 candidates would be 1 GiB, the candidates are 15 MiB.
    program = Path(__file__).resolve().parents[3] / "benchmarks" / "top_k.py"
    command = [sys.executable, str(program), "--peak-memory", "500000", "8", "512"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert float(done.stdout.split()[-1]) < 300


@pytest.mark.parametrize(
    ("candidates", "ids", "message"),
    [
        (np.ones(3), None, r"expected numbers of shape \(N, D\), one row for each candidate, got shape \(3,\)"),
        (np.ones((0, 2)), None, r"got shape \(0, 2\)"),
        (np.array([["a"]]), None, r"expected numbers of shape"),
        (
            np.array([[1.0], [np.nan], [np.inf]]),
            None,
            r"are not finite; .*got 2 of 3 rows with them, the first is row 1",
        ),
        (CANDIDATES, IDS[:3], r"expected 5 ids, got 3"),
        (CANDIDATES, [1, 2, 2, 3, 2], r"candidate ids.*got 1 duplicate.*such as 2"),
        (CANDIDATES, np.arange(5) * 0.5, r"candidate ids.*expected integers, got float64"),
        (CANDIDATES, [-1, 0, 1, 2, 3], r"candidate ids.*expected 0 or above, got -1"),
    ],
)
def test_candidates_that_do_not_fit(candidates, ids, message):
    with pytest.raises(ConfigError, match=message):
        mm.BruteForce(1).index(candidates, ids)


@pytest.mark.parametrize("case", golden.cases("conventions", "BruteForce", where=lambda case: case.raises))
def test_golden_refused(case):
    layer = mm.BruteForce(**case.args)
    if "fewer identifiers" in case.call:
        with pytest.raises(ConfigError, match="expected 5 ids, got 3"):
            layer.index(CANDIDATES, IDS[:3])
        return
    if "another width" in case.call:
        layer.index(CANDIDATES, IDS)
        message = r"queries.*expected shape \(B, 2\), got \(1, 3\)"
    else:
        assert "before index()" in case.call
        message = "has no candidates"
    with pytest.raises(ConfigError, match=message):
        layer(np.ones((1, 3), "float32"))


def test_bad_calls():
    with pytest.raises(ConfigError, match=r"brute_force\w* has no candidates\. Call index\(candidates, identifiers\)"):
        mm.BruteForce(3)(QUERIES)
    layer = mm.BruteForce(6).index(CANDIDATES)
    with pytest.raises(ConfigError, match=r"candidates; expected at most 5, got 6"):
        layer(QUERIES)
    with pytest.raises(ConfigError, match=r"queries.*expected shape \(B, 2\), got \(1, 3\)"):
        layer(np.ones((1, 3)), k=2)
    with pytest.raises(ConfigError, match=r"needs targets"):
        layer(QUERIES, k=2, testing=True)
    with pytest.raises(ConfigError, match=r"k of BruteForce; expected an integer from 1, got 0"):
        mm.BruteForce(0)
