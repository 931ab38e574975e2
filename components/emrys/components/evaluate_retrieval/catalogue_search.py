"""The search for the best items of a catalogue, and how good it is."""

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
from emrys.components.model_registry.production import Production
from emrys.components.retrieval.catalogue import Catalogue
from emrys.components.retrieval.queries import Queries
from emrys.components.retrieval.search import Found, recommend


class CatalogueSearch:
    """Finds the best items: exactly in a small catalogue, approximately in a large one.

    Args:
        model: The retrieval model.
        schema: Schema of the transformed rows.
        users: A transformed row for each query.
        catalogue: What can be recommended.
        item: Column of the item's id.
        config: Settings.
    """

    def __init__(
        self,
        model: Any,
        schema: Schema,
        users: pa.Table,
        catalogue: Catalogue,
        item: str,
        config: EvaluateRetrievalConfig,
    ) -> None:
        self._model, self._schema, self._users = model, schema, users
        self._catalogue, self._item, self._config = catalogue, item, config
        self.exact = len(catalogue) <= config.exact_up_to
        self.layer = self.new_layer(exact=self.exact)
        self.recall = 1.0

    def new_layer(self, exact: bool) -> Any:
        """A top-k layer."""
        k = self._config.longest
        if exact:
            return mm.BruteForce(k=k)
        return mm.ApproximateTopK(k=k, recall_target=self._config.recall_target, exact_up_to=0)

    def found(self, queries: Queries) -> npt.NDArray[np.int64]:
        """What the model recommends, (Q, K).

        Raises:
            EmrysError: if an approximate search finds less of the exact results than the floor.
        """
        own = self._recommend(queries, self.layer).places
        if not self.exact:
            exact = self._recommend(queries, self.new_layer(exact=True)).places
            both = (own[:, :, None] == exact[:, None, :]).any(axis=2) & (own >= 0)
            self.recall = float(both.sum() / max(1, (exact >= 0).sum()))
            if self.recall < self._config.recall_floor:
                raise EmrysError(
                    "the approximate search finds too little of what the exact one finds",
                    step=STEP,
                    expected=f"a share of at least {self._config.recall_floor:g}",
                    got=f"{self.recall:.4f} among the first {self.layer.k}",
                    fix="Raise recall_target, or exact_up_to for an exact search.",
                )
        return own

    def _recommend(self, queries: Queries, layer: Any) -> Found:
        items, size = self._catalogue.features, self._config.batch_size
        return recommend(self._model, self._schema, self._users, items, self._item, queries.seen, layer, size)

    def metadata(self) -> dict[str, Any]:
        """What the export has to do the same way."""
        report = None if self.exact else dataclasses.asdict(self.layer.report)
        return {"strategy": "exact" if self.exact else "approximate", "recall": self.recall, "index": report}

    def metrics(self) -> dict[str, float]:
        """The recall of the search, where it is not exact."""
        return {} if self.exact else {"search_recall": self.recall}


def production_places(
    live: Production, queries: Queries, users: pa.Table, items: pa.Table, item: str, layer: Any, batch_size: int
) -> npt.NDArray[np.int64]:
    """What the model in production recommends, with the workflow that it was promoted with.

    It knows the items that it was trained with; of those that came later it recommends none.

    Args:
        live: The version in production.
        queries: Who is recommended to.
        users: A raw row for each query.
        items: A raw row for each item of the catalogue.
        item: Column of the item's id.
        layer: A top-k layer.
        batch_size: Queries that the model answers at once.

    Returns:
        Places (Q, K) in the catalogue.

    Raises:
        ArtifactError: if the version is damaged.
    """
    workflow = FittedWorkflow.load(live.workflow)
    return recommend(
        ModelArtifact(live.model).load(),
        FeatureSchema(live.schema).schema,
        workflow.transform_table(users),
        workflow.transform_table(items),
        item,
        queries.seen,
        layer,
        batch_size,
    ).places
