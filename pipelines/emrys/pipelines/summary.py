"""What a run came to: its lasting files, and the table at its end."""

from __future__ import annotations

import dataclasses
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from emrys.blocks.io import atomic_directory, atomic_file
from emrys.components.artifacts.evaluation import Evaluation
from emrys.components.artifacts.gate_decision import GateDecision
from emrys.components.artifacts.statistics import Statistics
from emrys.pipelines.outcome import Outcome, artifacts_of
from emrys.pipelines.program import program
from emrys.pipelines.run_request import RunRequest
from emrys.pipelines.scores import score_rows

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
