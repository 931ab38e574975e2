"""The summary of a run: results in its output folder, and the table printed at the end."""

from __future__ import annotations

import dataclasses
import os
import re
import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Self

from emrys.blocks.io import atomic_directory, atomic_file
from emrys.components.contracts.evaluation import Evaluation
from emrys.components.contracts.gate_decision import GateDecision
from emrys.components.contracts.statistics import Statistics
from emrys.pipelines.local.outcome import Outcome
from emrys.pipelines.local.run_request import RunRequest


@dataclasses.dataclass(frozen=True)
class RunSummary:
    """A finished run.

    Args:
        request: The request for the run.
        metrics: The metrics of the evaluation, by name.
        anomalies: Errors that validate reported in a run that continued.
        reasons: Reasons why the model did not pass the gate; empty if it passed.
        checks: Number of checks of the gate.
        version: The promoted version; empty for none.
        seconds: Duration of the run; None if unknown.
    """

    request: RunRequest
    metrics: dict[str, float]
    anomalies: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    checks: int = 0
    version: str = ""
    seconds: float | None = None

    @property
    def passed(self) -> bool:
        """Whether the model passed the gate, and was exported."""
        return not self.reasons

    @property
    def report(self) -> Path:
        """The HTML report of the whole run."""
        return self.request.output / "report.html"

    @property
    def repository(self) -> Path:
        """The Triton model repository; it exists only if the gate passed."""
        return self.request.output / "triton"

    @classmethod
    def publish(cls, request: RunRequest, seconds: float | None = None) -> Self:
        """Copies the results of a run to its output folder: report, metrics and Triton repository.

        They replace those of an earlier run. If this run has no repository, an earlier one is removed, so that the
        folder describes a single run.

        Args:
            request: The finished run.
            seconds: Duration of the run.

        Raises:
            ArtifactError: if an artifact is missing or damaged.
        """
        outcome = Outcome.of(request.output)
        paths = outcome.paths
        evaluation, decision = Evaluation(paths["evaluation"]), GateDecision(paths["decision"])
        summary = cls(
            request,
            evaluation.metrics,
            anomalies=_anomalies(Statistics(paths["statistics"])),
            reasons=tuple(decision.reasons),
            checks=len(decision.decision["checks"]),
            version=outcome.version,
            seconds=seconds,
        )
        for source, target in (
            (paths["page"], summary.report),
            (evaluation.path / "metrics.json", request.output / "metrics.json"),
        ):
            with atomic_file(target) as work:
                shutil.copyfile(source, work)
        request.validation.unlink(missing_ok=True)  # of an earlier run that validate stopped
        if summary.passed:
            with atomic_directory(summary.repository) as folder:
                shutil.copytree(paths["repository"], folder, dirs_exist_ok=True)
        else:
            shutil.rmtree(summary.repository, ignore_errors=True)
        return summary

    def rows(self) -> Iterator[tuple[str, str]]:
        """The rows of the table at the end of a run: name and value."""
        yield from score_rows(self.request.pipeline, self.metrics)
        if self.anomalies:
            yield "data", f"failed validation: {_first(self.anomalies)}"
        yield (
            "gate",
            f"passed {self.checks} check{'s' * (self.checks != 1)}"
            if self.passed
            else f"not passed: {_first(self.reasons)}",
        )
        if self.version:
            yield "in production", self.version
        if self.seconds is not None:
            yield "time", f"{self.seconds:.0f} s"
        yield "report", str(self.report)
        yield "pipeline", str(self.request.compiled)
        if self.passed:
            yield "Triton repository", str(self.repository)
            yield "serve it", f"{command_name()} serve {shlex.quote(str(self.request.output))}"


def _anomalies(statistics: Statistics) -> tuple[str, ...]:
    """Formats the findings of severity `error`, which stop a run unless `on_anomaly` is `mark`."""
    return tuple(
        f"{finding['check']}{' in ' + repr(finding['column']) if finding['column'] else ''}: {finding['problem']}"
        for finding in statistics.findings
        if finding["severity"] == "error"
    )


def _first(texts: tuple[str, ...]) -> str:
    return texts[0] + (f" (and {len(texts) - 1} more in the report)" if len(texts) > 1 else "")


