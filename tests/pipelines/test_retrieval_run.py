"""The retrieval pipeline on a small log, through the command line, as a user runs it."""

import json

import pytest

from tests.pipelines.finished_run import FinishedRun

pytestmark = pytest.mark.slow


class TestPassed(FinishedRun):
    pipeline = "retrieval"

    @pytest.fixture
    def finished(self, retrieval_run):
        return retrieval_run


def test_the_table_has_the_metrics_of_retrieval(retrieval_run):
    metrics = json.loads((retrieval_run.out / "metrics.json").read_text())
    for title, name in (("NDCG@10", "ndcg_at_10"), ("Recall@50", "recall_at_50")):
        others = f"popularity {metrics[f'popularity_{name}']:.4f}, last item {metrics[f'last_item_{name}']:.4f}"
        assert retrieval_run.table[title] == f"{metrics[name]:.4f} ({others})"
    assert "in production" not in retrieval_run.table
