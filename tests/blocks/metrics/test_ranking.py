"""Ranking metrics: ties, an independent implementation, compilation, saving, bad arguments."""

from __future__ import annotations

import json
import math

import ir_measures
import keras
import numpy as np
import pytest
import sklearn.metrics
import tensorflow as tf

from emrys.blocks.errors import ConfigError
from emrys.blocks.metrics import (
    AvgPrecisionAt,
    MRRAt,
    NDCGAt,
    PrecisionAt,
    RankingMetric,
    RecallAt,
    TopKMetricsAggregator,
    metrics_registry,
)

KINDS = [RecallAt, PrecisionAt, NDCGAt, MRRAt, AvgPrecisionAt]


def by_definition(labels, scores, k):
    """Each metric of one row from its textbook definition, in plain Python."""
    # Best score first; among equals the irrelevant first.
    ranking = sorted(range(len(scores)), key=lambda item: (-scores[item], labels[item]))
    hits = [rank for rank, item in enumerate(ranking[:k], start=1) if labels[item]]
    reachable = min(k, int(sum(labels)))
    if not hits:
        return dict.fromkeys((f"{name}_at_{k}" for name in ("recall", "precision", "ndcg", "mrr", "map")), 0.0)
    return {
        f"recall_at_{k}": len(hits) / reachable,
        f"precision_at_{k}": len(hits) / k,
        f"ndcg_at_{k}": sum(1 / math.log2(rank + 1) for rank in hits)
        / sum(1 / math.log2(rank + 1) for rank in range(1, reachable + 1)),
        f"mrr_at_{k}": 1 / hits[0],
        f"map_at_{k}": sum(found / rank for found, rank in enumerate(hits, start=1)) / reachable,
    }


def independently(rows, k):
    """Each metric of all rows, by `ir_measures`.

    It has other conventions, which are taken into account here: it breaks ties by the names of items, so that it gets
    the ranks of ours as scores; and it divides recall and average precision by the number c of relevant items, where
    ours divide by those that can be found, min(c, k).
    """
    relevance, ranking = [], []
    for number, (labels, scores) in enumerate(rows):
        # Best score first; among equals the irrelevant first.
        order = sorted(range(len(scores)), key=lambda item: (-scores[item], labels[item]))
        ranking += [ir_measures.ScoredDoc(str(number), str(item), -rank) for rank, item in enumerate(order)]
        relevance += [ir_measures.Qrel(str(number), str(item), int(label)) for item, label in enumerate(labels)]
    names = {"R": "recall", "P": "precision", "nDCG": "ndcg", "RR": "mrr", "AP": "map"}
    measures = {ir_measures.parse_measure(f"{name}@{k}"): f"{own}_at_{k}" for name, own in names.items()}
    found = [{} for _ in rows]
    for value in ir_measures.iter_calc(list(measures), relevance, ranking):
        name, number = measures[value.measure], int(value.query_id)
        relevant = int(rows[number][0].sum())
        scale = relevant / min(relevant, k) if relevant and name.startswith(("recall", "map")) else 1
        found[number][name] = scale * value.value
    return found


def random_rows(number):
    """Rows of labels and scores: many ties, from no relevant item to all, 10 to 30 items."""
    random = np.random.default_rng(20)
    for row in range(number):
        size = int(random.integers(10, 31))
        relevant = 0 if row % 10 == 0 else size if row % 97 == 0 else int(random.integers(1, 6))
        labels = np.zeros(size, "float32")
        labels[random.permutation(size)[:relevant]] = 1
        scores = random.normal(size=size) if row % 4 == 0 else random.integers(0, 2 + row % 7, size) / 3 - 1
        yield labels, scores.astype("float32")


