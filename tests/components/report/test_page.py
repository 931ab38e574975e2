"""The page shows the values of the artifacts, overall and by slice."""

import itertools
import re

import pytest
from sklearn.metrics import roc_auc_score

from emrys.components.contracts.gate_decision import GateDecision
from emrys.components.contracts.statistics import Statistics
from tests.components.report.run_artifacts import RANKING, column, write_page, write_ranking, write_run
from tests.components.reporting.reading import Page

ATTACK = "<script>alert(1)</script>\"'><img src=x onerror=y>"


@pytest.fixture(params=["promoted", "failed", "retrieval"])
def rendered(request):
    return request.getfixturevalue(request.param)


class TestForm:
    @pytest.mark.slow
    def test_it_is_well_formed_and_what_is_pointed_at_is_there(self, rendered):
        assert rendered.html.startswith('<!DOCTYPE html>\n<html lang="en">')
        ids = rendered.page.values("id")
        assert len(ids) == len(set(ids)) > 50
        used = [value[1:] for value in rendered.page.values("href") if value.startswith("#")]
        used += re.findall(r"url\(#([^)]*)\)", rendered.html)
        used += [name for value in rendered.page.values("aria-labelledby") for name in value.split()]
        assert set(used) <= set(ids)
        assert {"gate", "results", "slices", "training", "data", "schema", "ensemble", "settings", "origin"} <= set(
            used
        )

    def test_it_needs_nothing_from_elsewhere_and_no_script(self, rendered):
        assert not re.search(r"https?:|//[a-z]|@import", rendered.html)
        assert not {"script", "img", "iframe", "object", "form"} & set(rendered.page.tags)
        assert all(value.startswith("#") or value == "data:," for value in rendered.page.values("href"))
        assert rendered.page.values("src") == []
        assert not [name for _, name, _ in rendered.page.attributes if name.startswith("on")]

    def test_headings_come_in_order(self, rendered):
        levels = [int(tag[1]) for tag in rendered.page.tags if re.fullmatch(r"h[1-6]", tag)]
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(later <= earlier + 1 for earlier, later in itertools.pairwise(levels))

    def test_pictures_and_tables_can_be_read_aloud(self, rendered):
        count = rendered.page.tags.count
        assert count("svg") == count("figure") == count("figcaption") == count("desc") > 3
        assert [value for tag, name, value in rendered.page.attributes if (tag, name) == ("svg", "role")] == [
            "img"
        ] * count("svg")
        assert count("caption") == count("table") > 10
        assert len([name for tag, name, _ in rendered.page.attributes if (tag, name) == ("th", "scope")]) == count("th")

    def test_a_wide_table_scrolls_by_itself_and_by_keys(self, rendered):
        regions = [
            value for tag, name, value in rendered.page.attributes if (tag, name, value) == ("div", "class", "scroll")
        ]
        assert len(regions) == rendered.page.tags.count("table")
        assert rendered.page.tags.count("table") <= len(rendered.page.values("tabindex"))
        assert "width=device-width, initial-scale=1" in rendered.page.values("content")
        assert "@media print" in rendered.html

    def test_two_pages_of_one_run_are_equal(self, rendered):
        assert rendered.shown.render() == rendered.html


class TestNumbers:
    def test_every_check_of_the_gate(self, rendered):
        checks = GateDecision(rendered.run["decision"]).decision["checks"]
        assert len(checks) >= 5
        table = rendered.page.words.split("Gate: ")[1].split("Against a threshold, the estimate is")[0]
        for check in checks:
            result = "passed" if check["passed"] else "failed"
            estimate, bound = f"{check['estimate']:.4f}", f"{check['lower']:.4f}"
            assert re.search(
                f"{check['metric']} {result} [A-Z][a-z +]* {re.escape(check['slice'])} {estimate} {bound} [>≥≤] "
                f"{check['needed']:.4f}",
                table,
            ), check
        assert len(re.findall(r"(?:passed|failed) [A-Z][a-z +]* \S+ -?\d\.\d{4}", table)) == len(checks)

    def test_every_metric_of_every_scorer(self, rendered):
        metrics, words = rendered.evaluation.metrics, rendered.page.words
        prefixes = {"Model": "", "Popularity": "popularity_", "User mean + item mean": "mean_baseline_"}
        k = rendered.evaluation.metadata["config"]["k"]
        rows = {
            "ranking": [("auc", "log_loss", "brier", "calibration_error"), ("ndcg", "mrr", "recall")],
            "retrieval": [("ndcg", "recall_at_20", "mrr", "coverage", "novelty")],
        }[rendered.shown.view.task]
        found = 0
        for names in rows:
            for title, prefix in prefixes.items():
                keys = [f"{prefix}{name}" if prefix + name in metrics else f"{prefix}{name}_at_{k}" for name in names]
                if all(key in metrics for key in keys):
                    found += 1
                    assert f"{title} {' '.join(f'{metrics[key]:.4f}' for key in keys)}" in words
        assert found >= 2

    def test_slices(self, promoted):
        rows = promoted.evaluation.rows
        there = rows.slices["gender"] == "F"
        values = [
            roc_auc_score(rows.labels[there], rows.scores[name][there])
            for name in ("model", "mean_baseline", "production")
        ]
        numbers = " ".join(f"{value:.4f}" for value in values)
        assert f"gender F {there.sum()} {len(set(rows.units[there]))} {numbers}" in promoted.page.words

    def test_slices_of_queries(self, retrieval):
        rows = retrieval.evaluation.rows
        there = rows.slices["user"] == "new"
        values = [rows.values["ndcg_at_5", scorer][there].mean() for scorer in ("model", "popularity")]
        assert f"user new 40 40 {values[0]:.4f} {values[1]:.4f}" in retrieval.page.words

    def test_data_and_drift(self, rendered):
        found = Statistics(rendered.run["statistics"])
        assert found.rows == {"train": 2000, "valid": 200, "test": 200}
        share = sum(count for value, count in found.columns["rating_binary"].values.top if value == 1) / 20
        assert f"train 2,000 {share:.1f} % 2001-09-09 2001-09-09" in rendered.page.words
        assert "One error; the run was marked" in rendered.page.words
        assert "column 'age': the values changed since the previous run" in rendered.page.words
        assert "age: the median was 39 and is 59." in rendered.page.words  # the picture says so
        (drift,) = (one["distance"] for one in found.validation["drift"]["age"] if one["part"] == "values")
        assert f"{drift:.3f}" in [text for tag, text in rendered.page.text if tag == "b"]
        assert "occupation text 0.0 % 3 " in rendered.page.words

    def test_the_curves_of_the_training(self, rendered):
        assert "Over 2 epochs: train from 0.700 to 0.600, valid from 0.690 to 0.650." in rendered.page.words

    def test_settings_and_origin(self, rendered):
        dash = "\N{EN DASH}"
        for text in ("folds 5", f"fill {dash}", "top_layers 64, 32", "epochs 2", "resamples 200", "js_distance 0.1"):
            assert text in rendered.page.words
        assert f"evaluation {rendered.evaluation.fingerprint}" in rendered.page.words
        assert "numpy 1.2.3" in rendered.page.words
        assert "Model: films <tiny>" in rendered.page.words


