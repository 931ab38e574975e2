"""Settings of the step evaluate."""

from __future__ import annotations

import dataclasses
import math

from emrys.blocks.errors import ConfigError


@dataclasses.dataclass(frozen=True)
class EvaluateConfig:
    """Settings of the evaluate step.

    Args:
        k: Length of the list for the per-user metrics.
        bins: Number of calibration bins; each holds about the same number of rows.
        batch_size: Rows of a batch.
        smoothing: Strength of the prior in the user and item means of the baseline, as a number of rows.
        folds: Folds of the out-of-fold means of the baseline on train.
        seed: Seed of the folds.
        target: Target to evaluate. Default: all that the model predicts.
        registry: Folder or bucket of a registry, whose model in production is evaluated as well; empty for none.
        model_name: Name of the model in the registry.
        metrics: Metrics, as in a recipe; empty for those of the kind of the target.
        baselines: Baselines, as in a recipe; None for all that the columns allow.
        bootstrap_by: Unit that the bootstrap resamples: user, session or row; empty for the first of them that exists.
        slices: Columns of slices; None for those with few values.
        show_ids: Whether reports may show ids of people.
    """

    k: int = 10
    bins: int = 15
    batch_size: int = 4096
    smoothing: float = 5.0
    folds: int = 5
    seed: int = 0
    target: str | None = None
    registry: str = ""
    model_name: str = "ranking"
    metrics: tuple[str, ...] = ()
    baselines: tuple[str, ...] | None = None
    bootstrap_by: str = ""
    slices: tuple[str, ...] | None = None
    show_ids: bool = False

    def __post_init__(self) -> None:
        for name, least in (("k", 1), ("bins", 2), ("batch_size", 1), ("folds", 2), ("seed", 0)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                expected = f"a whole number of at least {least}"
                raise ConfigError(f"{name} cannot be used", expected=expected, got=f"{value!r}")
        if isinstance(self.smoothing, bool) or not isinstance(self.smoothing, (int, float)):
            raise ConfigError("smoothing cannot be used", expected="a number", got=f"{self.smoothing!r}")
        if not (math.isfinite(self.smoothing) and self.smoothing >= 0):
            raise ConfigError("smoothing cannot be used", expected="a number of at least 0", got=f"{self.smoothing!r}")
        if self.target is not None and not (isinstance(self.target, str) and self.target):
            raise ConfigError("target cannot be used", expected="the name of a column", got=f"{self.target!r}")
        if self.bootstrap_by not in ("", "user", "session", "row"):
            got = repr(self.bootstrap_by)
            raise ConfigError("bootstrap_by cannot be used", expected="user, session or row, or nothing", got=got)
