"""What a run of the ranking pipeline came to: its lasting files, and the table at its end."""

from __future__ import annotations

import dataclasses
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typing_extensions import Self

from blocks.errors import ArtifactError
from blocks.io import atomic_directory, atomic_file, read_json
from components.artifacts.evaluation import Evaluation
from pipelines.program import program
from pipelines.run_request import RunRequest


@dataclasses.dataclass(frozen=True)
class RunSummary:
    """A finished run.

    Args:
        output: Folder of the run.
        metrics: The metrics of the evaluation, by name.
        seconds: How long the run took; None where that is not known.
    """

    output: Path
    metrics: dict[str, float]
    seconds: float | None = None

    @property
    def report(self) -> Path:
        """The HTML report."""
        return self.output / "report.html"

    @property
    def repository(self) -> Path:
        """The Triton model repository."""
        return self.output / "triton"

    @property
    def compiled(self) -> Path:
        """The compiled pipeline."""
        return RunRequest(self.output).compiled

    @classmethod
    def publish(cls, request: RunRequest, seconds: float | None = None) -> Self:
        """Gives the results of a run lasting places in its output folder: report, metrics and Triton repository.

        Args:
            request: The run, finished.
            seconds: How long it took.

        Raises:
            ArtifactError: if an artifact is missing or damaged.
        """
        outputs = artifacts_of(request.output)
        evaluation = Evaluation(outputs["evaluation"])
        for name in ("report.html", "metrics.json"):
            with atomic_file(request.output / name) as work:
                shutil.copyfile(evaluation.path / name, work)
        with atomic_directory(request.output / "triton") as folder:
            shutil.copytree(outputs["repository"], folder, dirs_exist_ok=True)
        return cls(request.output, evaluation.metrics, seconds)

    def rows(self) -> Iterator[tuple[str, str]]:
        """The table at the end of a run: what, and its value."""
        get = self.metrics.get
        best, share = get("best_auc"), get("share_of_best_auc")
        auc = [
            _number(get("auc")),
            _number(get("mean_baseline_auc"), "user mean + item mean"),
            _number(best, "best reachable"),
            None if share is None else f"{share:.0%} of the way from 0.5",
        ]
        yield "rows", f"{get('train_rows', 0):,.0f} train, {get('rows', 0):,.0f} test"
        yield "AUC", _joined(*auc)
        yield "log loss", _joined(_number(get("log_loss")), _number(get("mean_baseline_log_loss"), "means"))
        yield "NDCG@10", _joined(_number(get("ndcg_at_10")), _number(get("popularity_ndcg_at_10"), "popularity"))
        if self.seconds is not None:
            yield "time", f"{self.seconds:.0f} s"
        yield "report", str(self.report)
        yield "pipeline", str(self.compiled)
        yield "Triton repository", str(self.repository)
        yield "serve it", f"{program()} serve {shlex.quote(str(self.output))}"


def artifacts_of(output: Path) -> dict[str, Path]:
    """Where the artifacts of a finished run are.

    Args:
        output: Folder of the run.

    Returns:
        Paths by the names of the pipeline's outputs.

    Raises:
        ArtifactError: if no run has finished there.
    """
    outcome = RunRequest(output).outcome
    if not outcome.is_file():
        raise ArtifactError("no run has finished in this folder", path=output, fix="Start one: emrys run ranking.")
    values: dict[str, Any] = read_json(outcome)
    return {name: Path(value["path"]) for name, value in values.items()}


def _number(value: float | None, name: str | None = None) -> str | None:
    if value is None:
        return None
    return f"{value:.4f}" if name is None else f"{name} {value:.4f}"


def _joined(*parts: str | None) -> str:
    first, *rest = [part for part in parts if part] or ["-"]
    return f"{first} ({', '.join(rest)})" if rest else first
