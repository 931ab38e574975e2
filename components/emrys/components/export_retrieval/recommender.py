"""What a retrieval ensemble is made of."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from emrys.blocks.retrieval.seen_items import SeenItems
from emrys.blocks.retrieval.top_k_layer import TopKLayer


@dataclass(frozen=True)
class Recommender:
    """The parts of a retrieval ensemble besides its workflow.

    Attributes:
        tower: SavedModel of the query encoder.
        index: Top-k layer that has the catalogue, by the ids in the transformed data.
        items: The catalogue: `id` in the transformed data and `key`, the id that callers know, int64 or string; (N).
        seen: Ids in the transformed data of what each user has seen, by the raw id of the user.
        user: Raw column of the user's id.
        histories: List columns of the query that hold items, after the workflow.
    """

    tower: Path
    index: TopKLayer
    items: pa.Table
    seen: SeenItems
    user: str
    histories: tuple[str, ...] = ()
