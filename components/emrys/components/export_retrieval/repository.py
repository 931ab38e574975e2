"""Writes the model repository of a retrieval ensemble: three models, each with its configuration and version folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pyarrow.parquet as pq

from emrys.blocks.errors import SchemaError
from emrys.components.export_ensemble.backends.model import COLUMNS
from emrys.components.export_ensemble.columns import Column, write_columns
from emrys.components.export_ensemble.repository import (
    RepositoryNames,
    copy_entry,
    copy_saved_model,
    version_folder,
    write_ensemble,
    write_model_config,
    write_transform,
)
from emrys.components.export_retrieval.backends import entries
from emrys.components.export_retrieval.backends.checksums import write_checksums
from emrys.components.export_retrieval.backends.item_index import write_index
from emrys.components.export_retrieval.backends.retrieve import INDEX, ITEMS, SEEN, SEEN_BY, output_columns, user_column
from emrys.components.export_retrieval.config import ExportRetrievalConfig
from emrys.components.export_retrieval.recommender import Recommender


def write_repository(
    models: Path, workflow: Path, recommender: Recommender, config: ExportRetrievalConfig, versions: Mapping[str, str]
) -> tuple[Column, ...]:
    """Writes the folder that a Triton server takes as its model repository.

    Args:
        models: The folder to fill; it exists.
        workflow: Folder of the fitted workflow of the query's columns.
        recommender: What recommends.
        config: Settings of the export.
        versions: Versions and fingerprints that the configurations carry as parameters.

    Returns:
        What the ensemble takes.

    Raises:
        SchemaError: if the query encoder wants a column that the workflow does not give, or the user's id has two
            types.
    """
    transform, transform_config = write_transform(models, workflow, config, versions)
    folder = version_folder(models, RepositoryNames(config.name).model, config)
    inputs, output = copy_saved_model(recommender.tower, folder, transform.outputs)
    write_columns(folder / COLUMNS, inputs, output=output, histories=list(recommender.histories))
    write_index(recommender.index, folder / INDEX)
    pq.write_table(recommender.items, folder / ITEMS, compression="zstd")
    recommender.seen.save(folder / SEEN)
    copy_entry(entries, "retrieve", folder)
    write_checksums(folder)
    seen_by, outputs = user_column(recommender.seen), output_columns(recommender.items)
    model_config = write_model_config(models, (*inputs, seen_by), outputs, config, versions)
    raw = _with_user(transform.inputs, Column(recommender.user, seen_by.dtype))
    write_ensemble(models, transform_config, model_config, raw, outputs, config, versions, {SEEN_BY: recommender.user})
    return raw


def _with_user(raw: tuple[Column, ...], user: Column) -> tuple[Column, ...]:
    """What a caller sends: the raw columns of the query, and the user's id where it is not among them."""
    for column in raw:
        if column.name == user.name:
            if column.dtype != user.dtype:
                raise SchemaError(
                    "the workflow and the seen items know users by ids of two types",
                    column=user.name,
                    expected=column.dtype,
                    got=user.dtype,
                )
            return raw
    return (user, *raw)
