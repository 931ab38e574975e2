"""The offline path: what the model's `TopKEncoder` recommends to transformed rows."""

from __future__ import annotations

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
from emrys.components.retrieval.lists import Lists
from emrys.components.retrieval.search import found_by, indexed

Ints = npt.NDArray[np.int64]

_BATCH = 1024


@dataclass(frozen=True)
class Expected:
    """What the offline path gives for some rows.

    Attributes:
        places: Places of the recommended items in the catalogue, best first, (B, K); -1 for none.
        scores: Their scores, (B, K).
        seen: Places of the items that each row's user has seen.
        exact: What an exact search gives, (B, K); None where the search is exact.
    """

    places: Ints
    scores: npt.NDArray[np.float32]
    seen: Lists
    exact: Ints | None = None


class OfflineRecommender:
    """Recommends offline, without what users have seen.

    Args:
        model: The retrieval model.
        schema: Schema of the transformed rows.
        items: Transformed columns of the catalogue.
        item: Column of the item's id, in `items` and in the transformed rows.
        user: Raw column of the user's id.
        seen: What each user has seen.
        histories: List columns of the query that hold items, after the workflow.
        layer: A top-k layer, which takes the items and knows K.
    """

    def __init__(
        self,
        model: Any,
        schema: Schema,
        items: pa.Table,
        item: str,
        user: str,
        seen: SeenItems,
        histories: tuple[str, ...],
        layer: Any,
    ) -> None:
        self._schema, self._items, self._item, self._user = schema, items, item, user
        self._seen, self._histories = seen, histories
        self._encoder = indexed(model, items, item, layer, _BATCH)
        self._exact = None
        if not isinstance(layer, mm.BruteForce):
            self._exact = indexed(model, items, item, mm.BruteForce(k=layer.k), _BATCH)

    def __call__(self, rows: pa.Table, transformed: pa.Table) -> Expected:
        """Recommends to some rows.

        Args:
            rows: The raw rows, which know the users.
            transformed: The same rows after the workflow.
        """
        seen = self._places_seen(rows, transformed)
        found = self._found(self._encoder, transformed, seen)
        exact = None if self._exact is None else self._found(self._exact, transformed, seen).places
        return Expected(found.places, found.scores, seen, exact)

    def _found(self, encoder: Any, transformed: pa.Table, seen: Lists) -> Any:
        return found_by(encoder, self._schema, transformed, self._items, self._item, seen, _BATCH)

    def _places_seen(self, rows: pa.Table, transformed: pa.Table) -> Lists:
        """What is stored of the user, and what stands in the row's histories."""
        stored, offsets = self._seen.lookup(_ids(rows[self._user]))
        row, ids = [np.repeat(np.arange(rows.num_rows), np.diff(offsets))], [stored]
        for name in self._histories:
            lists = transformed[name].combine_chunks()
            row.append(pc.list_parent_indices(lists).to_numpy(zero_copy_only=False))
            ids.append(pc.list_flatten(lists).to_numpy(zero_copy_only=False))
        places = positions(np.concatenate(ids).astype(np.int64), self._items[self._item].to_numpy())
        pairs = np.unique(np.stack([np.concatenate(row), places])[:, places >= 0], axis=1)
        return Lists.of(pairs[0], pairs[1], rows.num_rows)


def _ids(column: pa.ChunkedArray) -> npt.NDArray[Any]:
    """Raw ids of users as `SeenItems` looks them up; null is nobody."""
    if pa.types.is_integer(column.type):
        return np.asarray(column.cast(pa.int64()).fill_null(NULL_INT).to_numpy())
    return np.array(column.fill_null("").to_pylist(), dtype=object)
