import copy
import dataclasses
import re
from typing import NamedTuple

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from emrys.components.contracts.evaluation import EvaluationResult
from emrys.components.contracts.measured_rows import MeasuredRows
from emrys.components.evaluate.config import EvaluateConfig
from emrys.components.evaluate.interactions import Interactions
from emrys.components.evaluate.scorecard import Scorecard, evaluate_scores
from emrys.components.reporting.evaluation_page import EvaluationPage
from emrys.components.reporting.evaluation_view import RankingView
from emrys.components.reporting.facts import ColumnFacts, SplitFacts
from tests.components.evaluate.plans import plan
from tests.components.reporting.reading import Page

DASH = "\N{EN DASH}"
ATTACK = "<script>alert(1)</script>\"'><img src=x onerror=y>"


class Shown(NamedTuple):
    """A page, and what it was made of."""

    card: Scorecard
    rows: MeasuredRows
    page: EvaluationPage


@pytest.fixture(scope="module")
def shown():
    random = np.random.default_rng(0)

    def draw(count):
        users, items = random.integers(0, 20, count), random.integers(0, 30, count)
        return Interactions(users, items, (random.random(count) < 0.3 + items / 60).astype(float))

    train, test = draw(600), draw(300)
    config = EvaluateConfig(bins=5)
    slices = {"gender": np.array(["F", "M"], object)[test.users % 2]}
    card = evaluate_scores(0.3 + test.items / 60, test, train, config, plan(config), best_auc=0.75, slices=slices)
    metadata = {"target": "rating_binary", "config": dataclasses.asdict(config)}
    view = RankingView(EvaluationResult(card.metrics, card.curves, card.rows), metadata)
    page = EvaluationPage(
        step="evaluate",
        view=view,
        dataset="synthetic",
        splits=[SplitFacts("train", 12_345, 0.5, "1997-09-20", "1998-03-01"), SplitFacts("test", 300, 0.5, None, None)],
        columns=[ColumnFacts("genres", "list of int64", 22, ("categorical", "item"))],
        data={"split": "time"},
        history=[{"epoch": 0, "loss": 0.69, "auc": 0.5, "val_loss": 0.68}, {"epoch": 1, "loss": 0.61, "auc": 0.6}],
        summary="Model: dlrm ━━━",
        fingerprints={"splits": "ab12"},
        versions={"python": "3.11.7"},
    )
    return Shown(card, card.rows, page)


@pytest.fixture(scope="module")
def html(shown):
    return shown.page.render()


@pytest.fixture(scope="module")
def page(html):
    return Page(html)


def test_it_is_well_formed_and_its_ids_are_unique(html, page):
    assert html.startswith("<!DOCTYPE html>")
    ids = page.values("id")
    assert len(ids) == len(set(ids)) > 50
    # What figures point at is there.
    used = [value[1:] for value in page.values("href") if value.startswith("#")] + re.findall(r"url\(#([^)]*)\)", html)
    assert len(used) > 20
    assert set(used) <= set(ids)
    assert {name for value in page.values("aria-labelledby") for name in value.split()} <= set(ids)


def test_it_needs_nothing_from_elsewhere(html, page):
    assert not re.search(r"https?:|//[a-z]|@import", html)
    assert not {"script", "img", "iframe", "object", "form"} & set(page.tags)
    assert all(value.startswith("#") or value == "data:," for value in page.values("href"))
    assert page.values("src") == []
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]


def test_it_says_what_was_measured(shown, page):
    metrics = shown.card.metrics
    assert f"reaches an AUC of {metrics['auc']:.4f}" in page.words
    assert f"above the baseline of user and item means ({metrics['mean_baseline_auc']:.4f})" in page.words
    assert f"the model covers {100 * (metrics['auc'] - 0.5) / 0.25:.1f} % of the" in page.words
    names = {"": "Model", "mean_baseline_": "User mean + item mean", "popularity_": "Popularity"}
    for prefix, name in names.items():
        values = " ".join(f"{metrics[f'{prefix}{metric}_at_10']:.4f}" for metric in ("ndcg", "mrr", "recall"))
        assert f"{name} {values} {metrics[f'{prefix}auc_by_user']:.4f}" in page.words
    assert f"Popularity {metrics['popularity_auc']:.4f} {DASH} {DASH} {DASH} {DASH}" in page.words
    assert "train 12,345 50.0 % 1997-09-20 1998-03-01" in page.words
    assert f"test 300 50.0 % {DASH} {DASH}" in page.words
    assert "genres list of int64 22 categorical item" in page.words
    assert "Model: dlrm ━━━" in page.words
    assert "python 3.11.7" in page.words


