"""Search over the catalogue with the evaluated model, exact or approximate, and with the model in production."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from merlin.schema import Schema

import emrys.blocks as mm
from emrys.blocks.errors import EmrysError
from emrys.blocks.workflow import FittedWorkflow
from emrys.components.contracts.feature_schema import FeatureSchema
from emrys.components.contracts.model import ModelArtifact
from emrys.components.evaluate_retrieval.config import STEP, EvaluateRetrievalConfig
from emrys.components.model_registry.production import ProductionVersion
from emrys.components.retrieval.catalogue import Catalogue
from emrys.components.retrieval.queries import Queries
from emrys.components.retrieval.search import load_retrieval_model, recommend

Ints = npt.NDArray[np.int64]


class CatalogueSearch:
    """Searches a small catalogue exactly and a large one approximately.

    Args:
        model: The retrieval model.
        schema: Schema of the transformed rows.
        users: A transformed row for each query.
        catalogue: The candidate items.
        item: Column of the item id.
        config: Settings.

    Attributes:
        exact: Whether the search is exact.
        recall: Share of the exact results that the search returns; 1 for an exact search.
    """

    def __init__(
        self,
        model: mm.RetrievalModelV2,
        schema: Schema,
        users: pa.Table,
        catalogue: Catalogue,
        item: str,
        config: EvaluateRetrievalConfig,
    ) -> None:
        self._model, self._schema, self._users = model, schema, users
        self._catalogue, self._item, self._config = catalogue, item, config
        self.exact = len(catalogue) <= config.exact_up_to
        self._layer = self._new_layer(exact=self.exact)
        self.recall = 1.0

    def recommend(self, queries: Queries) -> Ints:
        """Recommends items for each query.

        Returns:
            (Q, K) positions in the catalogue.

        Raises:
            EmrysError: if the recall of an approximate search is below `recall_floor`.
        """
        items = self._search(queries, self._layer)
        if not self.exact:
            exact = self._search(queries, self._new_layer(exact=True))
            in_both = (items[:, :, None] == exact[:, None, :]).any(axis=2) & (items >= 0)
            self.recall = float(in_both.sum() / max(1, (exact >= 0).sum()))
            if self.recall < self._config.recall_floor:
                raise EmrysError(
                    "the recall of the approximate search is too low",
                    step=STEP,
                    expected=f"at least {self._config.recall_floor:g} of the exact results",
                    got=f"{self.recall:.4f} among the first {self._layer.k}",
                    fix="Raise recall_target, or exact_up_to for an exact search.",
                )
        return items

    def metadata(self) -> dict[str, Any]:
        """Strategy, recall and index of the search, which the export repeats."""
        report = None if self.exact else dataclasses.asdict(self._layer.report)
        return {"strategy": "exact" if self.exact else "approximate", "recall": self.recall, "index": report}

    def metrics(self) -> dict[str, float]:
        """The recall of an approximate search; empty for an exact one."""
        return {} if self.exact else {"search_recall": self.recall}

    def _new_layer(self, exact: bool) -> Any:
        k = self._config.longest
        if exact:
            return mm.BruteForce(k=k)
        return mm.ApproximateTopK(k=k, recall_target=self._config.recall_target, exact_up_to=0)

    def _search(self, queries: Queries, layer: Any) -> Ints:
        features, size = self._catalogue.features, self._config.batch_size
        return recommend(self._model, self._schema, self._users, features, self._item, queries.seen, layer, size).items


def recommend_with_production(
    production: ProductionVersion,
    queries: Queries,
    users: pa.Table,
    items: pa.Table,
    item: str,
    layer: Any,
    batch_size: int,
) -> Ints:
    """Recommends items with the model in production, whose own workflow transforms the raw rows.

    Items that are newer than that model have no id in its workflow and are not recommended.

    Args:
        production: The version in production.
        queries: The queries.
        users: A raw row for each query.
        items: A raw row for each item of the catalogue.
        item: Column of the item id.
        layer: A top-k layer.
        batch_size: Queries of a batch.

    Returns:
        (Q, K) positions in the catalogue.

    Raises:
        ArtifactError: if the version is damaged.
    """
    workflow = FittedWorkflow.load(production.workflow)
    model = load_retrieval_model(ModelArtifact(production.model))
    # A table of items has no columns of users.
    of_items = dict.fromkeys([item, *model.candidate_encoder.input_schema.column_names])
    return recommend(
        model,
        FeatureSchema(production.schema).schema,
        workflow.transform_table(users),
        workflow.select(list(of_items)).transform_table(items),
        item,
        queries.seen,
        layer,
        batch_size,
    ).items
