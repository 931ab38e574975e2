"""Writing the model repository of a retrieval ensemble, which recommends items for raw queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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
    time_parameter,
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
        histories: List columns of the query whose items are excluded: their names after the workflow, and the raw ones.
            Default: none.
        user: Raw column of the user's id. Default: None, the query has no user.
        seen: Ids in the transformed data of the items that each user has seen, by the raw id of the user, which are
            excluded. Default: None, none are.
    """

    tower: Path
    index: TopKLayer
    items: pa.Table
    histories: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None
    seen: SeenItems | None = None


def write_retrieval_repository(
    models: Path,
    workflow: Path,
    recommender: Recommender,
    config: EnsembleConfig,
    versions: Mapping[str, str],
    time_units: Mapping[str, str] | None = None,
) -> tuple[Column, ...]:
    """Writes the model repository of a retrieval ensemble.

    Args:
        models: Folder to fill; it must exist.
        workflow: Folder of the fitted workflow of the query's columns.
        recommender: The other parts of the ensemble.
        config: Settings of the export.
        versions: Versions and fingerprints, which become parameters of the configurations.
        time_units: Unit of each raw column of times. Default: there is none.

    Returns:
        Inputs of the ensemble.

    Raises:
        SchemaError: if the query encoder requires a column that the workflow does not produce, the workflow and the
            seen items have user ids of different types, or a raw column has the name of an output.
    """
    transform, transform_config = write_transform(models, workflow, config, versions)
    folder = version_folder(models, EnsembleNames(config.name).model, config)
    inputs = copy_saved_model(recommender.tower, folder, transform.outputs)
    write_columns(folder / COLUMNS, inputs, histories=list(recommender.histories))
    write_index(recommender.index, folder / INDEX)
    pq.write_table(recommender.items, folder / ITEMS, compression="zstd")
    raw, untransformed = transform.inputs, {}
    if recommender.seen is not None and recommender.user is not None:
        recommender.seen.save(folder / SEEN)
        seen_by = user_column(recommender.seen)
        inputs, untransformed = (*inputs, seen_by), {SEEN_BY: recommender.user}
        raw = _with_user(raw, Column(recommender.user, seen_by.dtype))
    copy_entry("retrieve", folder)
    write_checksums(folder)
    outputs = output_columns(recommender.items)
    _check_names(raw, inputs, outputs)
    model_config = write_model_config(models, inputs, outputs, config, versions)
    parameters = {**versions, **time_parameter(raw, time_units)}
    write_ensemble(models, transform_config, model_config, raw, outputs, config, parameters, untransformed)
    return raw


def _check_names(raw: Sequence[Column], inputs: Sequence[Column], outputs: Sequence[Column]) -> None:
    """Checks that no column of the data has a name of the ensemble's own."""
    names = [column.name for column in raw]
    own = [column.name for column in outputs if column.name in names]
    own += [SEEN_BY] if [column.name for column in inputs].count(SEEN_BY) > 1 else []
    if own:
        raise SchemaError(
            "a column has a name that the ensemble uses itself", column=own[0], fix="Rename the column in the data."
        )


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