@pytest.mark.slow
def test_agrees_with_an_independent_implementation_on_1000_random_rows():
    cutoffs = (1, 3, 10)
    metric = TopKMetricsAggregator.default_metrics(cutoffs)[0]
    vector = tf.TensorSpec([None], tf.float32)

    @tf.function(input_signature=[vector, vector])
    def of_row(labels, scores):
        metric.reset_state()
        metric.update_state(labels, scores)
        return metric.result()

    rows = list(random_rows(1000))
    by_cutoff = [independently(rows, k) for k in cutoffs]
    expected = [{name: value for each in row for name, value in each.items()} for row in zip(*by_cutoff, strict=True)]
    assert all(len(values) == len(cutoffs) * len(KINDS) for values in expected)
    assert sum(labels.sum() == 0 for labels, _ in rows) == 100
    tied = sum(len(set(scores.tolist())) < len(scores) for _, scores in rows)
    assert tied > 700
    for (labels, scores), values in zip(rows, expected, strict=True):
        found = of_row(labels, scores)
        assert {name: float(value) for name, value in found.items()} == pytest.approx(values, abs=1e-6)

    # The same rows as padded batches, through metrics that rank for themselves: the mean.
    for kind in KINDS:
        alone = kind(10)
        for start in range(0, 1000, 250):
            batch = rows[start : start + 250]
            labels, scores = np.zeros((250, 30)), np.full((250, 30), -np.inf)
            for index, (row_labels, row_scores) in enumerate(batch):
                labels[index, : len(row_labels)], scores[index, : len(row_scores)] = row_labels, row_scores
            alone.update_state(labels, scores)
        mean = np.mean([values[alone.name] for values in expected])
        assert float(alone.result()) == pytest.approx(mean, rel=1e-5)


@pytest.mark.parametrize("position", [0, 2, 4])
def test_a_relevant_item_comes_after_its_equals(position):
    labels = np.zeros((1, 5))
    labels[0, position] = 1
    metric = MRRAt(5)
    metric.update_state(labels, np.full((1, 5), 0.25))
    assert float(metric.result()) == pytest.approx(1 / 5)


def test_neighbouring_floats_are_no_tie():
    lower = np.float32(0.1)
    higher = np.nextafter(lower, np.float32(1))
    for sign in (1, -1):
        scores = sign * np.array([[higher, lower]], "float32")
        metric = RecallAt(1)
        metric.update_state(np.array([[1, 0]]) if sign == 1 else np.array([[0, 1]]), scores)
        assert float(metric.result()) == 1.0
    tiny = np.array([[np.finfo("float32").tiny, 0.0, -np.finfo("float32").tiny]], "float32")
    metric = MRRAt(3)
    metric.update_state(np.array([[0, 1, 0]]), tiny)
    assert float(metric.result()) == 0.5


def test_nan_and_infinite_scores():
    metric = MRRAt(4)
    # NaN ranks last, with -inf, the relevant one after its equals; inf ranks first.
    metric.update_state(np.array([[1, 0, 0, 0]]), np.array([[np.nan, -1.0, np.nan, -np.inf]]))
    assert float(metric.result()) == 0.25
    metric.reset_state()
    metric.update_state(np.array([[0, 1, 0, 0]]), np.array([[1e30, np.inf, np.nan, -np.inf]]))
    assert float(metric.result()) == 1.0


@pytest.mark.parametrize("dtype", ["bool", "int64", "float16"])
def test_types_of_labels(dtype):
    metric = RecallAt(2)
    metric.update_state(np.array([[0, 1, 1]]).astype(dtype), np.array([[3, 2, 1]]))
    # One of the two relevant items is among the first two.
    assert float(metric.result()) == 0.5


