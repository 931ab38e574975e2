"""Items as the first generation's samplers give them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class EmbeddingWithMetadata(NamedTuple):
    """Embeddings of items, and what is known of each.

    Attributes:
        embeddings: (M, D)
        metadata: Tensors (M,) by name, the ids among them.
    """

    embeddings: Any
    metadata: Mapping[str, Any]
