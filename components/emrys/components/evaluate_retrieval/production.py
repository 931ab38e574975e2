"""What the model recommends that is in production, from the same raw rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from emrys.blocks.workflow import FittedWorkflow
from emrys.components.artifacts.feature_schema import FeatureSchema
from emrys.components.artifacts.model import ModelArtifact
from emrys.components.registry.production import Production
from emrys.components.retrieval.queries import Queries
from emrys.components.retrieval.search import recommend


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
