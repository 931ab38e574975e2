"""Writing the model repository of a retrieval ensemble, which recommends items for raw queries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from emrys.blocks.errors import SchemaError
from emrys.blocks.retrieval.seen_items import SeenItems
from emrys.blocks.retrieval.top_k_layer import TopKLayer
from emrys.components.serving.backends.item_index import write_index
from emrys.components.serving.backends.retrieve_step import (
    INDEX,
    ITEMS,
    SEEN,
    SEEN_BY,
    output_columns,
    user_column,
    write_checksums,
)
from emrys.components.serving.backends.saved_signature import COLUMNS
from emrys.components.serving.columns import Column, write_columns
from emrys.components.serving.config import EnsembleConfig
from emrys.components.serving.model_config import EnsembleNames
from emrys.components.serving.repository import (
    copy_entry,
    copy_saved_model,
    version_folder,
    write_ensemble,
    write_model_config,
    write_transform,
)


@dataclass(frozen=True)
class Recommender:
    """The parts of a retrieval ensemble besides its workflow.

    Attributes:
        tower: SavedModel of the query encoder.
        index: Top-k layer with the catalogue, by the ids in the transformed data.
        items: The catalogue, (N): `id` in the transformed data and `key`, the id that callers know, int64 or string.
        seen: Ids in the transformed data of the items that each user has seen, by the raw id of the user.
        user: Raw column of the user's id.
        histories: List columns of the query that contain items, after the workflow.
    """

    tower: Path
    index: TopKLayer
    items: pa.Table
    seen: SeenItems
    user: str
    histories: tuple[str, ...] = ()


def write_retrieval_repository(
    models: Path, workflow: Path, recommender: Recommender, config: EnsembleConfig, versions: Mapping[str, str]
) -> tuple[Column, ...]:
    """Writes the model repository of a retrieval ensemble.

    Args:
        models: Folder to fill; it must exist.
        workflow: Folder of the fitted workflow of the query's columns.
        recommender: The other parts of the ensemble.
        config: Settings of the export.
        versions: Versions and fingerprints, which become parameters of the configurations.

    Returns:
        Inputs of the ensemble.

    Raises:
        SchemaError: if the query encoder requires a column that the workflow does not produce, or the workflow and the
            seen items have user ids of different types.
    """
    transform, transform_config = write_transform(models, workflow, config, versions)
    folder = version_folder(models, EnsembleNames(config.name).model, config)
    inputs = copy_saved_model(recommender.tower, folder, transform.outputs)
    write_columns(folder / COLUMNS, inputs, histories=list(recommender.histories))
    write_index(recommender.index, folder / INDEX)
    pq.write_table(recommender.items, folder / ITEMS, compression="zstd")
    recommender.seen.save(folder / SEEN)
    copy_entry("retrieve", folder)
    write_checksums(folder)
    seen_by, outputs = user_column(recommender.seen), output_columns(recommender.items)
    model_config = write_model_config(models, (*inputs, seen_by), outputs, config, versions)
    raw = _with_user(transform.inputs, Column(recommender.user, seen_by.dtype))
    write_ensemble(models, transform_config, model_config, raw, outputs, config, versions, {SEEN_BY: recommender.user})
    return raw


def _with_user(raw: tuple[Column, ...], user: Column) -> tuple[Column, ...]:
    """Adds the user's id to the raw columns of the query, unless it is one of them."""
    for column in raw:
        if column.name == user.name:
            if column.dtype != user.dtype:
                raise SchemaError(
                    "the workflow and the seen items have user ids of different types",
                    column=user.name,
                    expected=column.dtype,
                    got=user.dtype,
                )
            return raw
    return (user, *raw)