GRADES = np.array([[2.0, 1.0, 0.0, 3.0], [0.0, 1.0, 1.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
GRADE_SCORES = np.array([[0.1, 0.4, 0.3, 0.2], [0.4, 0.3, 0.2, 0.1], [0.1, 0.2, 0.3, 0.4]])


class TestGradedRelevance:
    def test_ndcg_by_hand(self):
        metric = NDCGAt(3)
        metric.update_state(np.array([[2.0, 1.0, 0.0]]), np.array([[0.1, 0.2, 0.3]]))
        # grades in the order of the scores 0, 1, 2; the best order is 2, 1, 0
        best = 2 + 1 / np.log2(3)
        assert float(metric.result()) == pytest.approx((1 / np.log2(3) + 2 / 2) / best)

    @pytest.mark.parametrize("k", [1, 2, 3, 4])
    def test_ndcg_is_that_of_scikit_learn(self, k):
        metric = NDCGAt(k)
        metric.update_state(GRADES, GRADE_SCORES)
        assert float(metric.result()) == pytest.approx(sklearn.metrics.ndcg_score(GRADES, GRADE_SCORES, k=k), rel=1e-6)

    def test_inside_a_compiled_function(self):
        metric = NDCGAt(2)
        tf.function(metric.update_state)(tf.constant(GRADES[:1]), tf.constant(GRADE_SCORES[:1]))
        assert float(metric.result()) == pytest.approx((1 + 0) / (3 + 2 / np.log2(3)))

    def test_of_equal_scores_higher_grades_rank_last(self):
        for position in range(3):
            metric = NDCGAt(3)
            metric.update_state(np.roll([[2.0, 1.0, 0.0]], position), np.zeros((1, 3)))
            assert float(metric.result()) == pytest.approx((1 / np.log2(3) + 2 / 2) / (2 + 1 / np.log2(3)))

    @pytest.mark.parametrize("kind", [AvgPrecisionAt, MRRAt, PrecisionAt, RecallAt])
    def test_metrics_of_binary_relevance_refuse_grades(self, kind):
        with pytest.raises(ConfigError, match=rf"{kind().name[:-3]}_2 .*expected labels 0 and 1.*NDCGAt"):
            kind(2).update_state(GRADES, GRADE_SCORES)
        with pytest.raises(tf.errors.InvalidArgumentError, match="expected labels 0 and 1"):
            tf.function(kind(2).update_state)(tf.constant(GRADES), tf.constant(GRADE_SCORES))

    def test_an_aggregator_is_graded_if_all_its_metrics_are(self):
        graded = TopKMetricsAggregator(NDCGAt(2), NDCGAt(4))
        graded.update_state(GRADES, GRADE_SCORES)
        expected = {f"ndcg_at_{k}": sklearn.metrics.ndcg_score(GRADES, GRADE_SCORES, k=k) for k in (2, 4)}
        assert {name: float(value) for name, value in graded.result().items()} == pytest.approx(expected, rel=1e-6)
        with pytest.raises(ConfigError, match="expected labels 0 and 1"):
            TopKMetricsAggregator(NDCGAt(2), RecallAt(2)).update_state(GRADES, GRADE_SCORES)

    def test_labels_below_zero(self):
        with pytest.raises(ConfigError, match="expected labels from 0"):
            NDCGAt(1).update_state(np.array([[-1.0, 1.0]]), np.array([[1.0, 2.0]]))

    def test_a_truncated_list_has_binary_labels(self):
        metric = NDCGAt(2, pre_sorted=True)
        metric.label_relevant_counts = np.array([2])
        with pytest.raises(ConfigError, match="expected labels 0 and 1"):
            metric.update_state(np.array([[2.0, 1.0]]), np.array([[2.0, 1.0]]))


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        # Recall of the rows: 1, 0, 1, 0.
        (None, 0.5),
        (np.array([[1.0, 1.0], [0.0, 2.0]]), 0.25),
        (np.array([[[1.0], [1.0]], [[0.0], [2.0]]]), 0.25),
        (np.array([3.0, 1.0]), 0.5),
        (np.array([[3.0], [1.0]]), 0.5),
        (2.0, 0.5),
        (np.zeros((2, 2)), 0.0),
    ],
)
def test_weights_of_steps(weights, expected):
    metric = RecallAt(1)
    labels = np.array([[[1, 0], [1, 0]], [[0, 1], [0, 1]]])
    scores = np.array([[[2, 1], [1, 2]], [[1, 2], [2, 1]]])
    metric.update_state(labels, scores, weights)
    assert float(metric.result()) == expected


def test_weights_of_examples_hold_for_their_steps():
    metric = RecallAt(1)
    # The steps of the first example have recall 1, those of the second 0.
    metric.update_state(np.array([[[1, 0]] * 3, [[0, 1]] * 3]), np.full((2, 3, 2), [2, 1]), np.array([3.0, 1.0]))
    assert float(metric.result()) == 0.75


def test_sorted_input_is_taken_in_its_order():
    scores = np.array([[0.9, 0.9, 0.5, 0.1]])
    labels = np.array([[1, 0, 0, 1]])
    for metric in (MRRAt(2, pre_sorted=True), TopKMetricsAggregator(MRRAt(2), pre_sorted=True)):
        metric.label_relevant_counts = np.array([2])
        metric.update_state(labels, scores)
        found = metric.result()
        # The tie is not ranked again.
        assert float(found["mrr_at_2"] if isinstance(found, dict) else found) == 1.0


def test_counts_hold_for_one_update():
    for metric in (RecallAt(1, pre_sorted=True), TopKMetricsAggregator(RecallAt(1), pre_sorted=True)):
        metric.label_relevant_counts = np.array([1])
        metric.update_state(np.array([[1, 0]]), np.array([[2, 1]]))
        with pytest.raises(ConfigError, match=r"Set label_relevant_counts before update_state"):
            metric.update_state(np.array([[1, 0]]), np.array([[2, 1]]))


def test_counts_inside_a_compiled_function():
    metric = RecallAt(2, pre_sorted=True)

    @tf.function
    def update(labels, scores, counts):
        metric.label_relevant_counts = counts
        metric.update_state(labels, scores)

    for counts in ([2.0], [1.0]):
        update(tf.constant([[1.0, 0.0]]), tf.constant([[2.0, 1.0]]), tf.constant(counts))
    # Recall 1/2, then 1/1.
    assert float(metric.result()) == 0.75


@pytest.mark.parametrize("jit", [False, True], ids=["graph", "xla"])
def test_compiled_with_unknown_shapes(jit):
    metric = TopKMetricsAggregator.default_metrics([2])[0]
    shape = tf.TensorSpec([None, None], tf.float32)

    @tf.function(input_signature=[shape, shape], jit_compile=jit)
    def update(labels, scores):
        metric.update_state(labels, scores)

    update(np.array([[0, 1, 0], [1, 1, 0]], "float32"), np.array([[3, 2, 1], [1, 3, 3]], "float32"))
    # Row 0 finds its item at rank 2, row 1 the first of its two at rank 2, after the tie.
    found = {name: float(value) for name, value in metric.result().items()}
    discount = 1 / math.log2(3)
    assert found == pytest.approx(
        {
            "recall_at_2": (1 + 1 / 2) / 2,
            "precision_at_2": 1 / 2,
            "mrr_at_2": 1 / 2,
            "map_at_2": (1 / 2 + 1 / 4) / 2,
            "ndcg_at_2": (discount + discount / (1 + discount)) / 2,
        }
    )


@pytest.fixture(scope="module")
def compiled_model():
    keras.utils.set_random_seed(3)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(6, activation="softmax")])
    model.compile(
        optimizer="sgd",
        loss="categorical_crossentropy",
        metrics=[RecallAt(2), TopKMetricsAggregator(MRRAt(3), NDCGAt(3))],
        weighted_metrics=[MRRAt(2)],
    )
    return model


