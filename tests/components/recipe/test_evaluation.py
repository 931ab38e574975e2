import pytest

from emrys.components.contracts.data_schema import DataColumn, DataSchema, Role, Target, TargetKind
from emrys.components.recipe.evaluation import (
    GateSettings,
    baselines_of,
    check_evaluation,
    gate_settings,
    metric_name,
    metrics_of,
    query_unit,
    task_of,
    unit_of,
)
from emrys.components.recipe.recipe import Recipe

VISITOR = DataColumn("visitor", "string", Role.USER_ID)
SKU = DataColumn("sku", "string", Role.ITEM_ID)
VISIT = DataColumn("visit", "string", Role.SESSION_ID)
CHANNEL = DataColumn("channel", "string", Role.CONTEXT)
TAGS = DataColumn("tags", "string", Role.ITEM, is_list=True)
CLICK, BUY = Target("click", TargetKind.BINARY), Target("buy", TargetKind.BINARY)
PRICE = Target("price", TargetKind.REGRESSION)
GRADE = Target("grade", TargetKind.CLASSES, classes=("a", "b", "c"))
SHOP = DataSchema((VISITOR, SKU, CHANNEL, TAGS), (CLICK,))
FORMS = DataSchema((CHANNEL,), (CLICK,))


def recipe(model="dlrm", evaluate=None, **sections):
    content = {"data": {"path": "x"}, "model": {"name": model}, "evaluate": evaluate or {}, **sections}
    return Recipe.model_validate(content)


def texts(asked, schema=SHOP):
    return [str(fault) for fault in check_evaluation(asked, schema)]


class TestDefaults:
    def test_metrics_follow_from_the_kind_and_the_columns(self):
        of_users = ("auc_by_user", "ndcg_at_10", "mrr_at_10", "recall_at_10")
        of_rows = ("auc", "log_loss", "brier", "calibration_error", "normalized_entropy")
        assert metrics_of("binary", (), SHOP) == (*of_rows, *of_users)
        assert metrics_of("binary", (), FORMS) == of_rows
        assert metrics_of("regression", (), FORMS) == ("rmse", "mae", "mse")
        assert metrics_of("classes", (), FORMS) == ("accuracy", "log_loss")
        assert metrics_of("retrieval", (), SHOP, 5, 20)[:2] == ("ndcg_at_5", "recall_at_20")

    def test_those_of_a_recipe_replace_them_in_its_order(self):
        assert metrics_of("binary", ("log_loss", "ndcg@3", "rmse", "ndcg_at_3"), SHOP) == ("log_loss", "ndcg_at_3")
        assert metric_name(" ndcg @ 10") == "ndcg_at_10"

    def test_baselines_need_their_columns(self):
        assert baselines_of("binary", None, SHOP) == ("mean_baseline", "popularity", "constant")
        assert baselines_of("binary", None, FORMS) == ("constant",)
        assert baselines_of("regression", None, SHOP) == ("mean_baseline", "constant")
        assert baselines_of("classes", None, SHOP) == ("constant",)
        assert baselines_of("retrieval", ("last_item",), SHOP) == ("last_item",)

    def test_the_unit_of_the_bootstrap_is_the_first_that_exists(self):
        assert unit_of("", SHOP) == "user"
        assert unit_of("row", SHOP) == "row"
        assert unit_of("", DataSchema((VISIT,), (CLICK,))) == "session"
        assert unit_of("", FORMS) == "row"

    def test_who_asks(self):
        both = DataSchema((VISITOR, VISIT, SKU))
        assert query_unit(recipe("two-tower"), both) == "user"
        assert query_unit(recipe("gpt2"), both) == "session"
        assert query_unit(recipe("two-tower", split={"by": "session"}), both) == "session"
        assert query_unit(recipe("two-tower"), DataSchema((VISIT, SKU))) == "session"
        assert query_unit(recipe("gpt2"), SHOP) == "user"

    def test_the_task(self):
        assert task_of(recipe("dcn"), SHOP) == "ranking"
        assert task_of(recipe("bert4rec"), SHOP) == "retrieval"


class TestGate:
    def test_without_a_gate_a_model_must_be_better_than_each_baseline(self):
        pairs = (("auc", "mean_baseline"), ("auc", "popularity"), ("auc", "constant"))
        assert gate_settings(recipe(), SHOP) == GateSettings(True, {}, pairs, ("auc",))
        retrieval = gate_settings(recipe("two-tower"), SHOP)
        assert retrieval.comparisons == (("ndcg_at_10", "popularity"), ("ndcg_at_10", "last_item"))

    def test_popularity_is_no_probability(self):
        settings = gate_settings(recipe(evaluate={"metrics": ["log_loss"]}), SHOP)
        assert settings.comparisons == (("log_loss", "mean_baseline"), ("log_loss", "constant"))

    def test_none_never_promotes(self):
        assert gate_settings(recipe(gate="none"), SHOP) == GateSettings(False, {}, (), ("auc",))

    def test_a_gate_is_taken_as_it_stands(self):
        assert gate_settings(recipe(gate={"auc": 0.7}), SHOP) == GateSettings(True, {"auc": 0.7}, (), ("auc",))
        settings = gate_settings(recipe(gate={"better_than": ["constant"], "slice_margin": -0.1}), SHOP)
        assert settings == GateSettings(True, {}, (("auc", "constant"),), ("auc",), -0.1)
        spelled = gate_settings(recipe("two-tower", gate={"ndcg@10": 0.1, "recall_at_50": 0.2}), SHOP)
        assert spelled.thresholds == {"ndcg_at_10": 0.1, "recall_at_50": 0.2}

    def test_a_metric_without_a_target_means_each(self):
        both = DataSchema((VISITOR, SKU), (CLICK, BUY, PRICE))
        settings = gate_settings(recipe("mmoe", gate={"auc": 0.6, "buy/log_loss": 0.5, "auc_new_users": 0.5}), both)
        assert settings.thresholds == {
            "click/auc": 0.6,
            "buy/auc": 0.6,
            "buy/log_loss": 0.5,
            "click/auc_new_users": 0.5,
            "buy/auc_new_users": 0.5,
        }
        assert settings.metrics == ("click/auc", "buy/auc", "price/rmse")
        assert ("price/rmse", "mean_baseline") in gate_settings(recipe("mmoe"), both).comparisons


