"""Tests shared by the runs of both pipelines whose model passes the gate."""

import json
import re
from pathlib import Path

from kfp import components

from emrys.components.contracts.evaluation import Evaluation
from emrys.components.contracts.gate_decision import GateDecision
from emrys.components.contracts.statistics import Statistics
from emrys.components.contracts.triton_repository import TritonRepository
from emrys.pipelines.local.outcome import artifacts_of
from emrys.pipelines.spec import pipeline_spec


class FinishedRun:
    """Tests of a run; a subclass sets `pipeline` and provides the run as the fixture `finished`."""

    pipeline = ""

    def test_it_succeeds(self, finished):
        assert finished.status == 0, "\n".join(finished.stderr_lines)

    def test_every_step_is_printed_with_its_time_and_the_log_goes_to_its_file(self, finished):
        steps = pipeline_spec(self.pipeline).steps
        ends = [
            match
            for line in finished.stderr_lines
            if (match := re.fullmatch(r"\[(\d+)/12\] (.+) done in [\d.]+ s", line))
        ]
        assert [match.groups() for match in ends] == [
            (str(place), step.replace("_", " ")) for place, step in enumerate(steps, start=1)
        ]
        assert "KFP Executor" not in "\n".join(finished.stderr_lines)
        assert "KFP Executor" in (finished.out / "run.log").read_text()

    def test_the_table_has_the_paths_of_the_results(self, finished):
        out, table = finished.out, finished.table
        metrics = json.loads((out / "metrics.json").read_text())
        assert table["rows"] == f"{metrics['train_rows']:,} train, {metrics['rows']:,} test"
        assert re.fullmatch(r"passed \d+ checks", table["gate"])
        assert Path(table["report"]) == out / "report.html"
        assert Path(table["pipeline"]) == out / f"{self.pipeline}.yaml"
        assert Path(table["Triton repository"]) == out / "triton"
        assert re.fullmatch(rf"(\S+/)?emrys serve {re.escape(str(out))}", table["serve it"])

    def test_the_results_in_the_table_exist_and_are_complete(self, finished):
        out, artifacts = finished.out, artifacts_of(finished.out)
        assert (out / "report.html").read_bytes() == artifacts["page"].read_bytes()
        assert json.loads((out / "metrics.json").read_text()) == Evaluation(artifacts["evaluation"]).metrics
        assert TritonRepository(out / "triton").name == "small"
        assert GateDecision(artifacts["decision"]).passed
        assert Statistics(artifacts["statistics"]).verdict == "passed"
        assert components.load_component_from_text((out / f"{self.pipeline}.yaml").read_text()).name == self.pipeline
