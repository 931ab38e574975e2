import numpy as np
import pytest
from sklearn.metrics import mean_squared_error, roc_auc_score

from emrys.components.contracts.measured_rows import MeasuredRows, lower_is_better, metric_key, metric_title
from emrys.components.evaluation.bootstrap import interval
from emrys.components.evaluation.classification_metrics import Calibration
from emrys.components.evaluation.ranking_metrics import auc_per_user
from emrys.components.evaluation.slices import slice_lifts, slice_metrics
from emrys.components.evaluation.weighted_metrics import calibrate_back, metric_of


def value(rows, metric, scorer="model", mask=None):
    return metric_of(rows, metric, scorer, np.ones(len(rows.units), bool) if mask is None else mask).value(
        rows.unit_count
    )


@pytest.fixture
def rows():
    draw = np.random.default_rng(0)
    labels = (draw.random(300) < 0.4).astype(float)
    scores = np.clip(0.3 + 0.2 * labels + draw.normal(0, 0.2, 300), 0.01, 0.99)
    losses = -np.where(labels > 0, np.log(scores), np.log1p(-scores))
    return MeasuredRows(
        units=draw.integers(0, 40, 300),
        values={("log_loss", "model"): losses},
        scores={"model": scores, "popularity": draw.integers(0, 5, 300).astype(float)},
        labels=labels,
        slices={"user": np.array(["new", "known"], object)[(np.arange(300) % 3 > 0).astype(int)]},
        weights=draw.integers(1, 4, 300).astype(float),
    )


def test_metrics_that_follow_from_scores(rows):
    scores, labels, weights = rows.scores["model"], rows.labels, rows.weights
    assert value(rows, "brier") == pytest.approx(mean_squared_error(labels, scores, sample_weight=weights))
    calibration = Calibration.of(scores, labels, 15, weights)
    assert value(rows, "calibration_error") == pytest.approx(calibration.error)
    p = np.average(labels, weights=weights)
    entropy = -(p * np.log(p) + (1 - p) * np.log(1 - p))
    loss = np.average(rows.values["log_loss", "model"], weights=weights)
    assert value(rows, "normalized_entropy") == pytest.approx(loss / entropy)


def test_scores_that_are_no_probabilities_have_an_order_alone(rows):
    area = roc_auc_score(rows.labels, rows.scores["popularity"], sample_weight=rows.weights)
    assert value(rows, "auc", "popularity") == pytest.approx(area)
    everything = np.ones(300, bool)
    assert metric_of(rows, "brier", "popularity", everything) is None
    assert metric_of(rows, "normalized_entropy", "popularity", everything) is None


def test_rows_of_new_users_by_the_end_of_the_name(rows):
    new = rows.slices["user"] == "new"
    area = roc_auc_score(rows.labels[new], rows.scores["model"][new], sample_weight=rows.weights[new])
    assert value(rows, "auc_new_users") == pytest.approx(area)
    assert metric_of(rows, "auc_new_items", "model", np.ones(300, bool)) is None


def test_resamples_of_metrics_that_are_no_means(rows):
    draws = np.random.default_rng(1).integers(0, 3, (4, 40)).astype(float)
    for metric in ("normalized_entropy", "calibration_error"):
        found = metric_of(rows, metric, "model", np.ones(300, bool)).resampled(draws)
        for row, result in zip(draws, found, strict=True):
            # A unit that is drawn twice is there twice.
            weights = rows.weights * row[rows.units]
            p = np.average(rows.labels, weights=weights)
            if metric == "normalized_entropy":
                loss = np.average(rows.values["log_loss", "model"], weights=weights)
                expected = loss / -(p * np.log(p) + (1 - p) * np.log(1 - p))
            else:
                expected = Calibration.of(rows.scores["model"], rows.labels, 15, weights).error
            assert result == pytest.approx(expected)


def test_per_user_means_do_not_use_the_weights_of_rows():
    values = {("ndcg_at_10", "model"): np.array([1.0, np.nan, 0.0, np.nan]), ("mse", "model"): np.array([4.0, 0, 1, 1])}
    rows = MeasuredRows(np.array([0, 0, 1, 1]), values, weights=np.array([3.0, 1.0, 1.0, 1.0]))
    assert value(rows, "ndcg_at_10") == 0.5
    # (3 · 4 + 0 + 1 + 1) / 6 = 14 / 6
    assert value(rows, "mse") == pytest.approx(14 / 6)
    assert value(rows, "rmse") == pytest.approx((14 / 6) ** 0.5)


