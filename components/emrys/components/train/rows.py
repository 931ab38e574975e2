"""Rows of the training: files, columns, and weights of each target."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
from merlin.schema import ColumnSchema, Schema, Tags

import emrys.blocks as mm
from emrys.blocks.errors import SchemaError
from emrys.components.contracts.data_schema import DATA_SCHEMA_FILE, DataSchema
from emrys.components.contracts.feature_schema import FeatureSchema
from emrys.components.contracts.model import ModelArtifact
from emrys.components.contracts.transformed import Transformed
from emrys.components.train.config import STEP
from emrys.components.train.positives import write_positives


@dataclass(frozen=True)
class RowColumns:
    """Columns of the rows that a model is trained on.

    Args:
        features: The features that the loaders read.
        labels: The targets that the model is compared with.
        positives: For a retrieval model: the target whose positive rows are read; None for all rows.
        sample_space: Target whose positive rows are the rows of a label, by label.
        weight: Column of the row weights, or None.
    """

    features: Schema
    labels: Schema
    positives: str | None
    sample_space: Mapping[str, str]
    weight: str | None

    @classmethod
    def of(cls, model: keras.Model, artifact: ModelArtifact, columns: FeatureSchema) -> RowColumns:
        """Finds the columns for a model.

        Args:
            model: The model.
            artifact: Its artifact, which names the targets.
            columns: Schema of the transformed rows, with their data schema if there is one.

        Raises:
            SchemaError: if a target is missing.
        """
        data = DataSchema.read(columns.path) if (columns.path / DATA_SCHEMA_FILE).exists() else None
        schema, weight = columns.schema, None if data is None else data.weight
        features = schema.excluding_by_name([*mm.select_targets(schema).column_names, *([weight] if weight else [])])
        retrieval = isinstance(model, mm.RetrievalModelV2)
        if "targets" in artifact.metadata:
            names = list(artifact.targets)
        else:  # of an earlier release
            names = [label_of(schema)] if retrieval else [str(output.target) for output in model.model_outputs]
        for name in names:
            if name not in schema.column_names:
                got = ", ".join(mm.select_targets(schema).column_names) or "none"
                raise SchemaError("the schema lacks a target of the model", step=STEP, column=name, got=got)
        if retrieval:
            item = model.model_outputs[0].target
            labels = Schema([] if item is None else [schema[item]])
            used = features.select_by_name(model.input_schema.column_names)
            return cls(used, labels, names[0] if names else None, {}, weight)
        return cls(
            features, schema.select_by_name(names), None, dict(artifact.metadata.get("sample_space", {})), weight
        )

    def files(self, data: Transformed, folder: Path) -> dict[str, Path]:
        """Files of the rows of train and valid; `folder` takes those with the positive rows alone."""
        if self.positives is None:
            return {split: data.file(split) for split in ("train", "valid")}
        return {
            split: write_positives(data.file(split), self.positives, folder / f"{split}.parquet")
            for split in ("train", "valid")
        }

    def loader(self, file: Path, batch_size: int, schema: Schema, single: bool = False, **options: Any) -> mm.Loader:
        """A loader of the rows of a file.

        Args:
            file: Parquet file.
            batch_size: Rows of a batch.
            schema: Schema of the transformed rows.
            single: Whether the model takes its only target and weight by themselves, not by name. Default: False.
            **options: Further arguments of the loader.
        """
        targets = {column.name: column for column in self.labels}
        targets |= {name: schema[name] for name in self.sample_space.values()}
        if self.weight is not None:
            targets[self.weight] = ColumnSchema(self.weight, dtype="float32")
        used = {**{column.name: column for column in self.features}, **targets}
        loader = mm.Loader(
            file,
            batch_size,
            schema=Schema(list(used.values())),
            label_names=list(targets),
            feature_columns=list(self.features.column_names),
            **options,
        )
        if single or self.weight is not None or self.sample_space:
            loader.map(self._weighed(single))
        return loader

    def _weighed(self, single: bool) -> Callable[[Any, Any], Any]:
        """Transform that adds the weight of each row for each label, 0 outside of its sample space."""
        names, weighted = self.labels.column_names, self.weight is not None or bool(self.sample_space)

        def weigh(features: Any, read: Mapping[str, Any]) -> Any:
            row = None if self.weight is None else tf.reshape(tf.cast(read[self.weight], "float32"), (-1, 1))
            labels = {name: read[name] for name in names}
            if not weighted:
                return features, labels[names[0]]
            if row is None:
                first = read[next(iter(self.sample_space.values()))]
                row = tf.ones((tf.shape(first)[0], 1), "float32")
            weights = dict.fromkeys(names, row)
            for name, space in self.sample_space.items():
                inside = tf.reshape(tf.cast(read[space] > 0, "float32"), (-1, 1))
                weights[name] = row * inside
            if not names:
                return features, labels, row
            return (features, labels[names[0]], weights[names[0]]) if single else (features, labels, weights)

        return weigh


def label_of(schema: Schema) -> str:
    """Name of the only binary target of a schema.

    Raises:
        SchemaError: if there is another number of them.
    """
    names = schema.select_by_tag(Tags.BINARY_CLASSIFICATION).column_names
    if len(names) != 1:
        raise SchemaError("a retrieval model needs exactly one binary target", expected="one column", got=str(names))
    return str(names[0])
