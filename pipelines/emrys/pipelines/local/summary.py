"""What a run came to: its lasting files, and the table at its end."""

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
from emrys.pipelines.local.outcome import Outcome, artifacts_of
from emrys.pipelines.local.run_request import RunRequest

__all__ = ["RunSummary", "artifacts_of"]


@dataclasses.dataclass(frozen=True)
class RunSummary:
    """A finished run.

    Args:
        request: What was asked for.
        metrics: The metrics of the evaluation, by name.
        wrong: What was found wrong with the data of a run that went on all the same.
        reasons: Why the model did not pass the gate; empty where it did.
        checks: How many checks the gate made.
        version: The version that was promoted; empty for none.
        seconds: How long the run took; None where that is not known.
    """

    request: RunRequest
    metrics: dict[str, float]
    wrong: tuple[str, ...] = ()
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
        """The Triton model repository; there is one only where the gate passed."""
        return self.request.output / "triton"

    @classmethod
    def publish(cls, request: RunRequest, seconds: float | None = None) -> Self:
        """Gives the results of a run lasting places in its output folder: report, metrics and Triton repository.

        What an earlier run has left there goes, the repository also where this run has none: the folder is about one
        run.

        Args:
            request: The run, finished.
            seconds: How long it took.

        Raises:
            ArtifactError: if an artifact is missing or damaged.
        """
        outcome = Outcome.of(request.output)
        paths = outcome.paths
        evaluation, decision = Evaluation(paths["evaluation"]), GateDecision(paths["decision"])
        summary = cls(
            request,
            evaluation.metrics,
            wrong=_wrong(Statistics(paths["statistics"])),
            reasons=tuple(decision.reasons),
            checks=len(decision.decision["checks"]),
            version=outcome.version,
            seconds=seconds,
        )
        for source, place in (
            (paths["page"], summary.report),
            (evaluation.path / "metrics.json", request.output / "metrics.json"),
        ):
            with atomic_file(place) as work:
                shutil.copyfile(source, work)
        request.validation.unlink(missing_ok=True)  # of an earlier run, whose data were not fit
        if summary.passed:
            with atomic_directory(summary.repository) as folder:
                shutil.copytree(paths["repository"], folder, dirs_exist_ok=True)
        else:
            shutil.rmtree(summary.repository, ignore_errors=True)
        return summary

    def rows(self) -> Iterator[tuple[str, str]]:
        """The table at the end of a run: what, and its value."""
        yield from score_rows(self.request.pipeline, self.metrics)
        if self.wrong:
            yield "data", f"not fit: {_first(self.wrong)}"
        yield "gate", f"passed {self.checks} checks" if self.passed else f"not passed: {_first(self.reasons)}"
        if self.version:
            yield "in production", self.version
        if self.seconds is not None:
            yield "time", f"{self.seconds:.0f} s"
        yield "report", str(self.report)
        yield "pipeline", str(self.request.compiled)
        if self.passed:
            yield "Triton repository", str(self.repository)
            yield "serve it", f"{program()} serve {shlex.quote(str(self.request.output))}"


def _wrong(statistics: Statistics) -> tuple[str, ...]:
    """A line for each finding that would have stopped the run, had it not been told to go on."""
    found = [one for one in statistics.findings if one["severity"] == "error"]
    return tuple(
        f"{one['check']}{' in ' + repr(one['column']) if one['column'] else ''}: {one['problem']}" for one in found
    )


def _first(texts: tuple[str, ...]) -> str:
    return texts[0] + (f" (and {len(texts) - 1} more in the report)" if len(texts) > 1 else "")


Rows = Iterator[tuple[str, str]]

_TITLES = {"ndcg": "NDCG", "recall": "Recall", "mrr": "MRR", "coverage": "coverage"}


def score_rows(pipeline: str, metrics: Mapping[str, float]) -> Rows:
    """The lines about the metrics of a pipeline's model: what, and its value with what it is held against.

    Args:
        pipeline: Name of the pipeline.
        metrics: Metrics of the evaluation, by name.
    """
    yield "rows", f"{metrics.get('train_rows', 0):,.0f} train, {metrics.get('rows', 0):,.0f} test"
    yield from _retrieval(metrics) if pipeline == "retrieval" else _ranking(metrics)


def _ranking(metrics: Mapping[str, float]) -> Rows:
    get = metrics.get
    share = get("share_of_best_auc")
    yield (
        "AUC",
        _joined(
            _number(get("auc")),
            _number(get("mean_baseline_auc"), "user mean + item mean"),
            _number(get("best_auc"), "best reachable"),
            None if share is None else f"{share:.0%} of the way from 0.5",
            _number(get("production_auc"), "in production"),
        ),
    )
    yield "log loss", _joined(_number(get("log_loss")), _number(get("mean_baseline_log_loss"), "means"))
    yield from _lists(metrics, ("ndcg",), {"popularity": "popularity", "production": "in production"})


def _retrieval(metrics: Mapping[str, float]) -> Rows:
    yield "queries", f"{metrics.get('queries', 0):,.0f}, over {metrics.get('items', 0):,.0f} items"
    others = {"popularity": "popularity", "last_item": "last item", "production": "in production"}
    yield from _lists(metrics, ("ndcg", "recall", "coverage"), others)


def _lists(metrics: Mapping[str, float], wanted: tuple[str, ...], others: Mapping[str, str]) -> Rows:
    """Metrics of lists: their names end in the length of the list, and begin with whom they were measured of."""
    for kind in wanted:
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


def program() -> str:
    """`emrys`, or its path where the shell would not find it: `make demo` runs it out of `.venv/bin`."""
    own = Path(sys.executable).with_name("emrys")
    found = shutil.which("emrys")
    if not own.is_file() or (found is not None and Path(found).samefile(own)):
        return "emrys"
    return shlex.quote(os.path.relpath(own) if own.is_relative_to(Path.cwd()) else str(own))
