"""The offline path of the parity check: recommendations of the model's `TopKEncoder` for transformed rows."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from merlin.schema import Schema

import emrys.blocks as mm
from emrys.blocks.retrieval.seen_items import SeenItems
from emrys.blocks.workflow import NULL_INT
from emrys.components.retrieval.catalogue import positions
from emrys.components.retrieval.ragged_array import RaggedArray
from emrys.components.retrieval.search import Recommendations, search_items, top_k_encoder

Ints = npt.NDArray[np.int64]

_BATCH = 1024


@dataclass(frozen=True)
class OfflineRecommendations:
    """Recommendations of the offline path; items are indices in the catalogue, -1 for none.

    Attributes:
        items: Recommended items, best first, (B, K).
        scores: Their scores, (B, K).
        seen: Items that the user of each row has seen.
        exact: Results of an exact search, (B, K); None if the search is exact.
    """

    items: Ints
    scores: npt.NDArray[np.float32]
    seen: RaggedArray
    exact: Ints | None = None


class OfflineRecommender:
    """Recommends items offline and excludes those that were seen.

    Args:
        model: The retrieval model.
        schema: Schema of the transformed rows.
        items: Transformed columns of the catalogue.
        item: Column of the item's id, in `items` and in the transformed rows.
        user: Raw column of the user's id; None for queries without a user.
        seen: Items that each user has seen, which are excluded; None for none.
        histories: List columns of the query whose items are excluded, after the workflow.
        layer: A top-k layer without items, whose K is that of the lists.
    """

    def __init__(
        self,
        model: mm.RetrievalModelV2,
        schema: Schema,
        items: pa.Table,
        item: str,
        user: str | None,
        seen: SeenItems | None,
        histories: Collection[str],
        layer: mm.BruteForce | mm.ApproximateTopK,
    ) -> None:
        self._schema, self._items, self._item, self._user = schema, items, item, user
        self._seen, self._histories = seen, histories
        self._encoder = top_k_encoder(model, items, item, layer, _BATCH)
        self._exact = None
        if not isinstance(layer, mm.BruteForce):
            self._exact = top_k_encoder(model, items, item, mm.BruteForce(k=layer.k), _BATCH)

    def __call__(self, rows: pa.Table, transformed: pa.Table) -> OfflineRecommendations:
        """Recommends items for each row.

        Args:
            rows: The raw rows, with the ids of the users.
            transformed: The same rows after the workflow.
        """
        seen = self._seen_items(rows, transformed)
        results = self._search(self._encoder, transformed, seen)
        exact = None if self._exact is None else self._search(self._exact, transformed, seen).items
        return OfflineRecommendations(results.items, results.scores, seen, exact)

    def _search(self, encoder: mm.TopKEncoder, transformed: pa.Table, seen: RaggedArray) -> Recommendations:
        return search_items(encoder, self._schema, transformed, self._items, self._item, seen, _BATCH)

    def _seen_items(self, rows: pa.Table, transformed: pa.Table) -> RaggedArray:
        """Joins the stored items of the user and those in the histories of the row: positions in the catalogue."""
        row: list[Ints] = [np.empty(0, np.int64)]
        ids: list[Ints] = [np.empty(0, np.int64)]
        if self._seen is not None and self._user is not None:
            stored, offsets = self._seen.lookup(_ids(rows[self._user]))
            row.append(np.repeat(np.arange(rows.num_rows), np.diff(offsets)))
            ids.append(stored)
        for name in self._histories:
            lists = transformed[name].combine_chunks()
            row.append(pc.list_parent_indices(lists).to_numpy(zero_copy_only=False))
            ids.append(pc.list_flatten(lists).to_numpy(zero_copy_only=False))
        items = positions(np.concatenate(ids).astype(np.int64), self._items[self._item].to_numpy())
        pairs = np.unique(np.stack([np.concatenate(row), items])[:, items >= 0], axis=1)
        return RaggedArray.of(pairs[0], pairs[1], rows.num_rows)


def _ids(column: pa.ChunkedArray) -> npt.NDArray[Any]:
    """Converts raw ids of users to the form that `SeenItems` looks up; null is an unknown user."""
    if pa.types.is_integer(column.type):
        return np.asarray(column.cast(pa.int64()).fill_null(NULL_INT).to_numpy())
    return np.array(column.fill_null("").to_pylist(), dtype=object)
