"""Builds an untrained model from a schema."""

from __future__ import annotations

import io
from dataclasses import asdict
from pathlib import Path

import keras
from merlin.schema import Schema, Tags

import emrys.blocks as mm
from emrys.blocks.errors import ConfigError
from emrys.components.build_model.config import STEP, Architecture, BuildModelConfig
from emrys.components.build_model.retrieval import BUILDERS
from emrys.components.contracts.feature_schema import FeatureSchema
from emrys.components.contracts.model import ModelArtifact
from emrys.components.events import emit, step_events

__all__ = ["Architecture", "BuildModelConfig", "build_dlrm", "build_model", "run"]


def build_dlrm(schema: Schema, config: BuildModelConfig) -> mm.Model:
    """Builds a compiled DLRM for the features of a schema.

    Args:
        schema: Features and targets.
        config: Settings.

    Returns:
        The model, built.

    Raises:
        ConfigError: if the schema has no such target.
    """
    targets = mm.select_targets(schema).column_names
    if config.target not in targets:
        raise ConfigError(
            "the schema has no such target",
            step=STEP,
            column=config.target,
            expected=f"one of {', '.join(targets)}" if targets else "a column tagged TARGET",
        )
    keras.utils.set_random_seed(config.seed)
    features = schema.excluding_by_name(targets)
    categorical = features.select_by_tag(Tags.CATEGORICAL)
    has_continuous = len(features.select_by_tag(Tags.CONTINUOUS)) > 0
    embeddings = mm.Embeddings(
        categorical, dim=config.embedding_dim, l2_batch_regularization_factor=config.embeddings_l2
    )
    bottom = mm.MLPBlock([*config.bottom_layers, config.embedding_dim]) if has_continuous else None
    model = mm.DLRMModel(
        features,
        embeddings=embeddings,
        bottom_block=bottom,
        top_block=mm.MLPBlock(list(config.top_layers), dropout=config.dropout or None),
        prediction_tasks=mm.BinaryOutput(schema[config.target]),
    )
    return _compile(model, features, config)


def build_retrieval(schema: Schema, config: BuildModelConfig) -> mm.RetrievalModelV2:
    """Builds a compiled retrieval model for the features of a schema.

    Args:
        schema: Features and targets.
        config: Settings.

    Returns:
        The model, built.

    Raises:
        SchemaError: if the architecture needs a column that is missing.
    """
    features = schema.excluding_by_name(mm.select_targets(schema).column_names)
    keras.utils.set_random_seed(config.seed)
    model = BUILDERS[config.architecture](features, config)
    input_schema: Schema = model.input_schema
    return _compile(model, features.select_by_name(input_schema.column_names), config)


def _compile(model: mm.Model, features: Schema, config: BuildModelConfig) -> mm.Model:
    """Compiles and builds a model."""
    average = {"use_ema": True, "ema_momentum": config.ema_momentum} if config.ema_momentum else {}
    model.compile(optimizer=keras.optimizers.Adam(config.learning_rate, **average))
    model.build({column.name: (None, None if column.is_list else 1) for column in features})
    return model


def build_model(schema: Schema, config: BuildModelConfig) -> mm.Model:
    """Builds the model of a configuration."""
    return (build_dlrm if config.architecture is Architecture.DLRM else build_retrieval)(schema, config)


def run(schema: Path, config: BuildModelConfig, output: Path) -> ModelArtifact:
    """Writes an untrained model for a schema.

    Args:
        schema: Artifact with the schema.
        config: Settings.
        output: Folder of the model artifact.

    Returns:
        The artifact.
    """
    with step_events(STEP):
        model = build_model(FeatureSchema(schema).schema, config)
        metadata = {"config": asdict(config), "parameters": int(model.count_params()), "trained": False}
        summary = describe(model)
        # Without slots, loading would warn. Built before the summary, the optimizer would be counted there.
        model.optimizer.build(model.trainable_variables)
        with ModelArtifact.create(output, metadata) as folder:
            model.save(folder / "model.keras")
            (folder / "summary.txt").write_text(summary, encoding="utf-8")
        emit(STEP, "message", text=f"{model.count_params():,} parameters")
        return ModelArtifact(output)


def describe(model: keras.Model) -> str:
    """Summary of a Keras model as text."""
    text = io.StringIO()
    model.summary(print_fn=lambda line, **_: text.write(line + "\n"), expand_nested=True, line_length=100)
    return text.getvalue()
