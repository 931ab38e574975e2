"""Fits the feature workflow on the train split and applies it to all splits."""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from emrys.blocks.errors import ConfigError
from emrys.blocks.workflow import FittedWorkflow
from emrys.components.contracts.data_schema import DataSchema, Role
from emrys.components.contracts.fitted_workflow import FittedWorkflowArtifact
from emrys.components.contracts.splits import ITEMS_FILE, SPLITS, Splits
from emrys.components.contracts.transformed import Transformed
from emrys.components.events import emit, step_events
from emrys.components.preprocess.config import PreprocessConfig
from emrys.components.preprocess.fitting import Fitting
from emrys.components.preprocess.offline import OfflineWorkflow
from emrys.components.preprocess.own_features import own_features
from emrys.components.preprocess.raw_split import RawSplit, copied_columns, number_sources
from emrys.components.preprocess.survey import check_values
from emrys.components.recipe.builtin import recipe_for
from emrys.components.recipe.operators import Feature, feature_plan
from emrys.components.recipe.reading import recipe_of
from emrys.components.recipe.recipe import Recipe

__all__ = ["PreprocessConfig", "run"]

STEP = "preprocess"

_ROW_GROUP = 65_536


def run(
    splits: Path, config: PreprocessConfig, *, data: Path, workflow: Path
) -> tuple[Transformed, FittedWorkflowArtifact]:
    """Fits the workflow and writes it, and the transformed splits.

    Train rows get out-of-fold target encodings, other rows the statistics of all train rows. The rows keep their order.
    Equal inputs and settings give equal bytes.

    Args:
        splits: The raw splits.
        config: Settings.
        data: Folder of the `Transformed` artifact.
        workflow: Folder of the `FittedWorkflowArtifact`.

    Returns:
        Both artifacts.

    Raises:
        EmrysError: if the splits cannot be used; nothing is written then.
    """
    with step_events(STEP):
        raw_splits = Splits(splits)
        schema = raw_splits.data_schema
        plan = _plan(_recipe(raw_splits, config), schema)
        size = config.rows_per_partition
        raw = {split: RawSplit(raw_splits.file(split), schema, plan, size) for split in SPLITS}
        progress = _Progress(2 + sum(len(split.parts) for split in raw.values()))
        progress.next("reading the train split")
        check_values(raw["train"], schema)
        targets = (*(target.name for target in schema.targets), *number_sources(schema))
        with tempfile.TemporaryDirectory(prefix="emrys-preprocess-") as folder:
            progress.next(f"fitting on {raw['train'].rows:,} rows")
            items = raw_splits.items
            catalogue = None if items is None or schema.item_id is None else items[schema.item_id]
            fitting = Fitting(raw["train"], plan, targets, config, Path(folder), catalogue)
            _write(raw_splits, raw, fitting, config, data, workflow, progress)
        progress.next(f"{len(fitting.workflow.output_columns)} features")
        return Transformed(data), FittedWorkflowArtifact(workflow)


def _recipe(splits: Splits, config: PreprocessConfig) -> Recipe:
    """The recipe of the settings, or that of the data set."""
    if config.recipe:
        return recipe_of(config.recipe)
    return recipe_for(str(splits.metadata.get("dataset", "")), config.task, splits.columns)


def _plan(recipe: Recipe, schema: DataSchema) -> tuple[Feature, ...]:
    """The features of the recipe, and those of its module."""
    plan = feature_plan(recipe, schema)
    if not recipe.module:
        return plan
    own = own_features(recipe.module, schema)
    outputs = [feature.output for feature in (*plan, *own)]
    for name in outputs:
        if outputs.count(name) > 1 or name in copied_columns(schema):
            raise ConfigError(
                "the module has an output of the same name as a feature, target or weight",
                column=name,
                fix="Rename it with Rename, or leave the column out in one of them.",
            )
    return (*plan, *own)


def _write(
    raw_splits: Splits,
    raw: dict[str, RawSplit],
    fitting: Fitting,
    config: PreprocessConfig,
    data: Path,
    workflow: Path,
    progress: _Progress,
) -> None:
    """Writes both artifacts, or none of them if there is an error."""
    fitted, schema = fitting.workflow, raw_splits.data_schema
    outputs = [column.name for column in fitted.output_columns]
    data_metadata: dict[str, Any] = {
        "splits": raw_splits.fingerprint,
        "rows": {split: part.rows for split, part in raw.items()},
        "columns": outputs,
        "targets": list(fitted.targets),
        "weight": schema.weight,
    }
    workflow_metadata = {
        "splits": raw_splits.fingerprint,
        "config": dataclasses.asdict(config),
        "raw_columns": [dataclasses.asdict(column) for column in fitted.raw_columns],
        "output_columns": [dataclasses.asdict(column) for column in fitted.output_columns],
    }
    with Transformed.create(data, data_metadata) as data_folder:
        with (
            FittedWorkflowArtifact.create(workflow, workflow_metadata) as workflow_folder,
            OfflineWorkflow(fitted) as offline,
        ):
            fitted.save(workflow_folder)
            schema.write(data_folder)
            schema.write(workflow_folder)
            for split in SPLITS:
                _transform(raw[split], offline, fitting if split == "train" else None, data_folder, progress)
            if raw_splits.items is not None:
                pq.write_table(_transformed_items(raw_splits.items, fitted, schema), data_folder / ITEMS_FILE)
        data_metadata["workflow"] = FittedWorkflowArtifact(workflow).fingerprint


def _transform(
    split: RawSplit, offline: OfflineWorkflow, train: Fitting | None, folder: Path, progress: _Progress
) -> None:
    writer = None
    try:
        for number, table in enumerate(split):
            progress.next(f"transforming {split.path.stem}, part {number + 1} of {len(split.parts)}")
            transformed = offline.transform_clean(table)
            if train is not None:
                encoded = train.encode_train(table)
                for name in encoded.column_names:
                    transformed = transformed.set_column(transformed.column_names.index(name), name, encoded[name])
            for name in split.copied:
                transformed = transformed.append_column(name, table[name])
            writer = writer or pq.ParquetWriter(folder / split.path.name, transformed.schema, compression="zstd")
            writer.write_table(transformed, row_group_size=_ROW_GROUP)
    finally:
        if writer is not None:
            writer.close()


def _transformed_items(items: pa.Table, workflow: FittedWorkflow, schema: DataSchema) -> pa.Table:
    """The features of items, of each row of the catalogue; those of columns that it lacks are those of null."""
    columns = {column.name: column for column in schema.columns if column.role in (Role.ITEM_ID, Role.ITEM)}
    outputs = [op.output.name for op in workflow.ops if all(column.name in columns for column in op.inputs)]
    selected = workflow.select(outputs)
    for column in selected.raw_columns:
        if column.name not in items.column_names:
            nothing = pa.nulls(items.num_rows, columns[column.name].arrow_type)
            items = items.append_column(column.name, nothing)
    with OfflineWorkflow(selected) as offline:
        return offline.transform(items)


class _Progress:
    """Counts and reports the finished parts of the work."""

    def __init__(self, total: int) -> None:
        self._done, self._total = 0, total

    def next(self, text: str) -> None:
        emit(STEP, "progress", done=self._done, total=self._total, text=text)
        self._done += 1
