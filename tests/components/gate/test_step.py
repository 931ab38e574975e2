from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from emrys.blocks.errors import ArtifactError, ConfigError
from emrys.blocks.io import write_json
from emrys.components.contracts.data_schema import DataColumn, DataSchema, Role, Target, TargetKind
from emrys.components.contracts.evaluation import Evaluation, EvaluationResult
from emrys.components.contracts.measured_rows import MeasuredRows
from emrys.components.evaluation.bootstrap import lower_bound
from emrys.components.evaluation.weighted_metrics import WeightedAuc, WeightedMean
from emrys.components.gate.config import GateConfig
from emrys.components.gate.step import markdown, run
from emrys.components.recipe.recipe import Recipe

USERS = 200


def made(lift: float = 0.2, production: float | None = None, new: float | None = None) -> MeasuredRows:
    """Values of 200 users, a row each: the baseline about 0.5, the others that much above it, with noise of 0.1."""
    draw = np.random.default_rng(0)
    base = draw.normal(0.5, 0.1, USERS)
    users = np.where(np.arange(USERS) < 100, "known", "new").astype(object)
    model = base + lift + draw.normal(0, 0.1, USERS)
    if new is not None:
        model[100:] = base[100:] + new + draw.normal(0, 0.1, 100)
    values = {("ndcg_at_10", "popularity"): base, ("ndcg_at_10", "model"): model}
    if production is not None:
        values["ndcg_at_10", "production"] = base + production + draw.normal(0, 0.1, USERS)
    return MeasuredRows(np.arange(USERS), values, slices={"user": users})


@pytest.fixture
def gate(tmp_path):
    def gate_of(rows: MeasuredRows, **config):
        with Evaluation.create(tmp_path / "evaluation", {}) as work:
            for name in ("metrics.json", "curves.json"):
                write_json(work / name, {})
            (work / "report.html").write_text("", encoding="utf-8")
            rows.write(work / "rows.parquet")
        settings = {"metric": "ndcg_at_10", "thresholds": {"ndcg_at_10": 0.6}, **config}
        return run(tmp_path / "evaluation", GateConfig(**settings), tmp_path / "gate")

    return gate_of


def test_a_good_model_passes(gate):
    found = gate(made())
    assert found.passed
    assert found.reasons == []
    looked_at = [(check["against"], check["slice"]) for check in found.decision["checks"]]
    assert looked_at == [("threshold", "all"), ("popularity", "all"), ("popularity", "user=known"),
                         ("popularity", "user=new")]  # fmt: skip
    # Mean lift of 200 rows with noise of 0.1: 0.2 with a standard error of 0.1 / sqrt(200) = 0.0071, times 1.645.
    lift = found.decision["checks"][1]
    assert lift["estimate"] == pytest.approx(0.2, abs=0.02)
    assert lift["estimate"] - lift["lower"] == pytest.approx(0.0116, abs=0.003)
    assert "# The model passed the gate" in markdown(found)


def test_the_same_rows_give_the_same_decision(gate):
    assert gate(made()).decision == gate(made()).decision


def test_a_lift_that_may_be_chance(gate):
    found = gate(made(lift=0.015), thresholds={"ndcg_at_10": 0.1})
    (reason,) = found.reasons
    assert not found.passed
    assert reason.startswith("ndcg_at_10: the lift over popularity is +0.00")
    assert reason.endswith("which must exceed +0")
    assert "did not pass" in markdown(found)


def test_a_further_metric_by_which_the_baseline_is_as_good(gate):
    rows = made()
    values = {**rows.values, ("recall_at_50", "model"): rows.values["ndcg_at_10", "popularity"],
              ("recall_at_50", "popularity"): rows.values["ndcg_at_10", "popularity"]}  # fmt: skip
    found = gate(MeasuredRows(rows.units, values), baseline_metrics=["recall_at_50"])
    assert found.reasons == [
        "recall_at_50: the lift over popularity is +0.0000, its lower bound +0.0000, which must exceed +0"
    ]
    assert gate(made(), baseline_metrics=["mrr"]).reasons == ["no baseline has the metric mrr"]


def test_a_threshold(gate):
    (reason,) = gate(made(), thresholds={"ndcg_at_10": 0.9}).reasons
    assert reason.startswith("ndcg_at_10 is 0.6927; its lower bound 0.6")
    assert reason.endswith("must be at least 0.9")


def test_worse_than_production(gate):
    found = gate(made(production=0.25))
    assert found.reasons[0].startswith("ndcg_at_10: the lift over production is -0.0")
    assert gate(made(production=0.25), production_margin=-0.2, slice_margin=-0.2).passed


def test_the_worst_slice(gate):
    found = gate(made(lift=0.4, new=-0.2), thresholds={"ndcg_at_10": 0.1})
    (reason,) = found.reasons
    assert reason.startswith("ndcg_at_10: the lift over popularity where user=new is -0.19")
    assert gate(made(lift=0.4, new=-0.2), thresholds={"ndcg_at_10": 0.1}, min_slice_size=101).passed