def data():
    random = np.random.default_rng(4)
    return random.normal(size=(10, 4)).astype("float32"), np.eye(6, dtype="float32")[random.integers(0, 6, 10)]


@pytest.mark.slow
def test_in_compile(compiled_model):
    features, labels = data()
    weights = np.linspace(0, 1, 10)
    found = compiled_model.evaluate(features, labels, sample_weight=weights, batch_size=4, verbose=0, return_dict=True)
    scores = compiled_model.predict(features, verbose=0)
    rows = [
        {**by_definition(row.tolist(), row_scores.tolist(), 2), **by_definition(row.tolist(), row_scores.tolist(), 3)}
        for row, row_scores in zip(labels, scores, strict=True)
    ]
    for name, row_weights in (("recall_at_2", None), ("mrr_at_3", None), ("ndcg_at_3", None), ("mrr_at_2", weights)):
        expected = np.average([row[name] for row in rows], weights=row_weights)
        assert found[name] == pytest.approx(expected, rel=1e-5), name


@pytest.mark.slow
def test_saved_with_a_model(compiled_model, tmp_path):
    features, labels = data()
    before = compiled_model.evaluate(features, labels, verbose=0, return_dict=True)
    compiled_model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert again.evaluate(features, labels, verbose=0, return_dict=True) == pytest.approx(before)


