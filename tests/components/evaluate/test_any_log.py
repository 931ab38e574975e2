"""Evaluation of logs of any columns and targets, with values of scikit-learn or by hand."""

import numpy as np
import pytest
from sklearn import metrics as sk

from emrys.blocks.errors import ArtifactError, DataError
from emrys.components.contracts.data_schema import DataColumn, DataSchema, Role, Target, TargetKind
from emrys.components.evaluate.config import EvaluateConfig
from emrys.components.gate.config import GateConfig
from emrys.components.gate.step import run as gate
from emrys.components.recipe.recipe import Recipe
from tests.components.evaluate.made_log import evaluate, write
from tests.components.reporting.reading import Page

SHOPPER = DataColumn("shopper", "string", Role.USER_ID)
SKU = DataColumn("sku", "string", Role.ITEM_ID)
VISIT = DataColumn("visit", "string", Role.SESSION_ID)
TIMES = DataColumn("times", "float32", Role.WEIGHT)
CHANNEL = DataColumn("channel", "string", Role.CONTEXT)
SPENT = Target("spent", TargetKind.REGRESSION)
GRADE = Target("grade", TargetKind.CLASSES, classes=("good", "fair", "poor"))
CLICK = Target("click", TargetKind.BINARY)
BUY = Target("buy", TargetKind.BINARY, sample_space="click")


def words(evaluation):
    return Page(evaluation.report.read_text(encoding="utf-8")).words


def split_rows(make, **counts):
    return {split: make(np.random.default_rng(len(split) + count), count) for split, count in counts.items()}


def amounts(draw, count):
    """Amounts by shopper and article, of which the shopper's is the larger part."""
    shoppers, skus = draw.integers(0, 20, count), draw.integers(0, 15, count)
    spent = 10.0 + 3.0 * shoppers - skus + draw.normal(0, 1, count)
    return {
        "shopper": [f"s{number}" for number in shoppers],
        "sku": [f"p{number}" for number in skus],
        "channel": np.array(["shop", "web"])[draw.integers(0, 2, count)],
        "times": draw.integers(1, 4, count).astype(float),
        "spent": spent,
    }


class TestRegression:
    @pytest.fixture(scope="class")
    def rows(self):
        return split_rows(amounts, train=400, valid=20, test=150)

    def test_without_anyone_and_with_weights(self, rows, tmp_path):
        schema = DataSchema((TIMES, CHANNEL), (SPENT,))
        train, test = rows["train"], rows["test"]
        predicted = np.asarray(test["spent"], np.float32) + np.random.default_rng(0).normal(0.5, 2, 150)
        found = evaluate(write(tmp_path, schema, rows), predicted[:, None])
        actual, weight = np.asarray(test["spent"], np.float32), test["times"]
        square = sk.mean_squared_error(actual, predicted, sample_weight=weight)
        assert found.metrics["mse"] == pytest.approx(square)
        assert found.metrics["rmse"] == pytest.approx(np.sqrt(square))
        assert found.metrics["mae"] == pytest.approx(sk.mean_absolute_error(actual, predicted, sample_weight=weight))
        mean = np.average(np.asarray(train["spent"], np.float32), weights=train["times"])
        constant = sk.mean_squared_error(actual, np.full(150, mean), sample_weight=weight)
        assert found.metrics["constant_mse"] == pytest.approx(constant)
        assert found.rows.scorers == ["constant", "model"]
        assert found.rows.units.tolist() == list(range(150))
        # The weights are in the bootstrap too.
        assert found.rows.weights.tolist() == weight.tolist()

        text = words(found)
        assert "Prediction of spent on made" in text
        assert f"the model reaches an RMSE of {found.metrics['rmse']:.4f}" in text
        assert "below a constant score" in text
        assert f"Constant score {found.metrics['constant_rmse']:.4f} {found.metrics['constant_mae']:.4f}" in text
        assert "Mean actual value over mean predicted value in 15 bins" in text
        assert "AUC" not in text
        assert found.roc is None
        residuals = found.curves["residuals"]
        assert sum(residuals["counts"]) == 150

    def test_means_of_users_and_items_are_a_baseline(self, rows, tmp_path):
        schema = DataSchema((SHOPPER, SKU, CHANNEL, TIMES), (SPENT,))
        found = evaluate(write(tmp_path, schema, rows), np.asarray(rows["test"]["spent"]))
        # Noise of 1, and 20 rows of each shopper: the means explain nearly all but the noise.
        assert 1.0 < found.metrics["mean_baseline_rmse"] < 0.25 * found.metrics["constant_rmse"]
        assert found.metrics["rmse"] == pytest.approx(0.0, abs=1e-5)
        assert found.rows.unit_count == 20
        decision = gate(tmp_path / "out", GateConfig(resamples=200), tmp_path / "gate", _recipe())
        assert decision.passed
        assert [check["against"] for check in decision.decision["checks"]] == ["mean_baseline", "constant"]

    def test_predictions_that_are_no_numbers(self, rows, tmp_path):
        root = write(tmp_path, DataSchema((CHANNEL,), (SPENT,)), rows)
        with pytest.raises(ArtifactError, match="not finite; expected numbers, got 150"):
            evaluate(root, np.full(150, np.inf))


