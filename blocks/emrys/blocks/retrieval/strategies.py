"""Top-k layers by name."""

from __future__ import annotations

from typing import Any

from emrys.blocks.errors import ConfigError
from emrys.blocks.retrieval.approximate_top_k import ApproximateTopK
from emrys.blocks.retrieval.brute_force import BruteForce
from emrys.blocks.retrieval.top_k_layer import TopKLayer

STRATEGIES: dict[str, type[TopKLayer]] = {"brute-force-topk": BruteForce, "approximate-topk": ApproximateTopK}


def as_top_k_layer(value: Any, k: int) -> TopKLayer:
    """A layer from its name, with `k` results; a layer is taken as it is.

    Raises:
        ConfigError: if it is neither.
    """
    if isinstance(value, TopKLayer):
        return value
    if isinstance(value, str) and value in STRATEGIES:
        return STRATEGIES[value](k=k)
    expected = f"a top-k layer or one of {', '.join(map(repr, STRATEGIES))}"
    got = repr(value) if isinstance(value, str) else type(value).__name__
    raise ConfigError("the top-k layer is not known", expected=expected, got=got)
