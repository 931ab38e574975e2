"""Validation of a retrieval model between epochs, over the whole catalogue."""

from __future__ import annotations

from typing import Self

import keras
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from merlin.schema import Schema, Tags

import emrys.blocks as mm
from emrys.components.contracts.transformed import Transformed
from emrys.components.evaluation.ranking_metrics import hits, ndcg, recall
from emrys.components.retrieval.catalogue import Catalogue
from emrys.components.retrieval.queries import InteractionLog, Queries
from emrys.components.retrieval.search import query_columns, top_rows, vectors
from emrys.components.train.config import CATALOGUE_METRICS, NDCG_K, RECALL_K

_BATCH = 4096


class CatalogueValidation:
    """Computes NDCG and recall of the users of the valid split when called, over the items that are answers.

    Without such users it gives an empty dictionary.

    Args:
        data: The transformed splits.
        schema: Their schema.
        label: Column of the label; None if every row is positive.
        model: The model.
        exclude_seen: Whether items that the user has in train are no answers.
    """

    @classmethod
    def of(
        cls, data: Transformed, schema: Schema, label: str | None, model: keras.Model, exclude_seen: bool = True
    ) -> Self | None:
        """The validation of a model; None if it is not one of retrieval, or the rows have no user."""
        users = schema.select_by_tag(Tags.USER_ID)
        if not isinstance(model, mm.RetrievalModelV2) or not len(users):
            return None
        return cls(data, schema, label, model, exclude_seen)

    def __init__(
        self,
        data: Transformed,
        schema: Schema,
        label: str | None,
        model: mm.RetrievalModelV2,
        exclude_seen: bool = True,
    ) -> None:
        self._model = model
        self._item, user = (str(schema.select_by_tag(tag).first.name) for tag in (Tags.ITEM_ID, Tags.USER_ID))
        columns = schema.select_by_tag(Tags.ITEM).column_names
        self._catalogue = Catalogue.of(data.file("train"), self._item, label, columns)
        train, valid = (_read_log(data, split, user, self._item, label) for split in ("train", "valid"))
        self._queries = Queries.of(train, valid, self._catalogue, exclude_seen)
        table = pq.read_table(data.file("valid"), columns=query_columns(model), partitioning=None)
        self._table = table.take(pa.array(self._queries.rows))

    def __call__(self) -> dict[str, float]:
        """Metrics of the model with its current weights, by name."""
        if not len(self._queries):
            return {}
        query_vectors, items = vectors(self._model, self._table, self._catalogue.features, self._item, _BATCH)
        count, queries = len(self._catalogue), self._queries
        top = top_rows(lambda start, stop: query_vectors[start:stop] @ items.T, queries.seen, count, RECALL_K)
        hit = hits(top, queries.relevant, count)
        values = (ndcg(hit, queries.relevant_counts, NDCG_K), recall(hit, queries.relevant_counts, RECALL_K))
        return {name: float(value.mean()) for name, value in zip(CATALOGUE_METRICS, values, strict=True)}


def _read_log(data: Transformed, split: str, user: str, item: str, label: str | None) -> InteractionLog:
    table = data.read(split, [user, item, *([] if label is None else [label])])
    positive = np.ones(table.num_rows, bool) if label is None else table[label].to_numpy() > 0
    return InteractionLog(table[user].to_numpy(), table[item].to_numpy(), positive)
