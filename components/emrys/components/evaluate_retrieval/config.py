"""Settings of the step evaluate_retrieval."""

from __future__ import annotations

import dataclasses

from emrys.blocks.errors import ConfigError
from emrys.blocks.retrieval.approximate_top_k import EXACT_UP_TO

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
        if self.target is not None and not (isinstance(self.target, str) and self.target):
            raise ConfigError(
                "target cannot be used", step=STEP, expected="the name of a column", got=f"{self.target!r}"
            )

    @property
    def longest(self) -> int:
        """Number of items to recommend to each query."""
        return max(self.k, self.recall_k)
