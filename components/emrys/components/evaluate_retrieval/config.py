"""Settings of the step evaluate_retrieval."""

from __future__ import annotations

import dataclasses

from emrys.blocks.errors import ConfigError
from emrys.blocks.retrieval.approximate_top_k import EXACT_UP_TO
from emrys.components.recipe.evaluation import RETRIEVAL_METRICS, metric_name, metric_parts

STEP = "evaluate_retrieval"


@dataclasses.dataclass(frozen=True)
class EvaluateRetrievalConfig:
    """Settings of the evaluate_retrieval step.

    Args:
        k: Length of the list for NDCG, MRR, coverage and novelty.
        recall_k: Length of the list for recall.
        batch_size: Queries of a batch.
        exact_up_to: Catalogues up to this size are searched exactly, larger ones approximately.
        recall_target: Share of the exact results that the approximate search aims at.
        recall_floor: Share of the exact results, measured on the test queries, below which the step fails.
        target: Binary label of relevant items. Default: the column that the schema tags as binary target.
        registry: Folder or bucket of a registry, whose model in production is evaluated as well; empty for none.
        model_name: Name of the model in the registry.
        metrics: Metrics, as in a recipe; empty for NDCG, recall, MRR, coverage and novelty at `k` and `recall_k`.
        baselines: Baselines, as in a recipe; None for all.
        exclude_seen: Whether items that the user has seen in train are no answers.
        unit: Who asks: `session` for the session, where there is one. Otherwise the user, or the session without users.
        slices: Columns of slices; None for those of the user with few values.
        show_ids: Whether reports may show ids of people.
    """

    k: int = 10
    recall_k: int = 50
    batch_size: int = 1024
    exact_up_to: int = EXACT_UP_TO
    recall_target: float = 0.95
    recall_floor: float = 0.9
    target: str | None = None
    registry: str = ""
    model_name: str = "retrieval"
    metrics: tuple[str, ...] = ()
    baselines: tuple[str, ...] | None = None
    exclude_seen: bool = True
    unit: str = ""
    slices: tuple[str, ...] | None = None
    show_ids: bool = False

    def __post_init__(self) -> None:
        for name, least in (("k", 1), ("recall_k", 1), ("batch_size", 1), ("exact_up_to", 0)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                expected = f"a whole number of at least {least}"
                raise ConfigError(f"{name} cannot be used", step=STEP, expected=expected, got=f"{value!r}")
        for name in ("recall_target", "recall_floor"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= 1:
                raise ConfigError(f"{name} cannot be used", step=STEP, expected="above 0 and up to 1", got=f"{value!r}")
        for name in self.names:
            plain, length = metric_parts(name)
            if plain not in RETRIEVAL_METRICS or length is None:
                expected = ", ".join(f"{each}@{self.k}" for each in RETRIEVAL_METRICS)
                raise ConfigError("metrics cannot be used", step=STEP, expected=f"some of {expected}", got=repr(name))
        if self.unit not in ("", "user", "session"):
            raise ConfigError("unit cannot be used", step=STEP, expected="user or session", got=repr(self.unit))
        if self.target is not None and not (isinstance(self.target, str) and self.target):
            raise ConfigError(
                "target cannot be used", step=STEP, expected="the name of a column", got=f"{self.target!r}"
            )

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the metrics; the first is the main one."""
        asked = tuple(dict.fromkeys(metric_name(name) for name in self.metrics))
        lengths = {"recall": self.recall_k}
        return asked or tuple(f"{name}_at_{lengths.get(name, self.k)}" for name in RETRIEVAL_METRICS)

    @property
    def longest(self) -> int:
        """Number of items to recommend to each query."""
        return max(length for _, length in map(metric_parts, self.names) if length is not None)
