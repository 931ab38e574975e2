"""What can be chosen about the evaluation of a retrieval model."""

from __future__ import annotations

import dataclasses

from emrys.blocks.errors import ConfigError
from emrys.blocks.retrieval.approximate_top_k import EXACT_UP_TO

STEP = "evaluate_retrieval"


@dataclasses.dataclass(frozen=True)
class EvaluateRetrievalConfig:
    """Settings of the evaluate_retrieval step.

    Args:
        k: Length of the list that NDCG, MRR, coverage and novelty look at.
        recall_k: Length of the list that recall looks at.
        batch_size: Queries that the model answers at once.
        exact_up_to: Catalogues up to this size are searched exactly, larger ones approximately.
        recall_target: Share of the exact results that the approximate search is tuned to.
        recall_floor: Share of them below which the step fails; measured on the test queries.
        target: Binary column that says what is right; by default the one that the schema tags so.
        registry: Folder or bucket whose model in production is evaluated beside; empty for none.
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
        """Items that are recommended for each query."""
        return max(self.k, self.recall_k)