def test_the_leading_row_is_bold(shown, page):
    bold = [text for tag, text in page.text if tag == "b"]
    metrics, scorers = shown.card.metrics, ("", "mean_baseline_", "constant_")
    assert f"{max(metrics[f'{scorer}auc'] for scorer in (*scorers, 'popularity_')):.4f}" in bold
    assert f"{min(metrics[f'{scorer}log_loss'] for scorer in scorers):.4f}" in bold


def test_figures_and_tables_can_be_read_aloud(page):
    assert page.tags.count("svg") == page.tags.count("figure") == page.tags.count("figcaption") == 6
    assert page.tags.count("desc") == 6
    named = [value for tag, name, value in page.attributes if (tag, name) == ("svg", "role")]
    assert named == ["img"] * 6
    assert page.tags.count("caption") == page.tags.count("table")
    assert len([name for tag, name, _ in page.attributes if (tag, name) == ("th", "scope")]) == page.tags.count("th")
    assert "Over 2 epochs: train from 0.690 to 0.610, valid from 0.680 to 0.680." in page.words


def test_phones_paper_and_the_dark(html, page):
    assert "width=device-width, initial-scale=1" in page.values("content")
    assert "@media print" in html
    assert "@media (prefers-color-scheme: dark)" in html
    assert "#040404" not in html  # colours to draw with have become those of the page
    assert "stroke: var(--model)" in html


def test_without_history_there_are_no_training_curves(shown):
    page = Page(dataclasses.replace(shown.page, history=[]).render())
    assert page.tags.count("figure") == 4
    assert "Training" not in page.words


def test_slices_are_measured_by_themselves(shown, page):
    # By another way: the AUC of the rows of one level alone.
    rows = shown.rows
    there = rows.slices["gender"] == "F"
    values = [roc_auc_score(rows.labels[there], rows.scores[name][there]) for name in ("model", "mean_baseline")]
    users = len(set(rows.units[there]))
    assert f"gender F {there.sum()} {users} {values[0]:.4f} {values[1]:.4f}" in page.words
    # user, item, gender F and M
    assert re.search(
        r"Lift in AUC over User mean \+ item mean in 4 slices; in \d of them the model is behind", page.words
    )


def _with(shown, unit="user", slices=None):
    """The page with another unit of the bootstrap, or other slices."""
    rows = dataclasses.replace(shown.rows, slices=slices or shown.rows.slices)
    metadata = {**shown.page.view.metadata, "unit": unit}
    view = RankingView(EvaluationResult(shown.card.metrics, shown.card.curves, rows), metadata)
    return dataclasses.replace(shown.page, view=view).render()


@pytest.mark.slow
def test_slices_count_users_or_sessions_where_there_are_any(shown):
    words = {unit: Page(_with(shown, unit)).words for unit in ("user", "session", "row")}
    assert "Slice Rows Users Model" in words["user"]
    assert "Slice Rows Sessions Model" in words["session"]
    assert "Slice Rows Model" in words["row"]
    there = shown.rows.slices["gender"] == "F"
    assert (
        f"gender F {there.sum()} {roc_auc_score(shown.rows.labels[there], shown.rows.scores['model'][there]):.4f}"
        in (words["row"])
    )


@pytest.mark.slow
@pytest.mark.parametrize(("levels", "folded"), [(30, False), (31, True)])
def test_many_slices_are_folded_away(shown, levels, folded):
    # 300 rows: of each level nine or ten, with both classes
    level = np.array([f"level {number % levels}" for number in range(len(shown.rows.labels))], object)
    html = _with(shown, slices={"section": level})
    assert Page(html).words.count("section level") >= levels
    assert (f"<summary>AUC in all {levels} slices</summary>" in html) is folded


@pytest.mark.slow
def test_data_cannot_break_out(shown):
    view = copy.copy(shown.page.view)
    view.target = ATTACK
    bad = dataclasses.replace(
        shown.page,
        view=view,
        dataset=ATTACK,
        splits=[SplitFacts(ATTACK, 1, 0.5, ATTACK, ATTACK)],
        columns=[ColumnFacts(ATTACK, ATTACK, 1, (ATTACK,))],
        data={ATTACK: ATTACK},
        summary=ATTACK,
        fingerprints={ATTACK: ATTACK},
        versions={ATTACK: ATTACK},
    )
    html = bad.render()
    page = Page(html)
    assert "<script" not in html
    assert not {"script", "img"} & set(page.tags)
    assert page.words.count("<script>alert(1)</script>") == 16


@pytest.mark.slow
def test_equal_content_gives_equal_bytes(shown, html):
    assert shown.page.render() == html
