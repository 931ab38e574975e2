import re

from emrys.components.contracts.column_statistics import ColumnKind, ColumnStatistics, Numbers, Values
from emrys.components.reporting.facts import SplitFacts
from emrys.components.reporting.validation_page import ColumnReviewFacts, FindingFacts, ValidationPage, ValidationView
from tests.components.reporting.reading import Page

ATTACK = "<script>alert(1)</script>\"'><img src=x onerror=y>"


def drift(column, part, distance, limit=0.1):
    return {"column": column, "part": part, "measure": "js_distance", "distance": distance, "limit": limit}


def view(column, previous="ab12", **validation):
    """Statistics of one text column."""
    statistics = ColumnStatistics(
        column, "string", ColumnKind.TEXT, 8, 2, 0, 2, values=Values(6, 2, (("x", 4), ("y", 2)))
    )
    content = {
        "verdict": "marked",
        "previous": previous,
        "findings": [],
        "drift": {column: []},
        "test": {column: []},
        "alone": {},
        "configuration": {},
        **validation,
    }
    return ValidationView([statistics], content, {}, {"drift": "values that moved"})


def test_a_column():
    far = [drift("a", "values", 0.25), drift("a", "lengths", 0.05), drift("a", "nulls", 0.01)]
    shown = view("a", drift={"a": far}, test={"a": [drift("a", "nulls", 0.5)]}, alone={"a": 0.75})
    # Nulls are told where they moved alone; 4 of 6 values are x.
    assert shown.reviews == [
        ColumnReviewFacts(
            shown.columns[0],
            "x: 66.7\N{NO-BREAK SPACE}% · y: 33.3\N{NO-BREAK SPACE}%",
            [("0.250", True), ("0.050 (lengths)", False)],
            [("0.500 (nulls)", True)],
            0.75,
        )
    ]
    assert not shown.errors
    assert shown.has_previous


def test_statistics_of_numbers_and_nulls():
    numbers = Numbers(2, 1.0, 3.0, 2.0, 1.0, 0, {"50": 2.0}, (1.0, 3.0), (2,))
    times = Numbers(2, 0.0, 86_400.0, 43_200.0, 1.0, 0, {"50": 86_400.0}, (0.0, 86_400.0), (2,))
    columns = [
        ColumnStatistics("year", "double", ColumnKind.NUMBER, 2, 0, 0, 2, numbers=numbers),
        ColumnStatistics("timestamp", "int64", ColumnKind.TIME, 2, 0, 0, 2, numbers=times),
        ColumnStatistics("title", "string", ColumnKind.TEXT, 2, 2, 0, 0, values=Values(0, 0, ())),
    ]
    names = {column.name: [] for column in columns}
    shown = ValidationView(columns, {"drift": names, "test": names, "alone": {}}, {}, {})
    assert [review.values for review in shown.reviews] == [
        "1 to 3, median 2, mean 2",
        "1970-01-01 to 1970-01-02, median 1970-01-02",
        "nothing",
    ]


def test_findings_are_one_line_each():
    found = {"check": "drift", "severity": "error", "problem": "it moved", "column": "a", "expected": "b", "got": "c"}
    shown = view("a", findings=[found])
    assert shown.findings == [FindingFacts("drift", "error", "column 'a': it moved; expected b, got c")]
    assert shown.errors == 1


def test_a_column_cannot_break_out_of_the_page():
    found = {
        "check": "drift",
        "severity": "error",
        "problem": ATTACK,
        "column": ATTACK,
        "expected": ATTACK,
        "got": ATTACK,
    }
    shown = view(ATTACK, findings=[found], configuration={ATTACK: {ATTACK: [ATTACK]}})
    html = ValidationPage(shown, ATTACK, [SplitFacts(ATTACK, 1, 0.5, ATTACK, ATTACK)], {ATTACK: ATTACK}).render()
    page = Page(html)
    assert "<script" not in html
    assert not {"script", "img"} & set(page.tags)
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    assert len(re.findall(re.escape("<script>alert(1)</script>"), page.words)) >= 12


def test_without_a_previous_run():
    page = Page(ValidationPage(view("a", previous=None, verdict="passed"), "films", [], {}).render())
    assert "films: passed No errors." in page.words
    assert "There is no previous run to compare with." in page.words