class TestClasses:
    TEST = np.array([0, 0, 1, 1, 2, 2])
    PROBABILITIES = np.array(
        [[0.8, 0.1, 0.1], [0.3, 0.6, 0.1], [0.1, 0.7, 0.2], [0.2, 0.2, 0.6], [0.1, 0.1, 0.8], [0.1, 0.2, 0.7]]
    )

    @pytest.fixture
    def root(self, tmp_path):
        def table(labels):
            return {"channel": ["web"] * len(labels), "grade": labels}

        # Of the train rows half are good, a third fair, a sixth poor.
        rows = {"train": table([0, 0, 0, 1, 1, 2]), "valid": table([0]), "test": table(self.TEST)}
        return write(tmp_path, DataSchema((CHANNEL,), (GRADE,)), rows)

    def test_by_hand(self, root):
        found = evaluate(root, {"grade/categorical_output": self.PROBABILITIES})
        # Rows 2 and 4 are taken for another class.
        assert found.metrics["accuracy"] == pytest.approx(4 / 6)
        assert found.metrics["log_loss"] == pytest.approx(-np.log([0.8, 0.3, 0.7, 0.2, 0.8, 0.7]).mean())
        # The most frequent class is right for the two good rows; each row has the share of its class.
        assert found.metrics["constant_accuracy"] == pytest.approx(2 / 6)
        assert found.metrics["constant_log_loss"] == pytest.approx(-np.log([1 / 2, 1 / 3, 1 / 6]).mean())
        confusion = found.curves["confusion"]
        assert confusion["classes"] == ["good", "fair", "poor"]
        assert confusion["counts"] == [[1, 1, 0], [0, 1, 1], [0, 0, 2]]
        text = words(found)
        assert "Classification of grade on made" in text
        assert "Rows of 3 classes by predicted class; 66.7 % are on the diagonal." in text

    def test_logits_become_probabilities(self, root):
        logits = np.log(self.PROBABILITIES) + 3.0
        assert evaluate(root, logits).metrics["log_loss"] == pytest.approx(
            -np.log([0.8, 0.3, 0.7, 0.2, 0.8, 0.7]).mean()
        )

    def test_another_number_of_classes(self, root):
        with pytest.raises(ArtifactError, match=r"one score per class and row; expected \(6, 3\), got \(6, 2\)"):
            evaluate(root, self.PROBABILITIES[:, :2])

    @pytest.mark.slow
    def test_rare_classes_are_put_together(self, tmp_path):
        many = Target("city", TargetKind.CLASSES, classes=tuple(f"c{number}" for number in range(30)))
        draw = np.random.default_rng(0)
        labels = np.concatenate([np.repeat(np.arange(11), 20), np.arange(30)])

        def table(values):
            return {"channel": ["web"] * len(values), "city": values}

        rows = {"train": table(labels), "valid": table([0]), "test": table(labels)}
        scores = draw.random((len(labels), 30))
        scores[np.arange(len(labels)), labels] = 2.0
        confusion = evaluate(write(tmp_path, DataSchema((CHANNEL,), (many,)), rows), scores).curves["confusion"]
        assert confusion["classes"] == [*(f"c{number}" for number in range(11)), "others"]
        assert np.diag(confusion["counts"]).tolist() == [21] * 11 + [19]