def test_several_targets_and_rows_outside_a_sample_space(tmp_path):
    labels = np.array([1.0, 0.0, np.nan, np.nan])
    rows = MeasuredRows(
        units=np.arange(4),
        values={("buy/log_loss", "model"): np.array([0.5, 1.5, np.nan, np.nan])},
        scores={"buy/model": np.array([0.9, 0.1, np.nan, np.nan]), "view/model": np.array([0.2, 0.4, 0.6, 0.8])},
        target_labels={"buy": labels, "view": np.array([0.0, 1.0, 0.0, 1.0])},
        slices={"a/b": np.array(["x", None, "y", "y"], object)},
    )
    rows.write(tmp_path / "rows.parquet")
    again = MeasuredRows.read(tmp_path / "rows.parquet")
    for each in (rows, again):
        assert value(each, "buy/auc") == 1.0
        # Of the four pairs of view, 0.4 and 0.8 over 0.2, and 0.8 over 0.6.
        assert value(each, "view/auc") == 0.75
        assert value(each, "buy/log_loss") == 1.0
        assert each.metrics == ["buy/auc", "buy/log_loss", "view/auc"]
        assert each.scorers == ["model"]
        assert each.slices["a/b"].tolist() == ["x", None, "y", "y"]
        assert metric_of(each, "buy/auc", "model", np.array([False, False, True, True])) is None


def test_auc_of_each_user():
    draw = np.random.default_rng(2)
    users, labels = draw.integers(-1, 12, 400), (draw.random(400) < 0.4).astype(float)
    scores, weights = np.round(draw.random(400) + 0.2 * labels, 1), draw.integers(1, 4, 400).astype(float)
    users[users == 7] = np.where(labels[users == 7] > 0, 7, 6)  # 7 has positives alone
    found = auc_per_user(users, scores, labels, weights)
    for user in range(-1, 12):
        own = users == user
        if user in (-1, 7):
            assert np.isnan(found[own]).all()
        else:
            assert found[own] == pytest.approx(roc_auc_score(labels[own], scores[own], sample_weight=weights[own]))


def test_drawn_negatives_by_hand():
    # Odds of 1 become 4, of 1/4 become 1: 4 / 5 and 1 / 2.
    assert calibrate_back(np.array([0.5, 0.2, 0.0, 1.0]), 4) == pytest.approx([0.8, 0.5, 0.0, 1.0])
    assert calibrate_back(np.array([0.5, 0.2]), 0).tolist() == [0.5, 0.2]


def test_lifts_in_slices_with_their_bounds():
    draw = np.random.default_rng(3)
    base = draw.normal(1.0, 0.1, 400)
    kind = np.array(["a", "b"], object)[np.arange(400) % 2]
    # An error that is 0.2 lower in a and equal in b, with noise of 0.1 in each row.
    model = base - np.where(kind == "a", 0.2, 0.0) + draw.normal(0, 0.1, 400)
    rows = MeasuredRows(np.arange(400), {("mae", "model"): model, ("mae", "constant"): base}, slices={"kind": kind})
    slices = slice_metrics(rows, "mae", ["model", "constant"])
    lifts = {each.slice.level: each for each in slice_lifts(rows, "mae", "constant", slices)}
    assert lifts["a"].lift == pytest.approx(0.2, abs=0.02)
    assert lifts["b"].lift == pytest.approx(0.0, abs=0.02)
    # 1.645 · 0.1 / sqrt(200) = 0.0116 to either side.
    assert lifts["a"].high - lifts["a"].lift == pytest.approx(0.0116, abs=0.004)
    assert lifts["a"].lift - lifts["a"].low == pytest.approx(0.0116, abs=0.004)


def test_no_interval_where_resamples_have_no_value():
    assert interval(lambda draws: np.where(draws[:, 0] > 0, 1.0, np.nan), 3, resamples=100, seed=0) == (None, None)


def test_names_of_metrics():
    assert metric_key("auc", "model") == "auc"
    assert metric_key("buy/auc", "popularity") == "buy/popularity_auc"
    assert metric_title("ndcg_at_10") == "NDCG@10"
    assert metric_title("buy/log_loss_new_users") == "buy: Log loss of new users"
    assert lower_is_better("buy/rmse")
    assert lower_is_better("log_loss_new_items")
    assert not lower_is_better("recall_at_50_new_items")
