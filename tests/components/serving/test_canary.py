"""Comparison of two served ensembles on the same rows."""

from __future__ import annotations

import contextlib
import json
import math

import numpy as np
import pytest

from emrys.blocks.errors import DataError, ParityError
from emrys.components.serving.canary import Comparison, main
from emrys.components.serving.recommendation import Recommendation
from emrys.components.serving.server import choose_port
from tests.components.serving.small_ensemble import ROWS

LIMITS = ["--max-mean-difference=0.05", "--min-rank-correlation=0.9"]


def test_numbers_by_hand():
    comparison = Comparison.of(np.array([0.1, 0.2, 0.3, 0.4]), np.array([0.2, 0.1, 0.3, 0.5]))
    # Differences 0.1, -0.1, 0, 0.1; ranks 1 2 3 4 and 2 1 3 4: 1 - 6 (1 + 1) / (4 (16 - 1)) = 0.8.
    assert comparison.rows == 4
    assert comparison.mean_difference == pytest.approx(0.075)
    assert comparison.max_difference == pytest.approx(0.1)
    assert comparison.mean_shift == pytest.approx(0.025)
    assert comparison.rank_correlation == pytest.approx(0.8)


def test_limits():
    comparison = Comparison.of(np.array([0.1, 0.2, 0.3, 0.4]), np.array([0.2, 0.1, 0.3, 0.5]))
    comparison.check(0.075001, 0.799999)
    with pytest.raises(ParityError) as caught:
        comparison.check(0.07, 0.5)
    for fact in ("candidate", "mean difference of at most 0.07, got 0.075", "compare.maxMeanDifference"):
        assert fact in str(caught.value)
    with pytest.raises(ParityError, match=r"rank correlation of at least 0.9, got 0.8.*compare.minRankCorrelation"):
        comparison.check(0.1, 0.9)


def test_a_comparison_without_a_result_fails():
    same = Comparison.of(np.array([0.5, 0.5]), np.array([0.5, 0.5]))
    assert math.isnan(same.rank_correlation)
    with pytest.raises(ParityError, match="got nan"):
        same.check(1.0, -1.0)
    with pytest.raises(ParityError, match="got nan"):
        Comparison.of(np.array([0.5, 0.6]), np.array([math.nan, 0.5])).check(1.0, -1.0)
    with pytest.raises(DataError, match="no rows"):
        Comparison.of(np.array([]), np.array([]))


def test_recommended_items_by_hand():
    stable = [[Recommendation(1, 0.9), Recommendation(2, 0.5)], [Recommendation(3, 0.4), Recommendation(4, 0.2)]]
    candidate = [[Recommendation(2, 0.8), Recommendation(1, 0.7)], [Recommendation(4, 0.2), Recommendation(9, 0.1)]]
    comparison = Comparison.of_recommended(stable, candidate)
    # In common are 1, 2 and 4: 0.9 0.5 0.2 beside 0.7 0.8 0.2. Differences -0.2, 0.3, 0; ranks 3 2 1 and 2 3 1:
    # 1 - 6 (1 + 1) / (3 (9 - 1)) = 0.5. Both items of the first row and one of two in the second: 0.75.
    assert (comparison.rows, comparison.overlap) == (2, 0.75)
    assert comparison.mean_difference == pytest.approx(0.5 / 3)
    assert comparison.max_difference == pytest.approx(0.3)
    assert comparison.mean_shift == pytest.approx(0.1 / 3)
    assert comparison.rank_correlation == pytest.approx(0.5)
    with pytest.raises(DataError, match="no item in common; got 1 rows"):
        Comparison.of_recommended(stable[:1], [[Recommendation(7, 0.1)]])
    with pytest.raises(DataError, match="no rows"):
        Comparison.of_recommended([], [])


@pytest.mark.slow
def test_the_command_on_a_real_server(server, tmp_path, capsys):
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    assert main([server.grpc_url, server.grpc_url, f"--rows={rows}", *LIMITS]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "rows": len(ROWS),
        "mean_difference": 0.0,
        "max_difference": 0.0,
        "mean_shift": 0.0,
        "rank_correlation": pytest.approx(1.0),
    }


@pytest.mark.slow
def test_a_release_that_does_not_answer_fails(server, tmp_path, capsys):
    rows = tmp_path / "rows.json"
    rows.write_text(json.dumps(ROWS), encoding="utf-8")
    with contextlib.ExitStack() as held:
        unused = f"127.0.0.1:{choose_port('127.0.0.1', 0, held)}"
    assert main([server.grpc_url, unused, f"--rows={rows}", *LIMITS]) == 1
    assert f"compare: {unused}: " in capsys.readouterr().err


def test_rows_that_cannot_be_read(tmp_path, capsys):
    rows = tmp_path / "rows.jsonl"
    assert main(["a:1", "b:1", f"--rows={rows}", *LIMITS]) == 2
    assert "rows.jsonl: " in capsys.readouterr().err
    rows.write_text("{not json}\n", encoding="utf-8")
    assert main(["a:1", "b:1", f"--rows={rows}", *LIMITS]) == 2
    assert "not a file of rows" in capsys.readouterr().err


def test_of_several_outputs_the_one_that_differs_most_counts():
    stable = {"buy": np.array([0.1, 0.2, 0.3]), "stars": np.array([[0.2, 0.8], [0.5, 0.5], [0.7, 0.3]])}
    candidate = {"buy": np.array([0.1, 0.2, 0.4]), "stars": np.array([[0.8, 0.2], [0.5, 0.5], [0.7, 0.3]])}
    compared = Comparison.of_outputs(stable, candidate)
    # The first class differs by 0.6 in one of three rows. Its ranks were 1, 2, 3 and are 3, 1, 2: 1 - 6 · 6 / 24.
    assert compared.max_difference == pytest.approx(0.6)
    assert (compared.mean_difference, compared.mean_shift) == (pytest.approx(0.2), pytest.approx(0.2))
    assert compared.rank_correlation == pytest.approx(-0.5)
    assert compared.rows == 3