def clicks(draw, count):
    """Clicks and, among them, purchases."""
    taste = draw.random(count)
    click = draw.random(count) < 0.2 + 0.5 * taste
    return {
        "shopper": [f"s{number}" for number in draw.integers(0, 40, count)],
        "visit": [f"v{number}" for number in draw.integers(0, 90, count)],
        "sku": [f"p{number}" for number in draw.integers(0, 15, count)],
        "taste": taste,
        "click": click.astype(int),
        "buy": (click & (draw.random(count) < taste)).astype(int),
    }


TASTE = DataColumn("taste", "float32", Role.CONTEXT, continuous=True)


class TestSeveralTargets:
    @pytest.fixture(scope="class")
    def rows(self):
        return split_rows(clicks, train=800, valid=20, test=400)

    @pytest.fixture(scope="class")
    def found(self, rows, tmp_path_factory):
        root = write(tmp_path_factory.mktemp("shop"), DataSchema((SHOPPER, VISIT, SKU, TASTE), (CLICK, BUY)), rows)
        taste = rows["test"]["taste"]
        outputs = {"click/binary_output": 0.2 + 0.5 * taste[:, None], "buy/binary_output": taste[:, None]}
        return evaluate(root, outputs)

    def test_each_by_itself_in_its_sample_space(self, rows, found):
        test = rows["test"]
        clicked = test["click"] > 0
        assert found.metrics["click/auc"] == pytest.approx(sk.roc_auc_score(test["click"], test["taste"]))
        area = sk.roc_auc_score(test["buy"][clicked], test["taste"][clicked])
        assert found.metrics["buy/auc"] == pytest.approx(area)
        loss = sk.log_loss(test["buy"][clicked], np.clip(test["taste"][clicked], 1e-7, 1 - 1e-7))
        assert found.metrics["buy/log_loss"] == pytest.approx(loss)
        assert found.metrics["buy/rows"] == clicked.sum() < found.metrics["click/rows"] == 400
        # The constant is the share of the clicks of train that are purchases.
        train = rows["train"]
        share = train["buy"][train["click"] > 0].mean()
        expected = sk.log_loss(test["buy"][clicked], np.full(clicked.sum(), share))
        assert found.metrics["buy/constant_log_loss"] == pytest.approx(expected)

    def test_the_gate_draws_the_same_users_for_both(self, found, tmp_path):
        rows = found.rows
        assert rows.unit_count == 40
        assert rows.scorers == ["constant", "mean_baseline", "model", "popularity"]
        assert {"click/auc", "buy/auc", "buy/log_loss"} <= set(rows.metrics)
        assert np.isnan(rows.target_labels["buy"]).sum() == 400 - found.metrics["buy/rows"]
        decision = gate(found.path, GateConfig(resamples=200), tmp_path / "gate", _recipe("mmoe", gate={"auc": 0.55}))
        assert decision.passed
        checks = {check["metric"]: check["estimate"] for check in decision.decision["checks"]}
        assert checks == {name: pytest.approx(found.metrics[name]) for name in ("buy/auc", "click/auc")}

    def test_the_page_shows_both(self, found):
        text = words(found)
        assert "Ranking of click and buy on made" in text
        assert f"On 400 held-out rows the model reaches for click an AUC of {found.metrics['click/auc']:.4f}" in text
        assert f"the model reaches for buy an AUC of {found.metrics['buy/auc']:.4f}" in text
        assert "buy: All test rows; the best of each column is bold" in text
        assert set(found.curves["targets"]) == {"click", "buy"}
        assert found.roc[0] == found.curves["targets"]["click"]["roc"]["false_positive_rate"]

    def test_the_page_slices_both(self, rows, found):
        there = found.rows.slices["user"] == "known"
        clicked = there & (rows["test"]["click"] > 0)
        taste = np.asarray(rows["test"]["taste"])
        areas = {
            "click": sk.roc_auc_score(rows["test"]["click"][there], taste[there]),
            "buy": sk.roc_auc_score(rows["test"]["buy"][clicked], taste[clicked]),
        }
        numbers = {"click": there.sum(), "buy": clicked.sum()}
        for target, area in areas.items():
            _, _, table = words(found).partition(f"{target}: AUC by slice")
            users = len(set(found.rows.units[there if target == "click" else clicked]))
            assert f"user known {numbers[target]} {users} {area:.4f}" in table[:600]
            assert f"Lift in {target}: AUC over" in table

    def test_one_of_them(self, rows, tmp_path):
        root = write(tmp_path, DataSchema((SHOPPER, SKU, VISIT, TASTE), (CLICK, BUY)), rows)
        outputs = {"click": rows["test"]["taste"], "buy": rows["test"]["taste"]}
        found = evaluate(root, outputs, EvaluateConfig(target="buy", metrics=("auc",), baselines=("constant",)))
        assert {name for name in found.metrics if name.endswith("auc")} == {"buy/auc", "buy/constant_auc"}

    def test_no_row_of_a_sample_space(self, rows, tmp_path):
        nobody = {**rows["test"], "click": np.zeros(400, int), "buy": np.zeros(400, int)}
        space = DataSchema((TASTE,), (BUY, CLICK))
        root = write(tmp_path, space, {**rows, "test": nobody})
        with pytest.raises(DataError, match=r"the split has no rows with a positive click. Use more data, or change"):
            evaluate(root, {"buy": rows["test"]["taste"], "click": rows["test"]["taste"]})


