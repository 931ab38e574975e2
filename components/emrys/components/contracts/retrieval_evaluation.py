"""What the evaluation of a retrieval model leaves behind for its export."""

from __future__ import annotations

from functools import cached_property
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq

from emrys.blocks.retrieval.seen_items import SeenItems
from emrys.components.contracts.evaluation import Evaluation

#: Files that the export takes over: what is left out of whose results, and what can be recommended.
SEEN_ITEMS_FILE, CANDIDATES_FILE = "seen_items.parquet", "candidates.parquet"
#: Column of `CANDIDATES_FILE` with what callers name the items by.
KEY = "key"


class RetrievalEvaluation(Evaluation):
    """An evaluation with what the recommendations were made from.

    Besides the files of every evaluation there are `seen_items.parquet` (`SeenItems`: by raw user id, the ids in the
    transformed data of the items that the user has had in any split) and `candidates.parquet` (the transformed columns
    of every item that can be recommended, in the order of the ids, and `key`, its raw id).

    The metadata has `user` and `item` (columns of the ids), `search` (`strategy`: `exact` or `approximate`, `recall`
    and `index`), `config` (of the step) and `inputs` (fingerprints of what was evaluated).
    """

    required: ClassVar[tuple[str, ...]] = (*Evaluation.required, SEEN_ITEMS_FILE, CANDIDATES_FILE)

    @cached_property
    def candidates(self) -> pa.Table:
        """What can be recommended."""
        return pq.read_table(self.path / CANDIDATES_FILE, partitioning=None)

    @cached_property
    def seen_items(self) -> SeenItems:
        """What each user has seen."""
        return SeenItems.load(self.path / SEEN_ITEMS_FILE)

    @property
    def user(self) -> str:
        """Column of the user's id."""
        return str(self.metadata["user"])

    @property
    def item(self) -> str:
        """Column of the item's id."""
        return str(self.metadata["item"])

    @property
    def exact(self) -> bool:
        """Whether the catalogue was searched exactly."""
        return bool(self.metadata["search"]["strategy"] == "exact")

    @property
    def config(self) -> dict[str, Any]:
        """Settings of the evaluation."""
        return dict(self.metadata["config"])