@pytest.mark.parametrize(
    "metric",
    [
        *[kind(3, pre_sorted=True, name="own", dtype="float64") for kind in KINDS],
        TopKMetricsAggregator(RecallAt(2), MRRAt(4, name="first"), name="both", pre_sorted=True),
    ],
    ids=lambda metric: type(metric).__name__,
)
def test_config_survives_json(metric):
    text = json.dumps(keras.saving.serialize_keras_object(metric))
    again = keras.saving.deserialize_keras_object(json.loads(text))
    assert type(again) is type(metric)
    assert again.get_config() == metric.get_config()
    assert (again.name, again.k, again.pre_sorted, again.dtype) == (metric.name, metric.k, True, metric.dtype)
    again.label_relevant_counts = [1]
    again.update_state(np.array([[0, 1, 0, 0]]), np.array([[4, 3, 2, 1]]))
    found = again.result()
    if isinstance(found, dict):
        assert {name: float(value) for name, value in found.items()} == {"recall_at_2": 1.0, "first_4": 0.5}
    else:
        metric.label_relevant_counts = [1]
        metric.update_state(np.array([[0, 1, 0, 0]]), np.array([[4, 3, 2, 1]]))
        assert float(found) == float(metric.result()) > 0


def test_aggregator_resets_its_metrics():
    metric = TopKMetricsAggregator(RecallAt(1), MRRAt(2))
    metric.update_state(np.array([[1, 0]]), np.array([[2, 1]]))
    metric.reset_state()
    assert {name: float(value) for name, value in metric.result().items()} == {"recall_at_1": 0.0, "mrr_at_2": 0.0}


def test_an_own_metric_is_its_hook():
    class HitAt(RankingMetric):
        def compute(self, relevance, relevant_counts):
            return keras.ops.max(relevance, axis=-1)

    metric = HitAt(2, name="hit_at")
    metric.update_state(np.array([[1, 1, 0], [0, 0, 1]]), np.array([[3, 2, 1], [3, 2, 1]]))
    assert (metric.name, float(metric.result())) == ("hit_at_2", 0.5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("k", [0, -1, 2.5, True, "3"])
def test_bad_cutoff(kind, k):
    with pytest.raises(ConfigError, match=rf"k of {kind.__name__}; expected an integer from 1, got {k!r}"):
        kind(k=k)


def test_more_results_wanted_than_there_are():
    message = r"the cut-off of recall_at_3 is larger than the number of results; expected at least 3 columns, got 2"
    with pytest.raises(ConfigError, match=message):
        RecallAt(3).update_state(np.ones((1, 2)), np.ones((1, 2)))


def test_sorted_input_without_counts():
    message = r"recall_at_1 .* number of relevant items"
    with pytest.raises(ConfigError, match=message):
        RecallAt(1, pre_sorted=True).update_state(np.ones((1, 2)), np.ones((1, 2)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((2, 3), (2, 4)), r"the shape of y_true of recall_at_2 does not fit; expected \(2, 4\), got \(2, 3\)"),
        (((2,), (2, 4)), r"the shape of y_true of recall_at_2 does not fit; expected \(2, 4\), got \(2,\)"),
        (
            ((2, 4), (2, 4), (3,)),
            r"the shape of sample_weight of recall_at_2 does not fit; expected \(2,\), got \(3,\)",
        ),
        (((2, 4), (2, 4), (2, 4)), r"sample_weight of recall_at_2 does not fit; expected \(2,\), got \(2, 4\)"),
        (((2, 5, 4), (2, 5, 4), (5,)), r"sample_weight of recall_at_2 does not fit; expected \(2,\), got \(5,\)"),
        (((), ()), r"y_pred of recall_at_2 is a scalar; expected"),
    ],
)
def test_shapes_that_differ(arguments, message):
    with pytest.raises(ConfigError, match=message):
        RecallAt(2).update_state(*[np.ones(shape) for shape in arguments])


def test_counts_of_other_rows():
    metric = RecallAt(2, pre_sorted=True)
    metric.label_relevant_counts = np.ones(3)
    message = r"the shape of label_relevant_counts of recall_at_2 does not fit; expected \(2,\), got \(3,\)"
    with pytest.raises(ConfigError, match=message):
        metric.update_state(np.ones((2, 4)), np.ones((2, 4)))


def test_aggregator_of_nothing():
    with pytest.raises(ConfigError, match=r"TopKMetricsAggregator has no metrics; expected at least one"):
        TopKMetricsAggregator()


def test_aggregator_of_another_metric():
    with pytest.raises(ConfigError, match=r"TopKMetricsAggregator accepts ranking metrics.*got .*AUC"):
        TopKMetricsAggregator(RecallAt(1), keras.metrics.AUC())


def test_unknown_name():
    with pytest.raises(ConfigError, match=r"unknown metric 'recal_at'.*Did you mean 'recall_at'"):
        metrics_registry.parse("recal_at")
