"""What a model has to reach."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from emrys.blocks.errors import ConfigError


@dataclass(frozen=True)
class GateConfig:
    """What a model has to reach to be exported.

    Every comparison is made on the lower bound of a one-sided confidence interval, so that a lift that may be chance
    does not pass. What cannot be measured does not pass.

    Attributes:
        metric: What the model is compared by with the baselines, with production and in slices.
        thresholds: By metric what it has to be at least, or at most where lower is better. There has to be one.
        baseline_metrics: Further metrics by which it is compared with the baselines.
        baseline_margin: How much better than every baseline the model has to be.
        production_margin: How much better than the model in production it has to be; below 0, how much worse it may be.
        slice_margin: The same for the worst slice, against production where there is one, else the best baseline.
        min_slice_size: Slices with fewer users or queries than this are ignored.
        confidence: Of the interval.
        resamples: Of the bootstrap.
        seed: Of the bootstrap.
    """

    metric: str = "auc"
    thresholds: Mapping[str, float] = field(default_factory=dict)
    baseline_metrics: Sequence[str] = ()
    baseline_margin: float = 0.0
    production_margin: float = 0.0
    slice_margin: float = -0.05
    min_slice_size: int = 50
    confidence: float = 0.95
    resamples: int = 1000
    seed: int = 42

    def __post_init__(self) -> None:
        """Checks the values."""
        if not self.metric:
            raise ConfigError("gate: metric", expected="the name of a metric", got=repr(self.metric))
        if isinstance(self.baseline_metrics, str) or not all(self.baseline_metrics):
            got = repr(self.baseline_metrics)
            raise ConfigError("gate: baseline_metrics", expected="a list of names of metrics", got=got)
        numbers = {f"thresholds.{name}": value for name, value in self.thresholds.items()}
        for name in ("baseline_margin", "production_margin", "slice_margin"):
            numbers[name] = getattr(self, name)
        for name, value in numbers.items():
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
                raise ConfigError(f"gate: {name}", expected="a number", got=repr(value))
        if not 0.5 <= self.confidence < 1:
            raise ConfigError("gate: confidence", expected="0.5 to below 1", got=str(self.confidence))
        if self.min_slice_size < 2 or self.resamples < 100:
            got = f"{self.min_slice_size}, {self.resamples}"
            raise ConfigError("gate: min_slice_size, resamples", expected="at least 2 and at least 100", got=got)
