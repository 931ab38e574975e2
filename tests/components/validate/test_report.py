import re

import pytest

from tests.components.reporting.reading import Page
from tests.components.validate.logs import log, validate

ATTACK = "<script>alert(1)</script>\"'><img src=x onerror=y>$x$\x01"


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Statistics of a run in which a number, a text, a list and nulls drifted, and of the run before."""
    folder = tmp_path_factory.mktemp("runs")
    before = validate(folder)
    genres = [[ATTACK]] * 1500 + log()["genres"].to_pylist()[1500:]
    ages = [age + 20 for age in log()["age"].to_pylist()]
    zipcodes = [None] * 800 + log()["zipcode"].to_pylist()[800:]
    train = log(genres=genres, age=ages, zipcode=zipcodes, occupation=["artist"] * 2000)
    return before, validate(folder, "after", previous="run", train=train, config={"on_anomaly": "mark"})


@pytest.fixture(scope="module")
def html(runs):
    return runs[1].report.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(html):
    return Page(html)


def test_it_is_well_formed_and_its_ids_are_unique(html, page):
    assert html.startswith("<!DOCTYPE html>")
    ids = page.values("id")
    assert len(ids) == len(set(ids)) > 50
    used = [value[1:] for value in page.values("href") if value.startswith("#")] + re.findall(r"url\(#([^)]*)\)", html)
    assert set(used) <= set(ids)


def test_it_needs_nothing_from_elsewhere_and_data_cannot_break_out(html, page):
    assert not re.search(r"https?:|//[a-z]|@import", html)
    assert not {"script", "img", "iframe", "object", "form"} & set(page.tags)
    assert all(value.startswith("#") or value == "data:," for value in page.values("href"))
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    assert "<script>alert(1)</script>" in page.words


def test_it_says_what_was_found(page):
    assert "made: marked 4 errors" in page.words
    assert "column 'age': the values changed since the previous run" in page.words
    assert "median from 39 to 59" in page.words
    assert "error · drift: a distribution that differs from the previous run" in page.words
    assert "warning · constant: a column with a single value" in page.words
    assert "There is no previous run" not in page.words


def test_each_drifted_column_has_a_picture(runs, page):
    assert set(runs[1].plots) == {"genres", "age", "zipcode", "occupation"}
    assert page.tags.count("svg") == page.tags.count("figure") == page.tags.count("desc") == 4
    assert "age: the median was 39 and is 59." in page.words
    assert "Rows without zipcode went from 0.0 to 40.0 %." in page.words
    assert re.search(r"The share of artist among the values of occupation went from 3\d\.\d to 100\.0 %\.", page.words)
    assert "stroke: var(--model)" in runs[1].plots["age"]


def test_distances_beyond_their_limit_are_bold(page):
    bold = [text for tag, text in page.text if tag == "b"]
    assert "0.750" in bold  # 1,500 of 2,000 genres are new
    assert "0.400 (nulls)" in bold


def test_values_of_the_columns(page):
    assert "occupation text 0.0 % 1 artist: 100.0 %" in page.words
    assert "timestamp time 0.0 % 2,000 2001-09-09 to 2001-09-09, median 2001-09-09" in page.words
    assert "train 2,000" in page.words
    assert "on_anomaly mark" in page.words


def test_phones_paper_and_the_dark(html, page):
    assert "width=device-width, initial-scale=1" in page.values("content")
    assert "@media print" in html
    assert "@media (prefers-color-scheme: dark)" in html
    assert page.tags.count("caption") == page.tags.count("table")


def test_a_page_without_findings(runs):
    page = Page(runs[0].report.read_text(encoding="utf-8"))
    assert "made: passed No errors." in page.words
    assert "There is no previous run to compare with." in page.words
    assert not {"svg", "li"} & set(page.tags)


def test_lengths_of_lists_are_drawn(tmp_path):
    validate(tmp_path)
    longer = [one * 6 for one in log()["genres"].to_pylist()]
    found = validate(tmp_path, "after", previous="run", train=log(genres=longer), config={"on_anomaly": "mark"})
    assert "Length of genres: the median was 1 and is 6." in found.plots["genres"]


def test_two_pages_of_one_run_are_equal(runs, tmp_path):
    again = validate(tmp_path)
    assert again.report.read_bytes() == runs[0].report.read_bytes()
