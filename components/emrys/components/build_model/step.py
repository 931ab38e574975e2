"""Making an untrained model that fits a schema."""

from __future__ import annotations

import io
from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras
from merlin.schema import Schema, Tags

import emrys.blocks as mm
from emrys.blocks.errors import ConfigError
from emrys.components.build_model.config import STEP, Architecture, BuildModelConfig
from emrys.components.build_model.retrieval import BUILDERS
from emrys.components.contracts.feature_schema import FeatureSchema
from emrys.components.contracts.model import ModelArtifact
from emrys.components.events import emit, running

__all__ = ["Architecture", "BuildModelConfig", "build_dlrm", "build_model", "run"]


def build_dlrm(schema: Schema, config: BuildModelConfig) -> mm.Model:
    """Makes a compiled DLRM with weights for the features of `schema`.

    Args:
        schema: Features and targets.
        config: Its sizes.

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
    return _ready(model, features, config)


def build_retrieval(schema: Schema, config: BuildModelConfig) -> mm.RetrievalModelV2:
    """Makes a compiled retrieval model with weights for the features of `schema` that it reads.

    Args:
        schema: Features and targets.
        config: Its architecture and sizes.

    Returns:
        The model, built.

    Raises:
        SchemaError: if a column is missing that the architecture needs.
    """
    features = schema.excluding_by_name(mm.select_targets(schema).column_names)
    keras.utils.set_random_seed(config.seed)
    model = BUILDERS[config.architecture](features, config)
    read: Any = model.input_schema
    return _ready(model, features.select_by_name(read.column_names), config)


def _ready(model: mm.Model, features: Schema, config: BuildModelConfig) -> mm.Model:
    """Compiled, and with weights."""
    average = {"use_ema": True, "ema_momentum": config.ema_momentum} if config.ema_momentum else {}
    model.compile(optimizer=keras.optimizers.Adam(config.learning_rate, **average))
    model.build({column.name: (None, None if column.is_list else 1) for column in features})
    return model


def build_model(schema: Schema, config: BuildModelConfig) -> mm.Model:
    """Makes the model that the configuration asks for."""
    return (build_dlrm if config.architecture is Architecture.DLRM else build_retrieval)(schema, config)


def run(schema: Path, config: BuildModelConfig, output: Path) -> ModelArtifact:
    """Writes an untrained model for a schema.

    Args:
        schema: Artifact with the schema.
        config: What the model looks like.
        output: Where the model artifact shall stand.

    Returns:
        The artifact.
    """
    with running(STEP):
        model = build_model(FeatureSchema(schema).schema, config)
        metadata = {"config": asdict(config), "parameters": int(model.count_params()), "trained": False}
        summary = describe(model)
        # Saved without slots it would be loaded with a warning; built before the summary it would be counted there.
        model.optimizer.build(model.trainable_variables)
        with ModelArtifact.create(output, metadata) as folder:
            model.save(folder / "model.keras")
            (folder / "summary.txt").write_text(summary, encoding="utf-8")
        emit(STEP, "message", text=f"{model.count_params():,} parameters")
        return ModelArtifact(output)


def describe(model: keras.Model) -> str:
    """The summary that Keras prints, as text."""
    text = io.StringIO()
    model.summary(print_fn=lambda line, **_: text.write(line + "\n"), expand_nested=True, line_length=100)
    return text.getvalue()