class TestFailsClosed:
    def test_no_threshold(self, gate):
        (reason,) = gate(made(), thresholds={}).reasons
        assert reason == "no threshold is set; a model needs at least one to pass"

    def test_an_unknown_metric(self, gate):
        found = gate(made(), metric="recall", thresholds={"recall": 0.1})
        assert found.reasons == [
            "recall was not measured; available are ndcg_at_10",
            "no baseline has the metric recall",
        ]

    def test_no_rows(self, gate):
        nothing = MeasuredRows(np.zeros(0, "int64"), {("ndcg_at_10", "model"): np.zeros(0)})
        assert not gate(nothing).passed

    def test_values_that_are_no_numbers(self, gate):
        rows = made()
        rows.values["ndcg_at_10", "model"][:] = np.nan
        assert not gate(rows).passed

    def test_one_unit(self, gate):
        one = {("ndcg_at_10", "model"): np.array([0.9]), ("ndcg_at_10", "popularity"): np.array([0.1])}
        assert not gate(MeasuredRows(np.zeros(1, "int64"), one)).passed

    def test_a_damaged_evaluation(self, gate, tmp_path):
        gate(made())
        (tmp_path / "evaluation" / "rows.parquet").write_bytes(b"x")
        with pytest.raises(ArtifactError, match=r"gate: .*rows\.parquet: a file of the artifact is damaged"):
            run(tmp_path / "evaluation", GateConfig(), tmp_path / "again")
        assert not (tmp_path / "again").exists()


def test_losses_count_the_other_way(gate):
    draw = np.random.default_rng(0)
    rows = MeasuredRows(
        np.arange(USERS),
        {("log_loss", "model"): draw.normal(0.5, 0.1, USERS), ("log_loss", "constant"): draw.normal(0.7, 0.1, USERS)},
    )
    found = gate(rows, metric="log_loss", thresholds={"log_loss": 0.6})
    assert found.passed
    assert found.decision["checks"][1]["estimate"] == pytest.approx(0.2, abs=0.03)
    (reason,) = gate(rows, metric="log_loss", thresholds={"log_loss": 0.5}).reasons
    assert "must be at most 0.5" in reason


def test_bad_configurations():
    with pytest.raises(ConfigError, match=r"gate: thresholds\.auc; expected a number, got nan"):
        GateConfig(thresholds={"auc": float("nan")})
    with pytest.raises(ConfigError, match="gate: confidence"):
        GateConfig(confidence=1.0)


class TestMeasures:
    def test_auc_with_ties_and_weights(self):
        draw = np.random.default_rng(1)
        units, labels = draw.integers(0, 30, 400), (draw.random(400) < 0.4).astype(float)
        scores = np.round(draw.random(400) + 0.2 * labels, 1)
        draws = draw.integers(0, 3, (5, 30)).astype(float)
        expected = [roc_auc_score(labels, scores, sample_weight=row[units]) for row in draws]
        np.testing.assert_allclose(WeightedAuc(scores, labels, units).resampled(draws), expected)

    def test_a_resample_with_one_class_has_no_auc(self):
        found = WeightedAuc(np.array([0.1, 0.9]), np.array([0.0, 1.0]), np.array([0, 1])).resampled(
            np.array([[1.0, 0.0], [1.0, 1.0]])
        )
        assert np.isnan(found[0])
        assert found[1] == 1.0

    def test_mean_by_hand(self):
        # Unit 0 drawn twice: (2 * (1 + 2) + 6) / (2 * 2 + 1) = 12 / 5.
        found = WeightedMean(np.array([1.0, 2.0, 6.0, np.nan]), np.array([0, 0, 1, 1]), 2).resampled(
            np.array([[2.0, 1.0]])
        )
        assert found.tolist() == [2.4]

    def test_users_are_drawn_and_not_rows(self):
        # 100 users with 20 equal rows each: the bound is that of 100 numbers, not of 2,000.
        values = np.random.default_rng(2).normal(0, 1, 100)
        measure = WeightedMean(np.repeat(values, 20), np.repeat(np.arange(100), 20), 100)
        found = lower_bound(measure.resampled, 100, confidence=0.95, resamples=2000, seed=0)
        assert found.estimate - found.lower == pytest.approx(1.645 * values.std() / 10, rel=0.15)


SHOP = DataSchema(
    (DataColumn("visitor", "string", Role.USER_ID), DataColumn("sku", "string", Role.ITEM_ID)),
    (Target("click", TargetKind.BINARY),),
)


def binary_rows(lift: float = 0.3) -> MeasuredRows:
    """Rows of 300 users: a model whose scores are off by noise, and constant and popular ones that know nothing."""
    draw = np.random.default_rng(5)
    labels = (draw.random(300) < 0.4).astype(float)
    scores = {
        "model": np.clip(0.35 + lift * labels + draw.normal(0, 0.1, 300), 0, 1),
        "mean_baseline": draw.random(300),
        "popularity": draw.integers(0, 9, 300).astype(float),
        "constant": np.full(300, 0.4),
    }
    return MeasuredRows(np.arange(300), scores=scores, labels=labels, slices={"kind": np.array(["a"] * 300, object)})


