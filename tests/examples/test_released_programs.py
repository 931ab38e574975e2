"""`benchmarks/released_programs.py`: the programs as they are written for Merlin, their figures, and the comparison."""

from __future__ import annotations

import ast

import pytest

from benchmarks.released_programs import (
    FOLDER,
    PROGRAMS,
    SUBSTITUTIONS,
    figures,
    merlin_text,
    reached,
    table,
    without_checks,
)


@pytest.mark.parametrize("name", PROGRAMS)
def test_program_for_merlin(name):
    text = merlin_text(name, (FOLDER / f"{name}.py").read_text(encoding="utf-8"))
    names = [alias.name for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Import) for alias in node.names]
    assert "merlin.models.tf" in names
    assert "emrys.blocks" not in names
    assert not any(each.ours in text for each in SUBSTITUTIONS.get(name, []))
    assert not any(isinstance(node, ast.Assert) for node in ast.walk(ast.parse(without_checks(text))))


def test_substitution_of_a_text_that_is_not_there():
    with pytest.raises(SystemExit, match=r"ranking_models\.py does not hold 'mm.NCFModel\('"):
        merlin_text("ranking_models", "import emrys.blocks as mm\n")


def test_a_program_without_its_checks():
    text = "a = 1\nfor b in (a, 2):\n    assert (\n        b\n    ), a\nnp.testing.assert_equal(\n    a, 1)\nprint(a)\n"
    assert without_checks(text) == "a = 1\nfor b in (a, 2):\n    pass\n\n\npass\n\nprint(a)\n"


def test_figures_of_an_output():
    output = "GPT-2, recall at 4: 0.9062\nepoch 1/3: loss: 0.5\nfirst generation, loss: 3.3485\nrows: 12\n"
    assert figures(output) == {"GPT-2, recall at 4": 0.9062, "first generation, loss": 3.3485}


def test_reached():
    # Merlin's values spread by 0.02: a mean of 0.88 is behind 0.9 by as much, one of 0.87 by more
    assert reached("auc", [0.88, 0.88], [0.89, 0.91])
    assert not reached("auc", [0.87, 0.87], [0.89, 0.91])
    assert reached("auc", [0.95, 0.95], [0.9, 0.9])
    # of an error, less is better
    assert reached("watch time, rmse", [0.5, 0.5], [0.9, 0.9])
    assert not reached("watch time, rmse", [0.9, 0.9], [0.5, 0.52])


def test_table():
    results = {
        "emrys dlrm 1": {"auc": 0.5}, "emrys dlrm 2": {"auc": 0.7},
        "merlin dlrm 1": {"auc": 0.9}, "merlin dlrm 2": {"auc": 0.9},
        "emrys two_tower 1": {"recall": 0.5}, "merlin two_tower 1": "ValueError: no",
    }  # fmt: skip
    assert table(results, ["dlrm", "two_tower"], [1, 2]).splitlines()[2:] == [
        "| dlrm | auc | 0.600 (0.500 to 0.700) | 0.900 (0.900 to 0.900) | no |",
        "| two_tower | recall | 0.500 (one seed) | `ValueError: no` |  |",
    ]