class TestBinary:
    def test_without_users_and_items(self, tmp_path):
        rows = split_rows(clicks, train=300, valid=20, test=200)
        taste, click = rows["test"]["taste"], rows["test"]["click"]
        found = evaluate(write(tmp_path, DataSchema((TASTE,), (CLICK,)), rows), taste[:, None])
        assert found.metrics["auc"] == pytest.approx(sk.roc_auc_score(click, taste))
        p = click.mean()
        entropy = -(p * np.log(p) + (1 - p) * np.log(1 - p))
        assert found.metrics["normalized_entropy"] == pytest.approx(found.metrics["log_loss"] / entropy)
        assert found.rows.scorers == ["constant", "model"]
        assert not [name for name in found.metrics if "user" in name or "item" in name or "_at_" in name]
        assert "users" not in words(found).split("How the numbers are defined")[0].replace("users,", "")

    @pytest.mark.slow
    def test_sessions_are_the_unit_where_there_are_no_users(self, tmp_path):
        rows = split_rows(clicks, train=300, valid=20, test=200)
        schema = DataSchema((VISIT, TASTE), (CLICK,))
        root = write(tmp_path, schema, rows)
        visits = len(set(rows["test"]["visit"]))
        assert evaluate(root, rows["test"]["taste"]).rows.unit_count == visits
        assert evaluate(root, rows["test"]["taste"], EvaluateConfig(bootstrap_by="row")).rows.unit_count == 200

    def test_users_and_items_that_are_not_in_train_by_themselves(self, tmp_path):
        rows = split_rows(clicks, train=300, valid=20, test=400)
        rows["test"]["shopper"] = [
            "nobody" if number % 3 == 0 else name for number, name in enumerate(rows["test"]["shopper"])
        ]
        found = evaluate(write(tmp_path, DataSchema((SHOPPER, SKU, TASTE), (CLICK,)), rows), rows["test"]["taste"])
        new = np.arange(400) % 3 == 0
        area = sk.roc_auc_score(rows["test"]["click"][new], rows["test"]["taste"][new])
        assert found.metrics["rows_of_new_users"] == new.sum() == 134
        assert found.metrics["auc_new_users"] == pytest.approx(area)
        # The means of a user who is unknown are those of all users, but those of the items remain.
        assert "mean_baseline_auc_new_users" in found.metrics
        assert "auc_new_items" not in found.metrics  # there is no new item
        assert "Test rows of users and of items that are not in train" in words(found)

    def test_weights_count_in_all_metrics(self, tmp_path):
        draw = np.random.default_rng(1)
        rows = split_rows(clicks, train=300, valid=20, test=200)
        for table in rows.values():
            table["times"] = draw.integers(1, 5, len(table["taste"])).astype(float)
        test = rows["test"]
        found = evaluate(write(tmp_path, DataSchema((TIMES, TASTE), (CLICK,)), rows), test["taste"])
        weighted = {"sample_weight": test["times"]}
        assert found.metrics["auc"] == pytest.approx(sk.roc_auc_score(test["click"], test["taste"], **weighted))
        assert found.metrics["brier"] == pytest.approx(sk.brier_score_loss(test["click"], test["taste"], **weighted))
        assert found.metrics["log_loss"] == pytest.approx(sk.log_loss(test["click"], test["taste"], **weighted))
        share = np.average(rows["train"]["click"], weights=rows["train"]["times"])
        expected = abs(np.average(test["click"], weights=test["times"]) - share)
        assert found.metrics["constant_calibration_error"] == pytest.approx(expected)

    def test_bad_weights_say_what_to_change(self, tmp_path):
        rows = split_rows(clicks, train=30, valid=20, test=20)
        for table in rows.values():
            table["times"] = np.full(len(table["taste"]), -1.0)
        root = write(tmp_path, DataSchema((TIMES, TASTE), (CLICK,)), rows)
        with pytest.raises(
            DataError, match=r"column 'times': the weights cannot be used; .* leave out `columns.weight`"
        ):
            evaluate(root, rows["test"]["taste"])

    def test_scores_are_calibrated_back_where_negatives_were_drawn(self, tmp_path):
        # One positive and three negatives that were drawn for it, twice.
        labels, scores = np.array([1, 0, 0, 0] * 2), np.array([0.5, 0.2, 0.25, 0.1, 0.25, 0.25, 0.25, 0.25])
        table = {"taste": scores, "click": labels}
        rows = {"train": table, "valid": table, "test": table}
        schema = DataSchema((TASTE,), (CLICK,), negatives=3)
        found = evaluate(write(tmp_path, schema, rows), scores, EvaluateConfig(bins=2))
        # Odds are multiplied by 3: 0.5 becomes 3/4, 0.25 1/2, 0.2 3/7 and 0.1 1/4; a negative counts a third.
        positive = np.log(3 / 4) + np.log(1 / 2)
        negative = np.log([4 / 7, 1 / 2, 3 / 4, 1 / 2, 1 / 2, 1 / 2]).sum() / 3
        assert found.metrics["log_loss"] == pytest.approx(-(positive + negative) / 4)
        # As many positives as negatives: the constant is 1/2, and as good as the mean label.
        assert found.metrics["constant_log_loss"] == pytest.approx(np.log(2))
        assert found.metrics["constant_normalized_entropy"] == pytest.approx(1.0)
        assert found.metrics["constant_calibration_error"] == pytest.approx(0.0)
        # The order is the same.
        assert found.metrics["auc"] == pytest.approx(sk.roc_auc_score(labels, scores))

    @pytest.mark.slow
    def test_only_what_a_recipe_names_is_measured(self, tmp_path):
        rows = split_rows(clicks, train=300, valid=20, test=200)
        root = write(tmp_path, DataSchema((SHOPPER, SKU, TASTE), (CLICK,)), rows)
        config = EvaluateConfig(metrics=("log_loss", "ndcg@3"), baselines=("constant",))
        found = evaluate(root, rows["test"]["taste"], config)
        counts = ("rows", "users", "train_rows")
        names = {name for name in found.metrics if not any(name.endswith(part) or part in name for part in counts)}
        assert names == {"log_loss", "ndcg_at_3", "constant_log_loss", "constant_ndcg_at_3"}
        assert f"a log loss of {found.metrics['log_loss']:.4f}" in words(found)


def _recipe(model="dlrm", **sections):
    return Recipe.model_validate({"data": {"path": "x"}, "model": {"name": model}, **sections})
