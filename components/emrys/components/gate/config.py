"""Settings of the step gate."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from emrys.blocks.errors import ConfigError
from emrys.components.recipe.evaluation import GateSettings


@dataclass(frozen=True)
class GateConfig:
    """Thresholds and margins of the gate.

    Every comparison uses the lower bound of a one-sided confidence interval, so that a lift that may be due to chance
    does not pass. A metric that was not measured does not pass.

    Attributes:
        metric: Metric for comparisons with the baselines, with production and in slices.
        thresholds: Minimum value per metric, or maximum if lower is better; without `comparisons`, an empty mapping
            never passes.
        baseline_metrics: Further metrics for comparisons with the baselines.
        baseline_margin: Minimum lift over every baseline.
        production_margin: Minimum lift over the model in production; negative to allow a loss.
        slice_margin: Minimum lift in every slice, over production or, without production, the best of the baselines
            that the model is compared with; None if slices are not compared.
        min_slice_size: Slices with fewer users or queries than this are ignored.
        confidence: Confidence of the lower bounds.
        resamples: Number of resamples of the bootstrap.
        seed: Seed of the bootstrap.
        comparisons: Pairs of a metric and a baseline that the model must beat; None for every baseline that has
            `metric` or one of `baseline_metrics`. Of a recipe.
        further_metrics: Main metrics of further targets, for comparisons with production and in slices.
        promote: Whether a model may pass at all.
    """

    metric: str = "auc"
    thresholds: Mapping[str, float] = field(default_factory=dict)
    baseline_metrics: Sequence[str] = ()
    baseline_margin: float = 0.0
    production_margin: float = 0.0
    slice_margin: float | None = -0.05
    min_slice_size: int = 50
    confidence: float = 0.95
    resamples: int = 1000
    seed: int = 42
    comparisons: Sequence[tuple[str, str]] | None = None
    further_metrics: Sequence[str] = ()
    promote: bool = True

    def __post_init__(self) -> None:
        """Checks the values."""
        if not self.metric:
            raise ConfigError("gate: metric", expected="the name of a metric", got=repr(self.metric))
        if isinstance(self.baseline_metrics, str) or not all(self.baseline_metrics):
            got = repr(self.baseline_metrics)
            raise ConfigError("gate: baseline_metrics", expected="a list of names of metrics", got=got)
        numbers = {f"thresholds.{name}": value for name, value in self.thresholds.items()}
        for name in ("baseline_margin", "production_margin", "slice_margin"):
            if name != "slice_margin" or self.slice_margin is not None:
                numbers[name] = getattr(self, name)
        for name, value in numbers.items():
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
                raise ConfigError(f"gate: {name}", expected="a number", got=repr(value))
        if not 0.5 <= self.confidence < 1:
            raise ConfigError("gate: confidence", expected="0.5 to below 1", got=str(self.confidence))
        if self.min_slice_size < 2 or self.resamples < 100:
            got = f"{self.min_slice_size}, {self.resamples}"
            raise ConfigError("gate: min_slice_size, resamples", expected="at least 2 and at least 100", got=got)

    def of_recipe(self, settings: GateSettings) -> GateConfig:
        """These margins and this bootstrap, with the conditions of a recipe instead of the own ones.

        Args:
            settings: The conditions.
        """
        return replace(
            self,
            metric=settings.metrics[0] if settings.metrics else self.metric,
            further_metrics=settings.metrics[1:],
            thresholds=dict(settings.thresholds),
            baseline_metrics=(),
            comparisons=settings.comparisons,
            slice_margin=settings.slice_margin,
            promote=settings.promote,
        )