class TestOutcome:
    def test_promoted(self, promoted):
        words = promoted.page.words
        assert "run report · films-42" in words
        assert "The model: promoted as 20260131T081500.250Z-1f0e4c22" in words
        checks = len(GateDecision(promoted.run["decision"]).decision["checks"])
        assert f"Gate: passed The model passed {checks} checks." in words
        assert f"went into production in {promoted.folder / 'registry'}." in words
        assert "largest absolute difference of scores 6e-08 rows compared 1,622 computed by a Triton server" in words
        assert "seen left out 12" in words
        assert "name films version in Triton 7 inputs userId, movieId" in words

    def test_the_schema_is_held_against_that_of_the_version_that_was_in_production(self, promoted):
        # Not against what is in production by now, which is this very schema.
        words = promoted.page.words
        live = promoted.evaluation.metadata["production"]
        assert f"In production at that time: {live}." in words
        changes = words.split(f"Difference from the schema of {live}, which was in production ")[1]
        assert changes.startswith(
            "Column What In production In this run movieId ids 30 41 genres column \N{EN DASH} new, int64 gone column"
            " present removed"
        )
        assert "In production" in words.split("Scored by")[1]

    def test_not_passed(self, failed):
        words = failed.page.words
        assert "The model: did not pass the gate" in words
        assert "Gate: not passed The model was not exported:" in words
        reasons = GateDecision(failed.run["decision"]).reasons
        assert len(reasons) > 2
        assert all(reason in words for reason in reasons)
        assert "There is no ensemble: only a model that passes the gate is exported." in words
        assert "No version was promoted: the model did not pass the gate." in words
        assert "There is no registry, and so no version to compare with." in words

    def test_passed_and_nothing_to_promote_it_to(self, retrieval):
        words = retrieval.page.words
        assert "Recommendations on made The model: passed the gate, not promoted" in words
        assert "No version was promoted: there is no registry." in words
        assert "search approximate, as for every catalogue of more than 1,000 items items 1,234" in words
        assert "share of the exact results 0.9700; the minimum is 0.9" in words

    def test_the_first_version(self, failed, tmp_path):
        write_page(failed.run, tmp_path / "page", registry=str(tmp_path / "registry"), model_name="films")
        words = Page((tmp_path / "page").read_text(encoding="utf-8")).words
        assert "Nothing was in production: this is the first version." in words


@pytest.mark.slow
def test_outside_text_is_escaped(tmp_path):
    """Names of columns, levels, data and runs, and everything that is told of them."""
    evaluation = write_ranking(tmp_path / "evaluation", gender=ATTACK, good=False)
    run = write_run(tmp_path, evaluation, RANKING, column(ATTACK, ATTACK))
    shown = write_page(run, tmp_path / "page", version=ATTACK, run_name=ATTACK)
    html = (tmp_path / "page").read_text(encoding="utf-8")
    page = Page(html)
    assert "<script" not in html
    assert not {"script", "img"} & set(page.tags)
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    # The run's name, the column and its tag, the level in the slices, in the checks and in a reason or more.
    assert page.words.count("<script>alert(1)</script>") >= 6
    assert f"run report · {ATTACK}" in page.words
    assert any(ATTACK in check["slice"] for check in shown.checks)