def asked(**sections) -> Recipe:
    return Recipe.model_validate({"data": {"path": "x"}, "model": {"name": "dlrm"}, **sections})


@pytest.fixture
def gate_of(tmp_path):
    def decide(rows, recipe, schema=SHOP, **config):
        result = EvaluationResult({}, {}, rows, schema)
        Evaluation.write(tmp_path / "evaluation", result, "", {"config": {"k": 10}})
        return run(tmp_path / "evaluation", GateConfig(resamples=200, **config), tmp_path / "gate", recipe)

    return decide


def compared(decision) -> list[tuple[str, str, str]]:
    return [(check["metric"], check["against"], check["slice"]) for check in decision.decision["checks"]]


class TestRecipes:
    def test_without_a_gate_the_baselines_are_to_be_beaten(self, gate_of):
        found = gate_of(binary_rows(), asked())
        assert found.passed
        assert compared(found) == [("auc", name, "all") for name in ("mean_baseline", "popularity", "constant")]
        refused = gate_of(binary_rows(lift=0.0), asked())
        assert not refused.passed
        assert all("the lift over" in reason for reason in refused.reasons)

    def test_a_gate_is_taken_as_it_stands(self, gate_of):
        # The model is better than 0.6 and worse than nobody is asked about.
        assert compared(gate_of(binary_rows(), asked(gate={"auc": 0.6}))) == [("auc", "threshold", "all")]
        found = gate_of(binary_rows(), asked(gate={"better_than": ["constant"], "slice_margin": -0.05}))
        assert compared(found) == [("auc", "constant", "all"), ("auc", "constant", "kind=a")]

    def test_none_never_promotes(self, gate_of):
        found = gate_of(binary_rows(), asked(gate="none"))
        assert not found.passed
        assert found.reasons == [
            "the recipe says `gate: none`, with which no model is promoted; leave it out for the default gate"
        ]

    def test_no_condition_never_promotes(self, gate_of):
        (reason,) = gate_of(binary_rows(), asked(gate={})).reasons
        assert reason.startswith("the gate has no threshold and no baseline; name one in `gate` of the recipe")

    def test_thresholds_of_the_parameters_replace_the_gate(self, gate_of):
        found = gate_of(binary_rows(), asked(gate="none"), thresholds={"auc": 0.6})
        assert found.passed
        assert ("auc", "threshold", "all") in compared(found)
        assert ("auc", "popularity", "all") in compared(found)

    def test_a_baseline_that_was_not_measured_does_not_pass(self, gate_of):
        rows = binary_rows()
        del rows.scores["constant"]
        assert gate_of(rows, asked(gate={"better_than": ["constant"]})).reasons == ["auc of constant was not measured"]

    def test_one_class_says_what_to_change(self, gate_of):
        rows = binary_rows()
        rows.labels[:] = 1.0
        (reason,) = gate_of(rows, asked(gate={"auc": 0.6})).reasons
        assert reason.startswith("auc has no bound, since it is not defined on the test rows")
        assert reason.endswith("change `split` or `columns.targets` in the recipe")

    def test_one_unit_says_what_to_change(self, gate_of):
        rows = binary_rows()
        rows.units[:] = 0
        (reason,) = gate_of(rows, asked(gate={"auc": 0.6})).reasons
        assert "the test rows have 1 user, session or row to draw from" in reason

    def test_production_is_compared_by_each_target_that_it_has(self, gate_of):
        rows = binary_rows()
        both = DataSchema(SHOP.columns, (*SHOP.targets, Target("price", TargetKind.REGRESSION)))
        errors = np.abs(np.random.default_rng(1).normal(0, 1, 300))
        values = {("price/mse", "model"): 0.5 * errors, ("price/mse", "constant"): errors}
        scores = {f"click/{name}": values for name, values in rows.scores.items()}
        several = MeasuredRows(
            rows.units, values, {**scores, "click/production": scores["click/model"] - 0.1 * rows.labels},
            target_labels={"click": rows.labels},
        )  # fmt: skip
        found = gate_of(several, asked(model={"name": "mmoe"}, evaluate={"baselines": ["constant"]}), both)
        assert compared(found) == [
            ("click/auc", "constant", "all"),
            ("price/rmse", "constant", "all"),
            ("click/auc", "production", "all"),
        ]
        assert found.passed
        # Half of each squared error: the root is 0.707 of the baseline's, the lift 0.293 of it.
        expected = (1 - 0.5**0.5) * np.sqrt(errors.mean())
        assert found.decision["checks"][1]["estimate"] == pytest.approx(expected)


def test_an_evaluation_of_an_earlier_release_has_no_recipe(gate, tmp_path):
    gate(made())
    with pytest.raises(ArtifactError, match=r"the evaluation has no data schema. Run the evaluation again"):
        run(tmp_path / "evaluation", GateConfig(), tmp_path / "again", asked())