Rows = Iterator[tuple[str, str]]

#: Metrics of a ranking model that are printed, with their titles, and the scorers that are printed beside them.
_SCORES = {"auc": "AUC", "rmse": "RMSE", "mae": "MAE", "accuracy": "accuracy", "log_loss": "log loss"}
_MEANS = {"mean_baseline": "user mean + item mean"}
_BASELINES: Mapping[str, Mapping[str, str]] = {
    "auc": {**_MEANS, "best": "best reachable"},
    "rmse": {**_MEANS, "constant": "constant"},
    "mae": {**_MEANS, "constant": "constant"},
    "accuracy": {"constant": "most frequent class"},
    "log_loss": {"mean_baseline": "means", "constant": "constant"},
}
_TITLES = {"ndcg": "NDCG", "recall": "Recall", "mrr": "MRR", "coverage": "coverage"}


def score_rows(pipeline: str, metrics: Mapping[str, float]) -> Rows:
    """Formats the metrics of a pipeline's model: name, and value with the values of the baselines.

    Args:
        pipeline: Name of the pipeline.
        metrics: Metrics of the evaluation, by name.
    """
    # Of several targets, each counts the rows of its sample space.
    train, test = (
        max((value for key, value in metrics.items() if key.rpartition("/")[2] == name), default=0.0)
        for name in ("train_rows", "rows")
    )
    yield "rows", f"{train:,.0f} train, {test:,.0f} test"
    yield from _retrieval(metrics) if pipeline == "retrieval" else _ranking(metrics)


def _ranking(metrics: Mapping[str, float]) -> Rows:
    share = metrics.get("share_of_best_auc")
    for metric, title in _SCORES.items():
        for name in sorted(name for name in metrics if name == metric or name.endswith(f"/{metric}")):
            target = name.removesuffix(metric)
            beside = [
                _number(metrics.get(f"{target}{scorer}_{metric}"), text) for scorer, text in _BASELINES[metric].items()
            ]
            if name == "auc":
                beside.append(None if share is None else f"{share:.0%} of the way from 0.5")
            production = _number(metrics.get(f"{target}production_{metric}"), "in production")
            yield f"{target.rstrip('/')} {title}".strip(), _joined(_number(metrics[name]), *beside, production)
    yield from _lists(metrics, ("ndcg",), {"popularity": "popularity", "production": "in production"})


def _retrieval(metrics: Mapping[str, float]) -> Rows:
    yield "queries", f"{metrics.get('queries', 0):,.0f}, over {metrics.get('items', 0):,.0f} items"
    others = {"popularity": "popularity", "last_item": "last item", "production": "in production"}
    yield from _lists(metrics, ("ndcg", "recall", "coverage"), others)


def _lists(metrics: Mapping[str, float], kinds: tuple[str, ...], others: Mapping[str, str]) -> Rows:
    """Formats ranking metrics: names end in the cutoff, and those of other scorers begin with the scorer."""
    for kind in kinds:
        for name in sorted(name for name in metrics if re.fullmatch(rf"{kind}_at_\d+", name)):
            beside = [_number(metrics.get(f"{scorer}_{name}"), title) for scorer, title in others.items()]
            yield f"{_TITLES[kind]}@{name.rpartition('_')[2]}", _joined(_number(metrics[name]), *beside)


def _number(value: float | None, name: str | None = None) -> str | None:
    if value is None:
        return None
    return f"{value:.4f}" if name is None else f"{name} {value:.4f}"


def _joined(*parts: str | None) -> str:
    first, *rest = [part for part in parts if part] or ["-"]
    return f"{first} ({', '.join(rest)})" if rest else first


def command_name() -> str:
    """Returns `emrys`, or its path if the shell would not find it, as when `make demo` runs it from `.venv/bin`."""
    own = Path(sys.executable).with_name("emrys")
    on_path = shutil.which("emrys")
    if not own.is_file() or (on_path is not None and Path(on_path).samefile(own)):
        return "emrys"
    return shlex.quote(os.path.relpath(own) if own.is_relative_to(Path.cwd()) else str(own))
