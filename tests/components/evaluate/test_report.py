import dataclasses
import re

import numpy as np
import pytest

from components.evaluate.config import EvaluateConfig
from components.evaluate.facts import ColumnFacts, SplitFacts
from components.evaluate.interactions import Interactions
from components.evaluate.report import Report
from components.evaluate.scorecard import evaluate_scores
from tests.components.evaluate.pages import Page

DASH = "\N{EN DASH}"
ATTACK = "<script>alert(1)</script>\"'><img src=x onerror=y>"


@pytest.fixture(scope="module")
def report():
    random = np.random.default_rng(0)

    def draw(count):
        users, items = random.integers(0, 20, count), random.integers(0, 30, count)
        return Interactions(users, items, (random.random(count) < 0.3 + items / 60).astype(float))

    train, test = draw(600), draw(300)
    card = evaluate_scores(0.3 + test.items / 60, test, train, EvaluateConfig(bins=5), best_auc=0.75)
    return Report(
        card=card,
        target="rating_binary",
        dataset="synthetic",
        splits=[SplitFacts("train", 12_345, 0.5, "1997-09-20", "1998-03-01"), SplitFacts("test", 300, 0.5, None, None)],
        columns=[ColumnFacts("genres", "list of int64", 22, ("categorical", "item"))],
        data={"split": "time"},
        history=[{"epoch": 0, "loss": 0.69, "auc": 0.5, "val_loss": 0.68}, {"epoch": 1, "loss": 0.61, "auc": 0.6}],
        summary="Model: dlrm ━━━",
        fingerprints={"splits": "ab12"},
        versions={"python": "3.11.7"},
    )


@pytest.fixture(scope="module")
def html(report):
    return report.render()


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


def test_it_says_what_was_measured(report, page):
    model, means = report.card.model, report.card.baselines[0]
    assert f"reaches an AUC of {model.auc:.4f}" in page.words
    assert f"above the baseline of user and item means ({means.auc:.4f})" in page.words
    assert f"the model went {100 * (model.auc - 0.5) / 0.25:.1f} % of the way" in page.words
    for row in (model, *report.card.baselines):
        assert f"{row.name} {row.ranking.ndcg:.4f} {row.ranking.mrr:.4f} {row.ranking.recall:.4f}" in page.words
    assert f"Popularity {report.card.baselines[1].auc:.4f} {DASH} {DASH} {DASH}" in page.words
    assert "train 12,345 50.0 % 1997-09-20 1998-03-01" in page.words
    assert f"test 300 50.0 % {DASH} {DASH}" in page.words
    assert "genres list of int64 22 categorical item" in page.words
    assert "Model: dlrm ━━━" in page.words
    assert "python 3.11.7" in page.words


def test_the_leading_row_is_bold(report, page):
    bold = [text for tag, text in page.text if tag == "b"]
    cards = (report.card.model, *report.card.baselines)
    assert f"{max(card.auc for card in cards):.4f}" in bold
    assert f"{min(card.log_loss for card in cards if card.log_loss):.4f}" in bold


def test_figures_and_tables_can_be_read_aloud(page):
    assert page.tags.count("svg") == page.tags.count("figure") == page.tags.count("figcaption") == 5
    assert page.tags.count("desc") == 5
    named = [value for tag, name, value in page.attributes if (tag, name) == ("svg", "role")]
    assert named == ["img"] * 5
    assert page.tags.count("caption") == page.tags.count("table")
    assert len([name for tag, name, _ in page.attributes if (tag, name) == ("th", "scope")]) == page.tags.count("th")
    assert "Over 2 epochs: train from 0.690 to 0.610, valid from 0.680 to 0.680." in page.words


def test_phones_paper_and_the_dark(html, page):
    assert "width=device-width, initial-scale=1" in page.values("content")
    assert "@media print" in html
    assert "@media (prefers-color-scheme: dark)" in html
    assert "#040404" not in html  # colours to draw with have become those of the page
    assert "stroke: var(--model)" in html


def test_without_history_there_are_no_training_curves(report):
    page = Page(dataclasses.replace(report, history=[]).render())
    assert page.tags.count("figure") == 3
    assert "Training" not in page.words


def test_data_cannot_break_out(report):
    bad = dataclasses.replace(
        report,
        target=ATTACK,
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


def test_equal_content_gives_equal_bytes(report, html):
    assert report.render() == html
