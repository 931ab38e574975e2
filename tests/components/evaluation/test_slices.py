import numpy as np

from emrys.components.contracts.measured_rows import MeasuredRows
from emrys.components.evaluation.slices import Slice, slice_metrics

NAN = float("nan")


def test_means_of_a_metric():
    rows = MeasuredRows(
        units=np.array([0, 0, 1, 2, 3]),
        values={
            ("ndcg", "model"): np.array([1.0, NAN, 0.5, 0.0, 0.25]),  # once a user
            ("ndcg", "popularity"): np.array([0.5, NAN, 0.5, NAN, NAN]),
        },
        slices={
            "user": np.array(["new", "new", "known", "known", None], object),
            "age": np.array([None, None, None, None, "18"], object),
        },
    )
    # age 18 is the last row alone; known is the mean of 0.5 and 0, of popularity 0.5 alone.
    assert slice_metrics(rows, "ndcg", ["model", "popularity"]) == [
        Slice("age", "18", 1, 1, {"model": 0.25, "popularity": None}),
        Slice("user", "known", 2, 2, {"model": 0.25, "popularity": 0.5}),
        Slice("user", "new", 2, 1, {"model": 1.0, "popularity": 0.5}),
    ]


def test_the_auc_where_there_are_both_classes():
    rows = MeasuredRows(
        units=np.arange(6),
        scores={"model": np.array([0.1, 0.4, 0.3, 0.8, 0.5, 0.6])},
        labels=np.array([0.0, 0.0, 1.0, 1.0, 1.0, 1.0]),
        slices={"kind": np.array(["a", "a", "a", "a", "b", "b"], object)},
    )
    # Of the pairs of a: (0.3 over 0.1), not (0.3 over 0.4), (0.8 over both): 3 of 4. b has no negative.
    assert slice_metrics(rows, "auc", ["model"]) == [Slice("kind", "a", 4, 4, {"model": 0.75})]


def test_a_metric_that_nobody_measured():
    rows = MeasuredRows(units=np.arange(2), slices={"user": np.array(["new", "known"], object)})
    assert slice_metrics(rows, "ndcg", ["model"]) == []