class TestFaults:
    def test_none_in_a_good_recipe(self):
        asked = {"metrics": ["auc", "ndcg@5"], "baselines": ["constant"], "slices": ["channel"]}
        assert texts(recipe(evaluate=asked, gate={"auc": 0.7, "better_than": ["constant"]})) == []
        assert texts(recipe(gate="none")) == []

    @pytest.mark.parametrize(
        ("asked", "text"),
        [
            ({"metrics": ["ndgc@10"]}, "evaluate.metrics: no such metric; expected one of auc, "),
            ({"metrics": ["logloss"]}, "Did you mean 'log_loss'?"),
            ({"metrics": ["rmse"]}, "evaluate.metrics: the metric does not fit binary; expected one of auc, "),
            ({"metrics": ["ndcg"]}, "evaluate.metrics: the metric needs the length of a list; expected ndcg@10"),
            ({"metrics": ["auc@5"]}, "evaluate.metrics: the metric has no length of a list; expected auc"),
            ({"baselines": ["popularty"]}, "evaluate.baselines: no such baseline"),
            ({"baselines": ["last_item"]}, "evaluate.baselines: the baseline does not fit the targets and the columns"),
            ({"bootstrap_by": "session"}, "evaluate.bootstrap_by: there is no session; got 'session'."),
            ({"slices": ["chanel"]}, "Did you mean 'channel'?"),
            ({"slices": ["tags"]}, "evaluate.slices: the column has lists"),
            ({"slices": ["visitor"]}, "evaluate.slices: the column has ids of people; got 'visitor'. Set"),
        ],
    )
    def test_each_names_the_key_and_the_value(self, asked, text):
        (fault,) = texts(recipe(evaluate=asked))
        assert text in fault

    def test_a_metric_of_users_without_users(self):
        (fault,) = texts(recipe(evaluate={"metrics": ["ndcg@10"]}), FORMS)
        assert fault.startswith("evaluate.metrics: the metric needs a user; expected one of auc, log_loss")
        assert fault.endswith("got 'ndcg@10'. Name the column in `columns.user_id`.")

    @pytest.mark.parametrize(
        ("gate", "text"),
        [
            ({}, "gate: the gate has no condition, so that no model passes"),
            ({"acu": 0.7}, "Did you mean 'auc'?"),
            ({"auc": "high"}, "gate.auc: the value cannot be used; expected a number, got 'high'"),
            ({"brier": 0.2}, "gate.brier: the metric is not measured; expected one of auc. Add 'brier' to"),
            ({"better_than": ["popularity"]}, "gate.better_than: the baseline is not measured; got 'popularity'. Add"),
            ({"better_than": 3}, "gate.better_than: the value cannot be used; expected a list of baselines, got 3"),
            ({"better_than": ["constnat"]}, "Did you mean 'constant'?"),
        ],
    )
    def test_of_the_gate(self, gate, text):
        (fault,) = texts(recipe(evaluate={"metrics": ["auc"], "baselines": ["constant"]}, gate=gate))
        assert text in fault

    def test_a_target_that_no_metric_measures(self):
        both = DataSchema((VISITOR, SKU), (CLICK, PRICE))
        (fault,) = texts(recipe("mmoe", evaluate={"metrics": ["auc"]}), both)
        assert fault == "evaluate.metrics: no metric fits the target 'price'; expected one of rmse, mae, mse"
        assert texts(recipe("mmoe", evaluate={"metrics": ["auc", "mae"]}), both) == []

    def test_rows_of_recommendations(self):
        (fault,) = texts(recipe("two-tower", evaluate={"bootstrap_by": "row"}))
        assert fault.startswith("evaluate.bootstrap_by: the bootstrap of recommendations draws queries; expected user")
        assert texts(recipe("two-tower", evaluate={"bootstrap_by": "user"})) == []

    def test_several_are_told_together(self):
        asked = recipe(evaluate={"metrics": ["acu", "rmse"], "baselines": ["nobody"]}, gate={"mrr@10": 0.1})
        assert len(texts(asked)) == 4

    def test_people_may_be_slices_where_ids_are_shown(self):
        assert texts(recipe(evaluate={"slices": ["visitor"], "show_ids": True})) == []

    def test_a_baseline_without_the_main_metric(self):
        asked = recipe(evaluate={"metrics": ["log_loss"]}, gate={"better_than": ["popularity"]})
        (fault,) = texts(asked)
        assert fault.startswith("gate.better_than: the baseline has no log_loss; got 'popularity'.")
