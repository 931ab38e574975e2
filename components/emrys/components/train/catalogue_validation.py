"""What a retrieval model is judged by between two epochs."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from merlin.schema import Schema, Tags

from emrys.components.contracts.transformed import Transformed
from emrys.components.evaluation.ranking_metrics import hits, ndcg, recall
from emrys.components.retrieval.catalogue import Catalogue
from emrys.components.retrieval.queries import Log, Queries
from emrys.components.retrieval.search import query_columns, top_rows, vectors

#: Length of the lists that are looked at.
NDCG_AT, RECALL_AT = 10, 50

#: Names of what is measured.
MEASURED = (f"val_ndcg_at_{NDCG_AT}", f"val_recall_at_{RECALL_AT}")

_BATCH = 4096


class HeldBack:
    """Measures a model on the users of the valid split, over the whole catalogue without what they have had in train.

    Args:
        data: The transformed splits.
        schema: Their schema.
        label: Column that says what is liked.
        model: The model, a `RetrievalModelV2`.
    """

    def __init__(self, data: Transformed, schema: Schema, label: str, model: Any) -> None:
        self._model = model
        self._item, user = (str(schema.select_by_tag(tag).first.name) for tag in (Tags.ITEM_ID, Tags.USER_ID))
        columns = schema.select_by_tag(Tags.ITEM).column_names
        self._catalogue = Catalogue.of(data.file("train"), self._item, label, columns)
        train, valid = (_log(data, split, user, self._item, label) for split in ("train", "valid"))
        self._queries = Queries.of(train, valid, self._catalogue)
        table = pq.read_table(data.file("valid"), columns=query_columns(model), partitioning=None)
        self._table = table.take(pa.array(self._queries.rows))

    def __call__(self) -> dict[str, float]:
        """The metrics by name, of the model as it is now."""
        if not len(self._queries):
            return {}
        queries, items = vectors(self._model, self._table, self._catalogue.features, self._item, _BATCH)
        count, right = len(self._catalogue), self._queries
        found = top_rows(lambda start, stop: queries[start:stop] @ items.T, right.seen, count, RECALL_AT)
        hit = hits(found, right.right, count)
        values = (ndcg(hit, right.totals, NDCG_AT), recall(hit, right.totals, RECALL_AT))
        return {name: float(value.mean()) for name, value in zip(MEASURED, values, strict=True)}


def _log(data: Transformed, split: str, user: str, item: str, label: str) -> Log:
    table = data.read(split, [user, item, label])
    return Log(table[user].to_numpy(), table[item].to_numpy(), table[label].to_numpy() > 0)
