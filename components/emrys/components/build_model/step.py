"""Builds an untrained model from a schema."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras
from merlin.schema import Schema

import emrys.blocks as mm
from emrys.blocks.errors import ConfigError
from emrys.blocks.models.sample_inputs import sample_inputs
from emrys.components.build_model import layers, ranking, retrieval
from emrys.components.build_model.config import STEP, Architecture, BuildModelConfig
from emrys.components.build_model.outputs import compile_ranking, create_optimizer, create_outputs, targets_of
from emrys.components.build_model.own_model import build_own_model, module_of
from emrys.components.contracts.data_schema import DATA_SCHEMA_FILE, DataSchema, Target
from emrys.components.contracts.feature_schema import FeatureSchema
from emrys.components.contracts.model import ModelArtifact
from emrys.components.events import emit, step_events
from emrys.components.recipe.models import MODELS

__all__ = ["Architecture", "BuildModelConfig", "build_model", "build_ranking", "build_retrieval", "run"]


def build_ranking(
    schema: Schema, targets: Sequence[Target], config: BuildModelConfig, weighted: bool = False
) -> mm.Model:
    """Builds a compiled ranking model for the features of a schema.

    Args:
        schema: Features and targets.
        targets: The targets that the model predicts.
        config: Settings.
        weighted: Whether the rows have weights. Default: False.

    Returns:
        The model, built.

    Raises:
        ConfigError: if the architecture cannot predict the targets.
    """
    _check_targets(targets, config)
    features = _features(schema)
    keras.utils.set_random_seed(config.seed)
    option: Any = config.model_options
    tower = {"task_layers": option.task_layers, "dropout": option.dropout} if hasattr(option, "task_layers") else {}
    outputs = create_outputs(targets, schema, **tower)
    model = ranking.BUILDERS[config.architecture](features, outputs, option)
    compile_ranking(model, targets, weighted, config)
    _built(model, features)
    ranking.zero_linear_weights(model)
    return model


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
    features = _features(schema)
    keras.utils.set_random_seed(config.seed)
    model = retrieval.BUILDERS[config.architecture](features, config.model_options)
    model.compile(optimizer=create_optimizer(config))
    input_schema: Schema = model.input_schema
    return _built(model, features.select_by_name(input_schema.column_names))


def _check_targets(targets: Sequence[Target], config: BuildModelConfig) -> None:
    kind, name = MODELS[config.architecture], config.architecture.value
    for target in targets:
        if target.kind not in kind.targets:
            able = [each for each, other in MODELS.items() if target.kind in other.targets]
            raise ConfigError(f"{name} cannot predict a target of the kind {target.kind.value}", step=STEP,
                              column=target.name, fix=f"Take one of {', '.join(able)}.")  # fmt: skip
    names = ", ".join(target.name for target in targets) or "none"
    if len(targets) < kind.fewest_targets:
        raise ConfigError(
            f"{name} needs more targets", step=STEP, expected=f"at least {kind.fewest_targets}", got=names
        )
    if kind.most_targets is not None and len(targets) > kind.most_targets:
        fix = "Name one of them in tasks, or take another model, such as mlp."
        raise ConfigError(f"{name} predicts a single target", step=STEP, expected="one", got=names, fix=fix)


def _features(schema: Schema) -> Schema:
    features: Schema = schema.excluding_by_name(mm.select_targets(schema).column_names)
    return features


def _built(model: mm.Model, features: Schema) -> mm.Model:
    batch = sample_inputs(features, batch_size=1)
    model.build({name: (None, *tuple(value.shape)[1:]) for name, value in batch.items()})
    return model


def predicted_targets(schema: Schema, data: DataSchema | None, config: BuildModelConfig) -> tuple[Target, ...]:
    """The targets that a model predicts; for retrieval the one whose positive rows it is trained on, or none."""
    if (config.is_retrieval or config.module) and not len(mm.select_targets(schema)):
        return ()  # implicit feedback
    targets = targets_of(schema, data, config)
    if not config.is_retrieval:
        return targets
    chosen = targets if config.target or config.tasks else targets[:1]
    _check_targets(chosen, config)
    return chosen


def build_model(schema: Schema, config: BuildModelConfig, data: DataSchema | None = None) -> keras.Model:
    """Builds the model of a configuration.

    Args:
        schema: Features and targets.
        config: Settings.
        data: Columns and targets of the log. Default: the targets are those that the schema tags.
    """
    if config.is_retrieval:
        return build_retrieval(schema, config)
    targets, weighted = predicted_targets(schema, data, config), data is not None and data.weight is not None
    if config.module:
        keras.utils.set_random_seed(config.seed)
        return build_own_model(schema, targets, weighted, config)
    return build_ranking(schema, targets, config, weighted)


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
        columns = FeatureSchema(schema)
        data = DataSchema.read(columns.path) if (columns.path / DATA_SCHEMA_FILE).exists() else None
        model = build_model(columns.schema, config, data)
        targets = predicted_targets(columns.schema, data, config)
        metadata = {
            "config": {**asdict(config), "options": _resolved_options(config)},
            "parameters": int(model.count_params()),
            "trained": False,
            "targets": {target.name: target.kind.value for target in targets},
            "sample_space": {target.name: target.sample_space for target in targets if target.sample_space},
            "modules": _modules(config),
        }
        summary = describe(model)
        # Without slots, loading would warn. Built before the summary, the optimizer would be counted there.
        model.optimizer.build(model.trainable_variables)
        with ModelArtifact.create(output, metadata) as folder:
            model.save(folder / "model.keras")
            (folder / "summary.txt").write_text(summary, encoding="utf-8")
        emit(STEP, "message", text=f"{model.count_params():,} parameters")
        return ModelArtifact(output)


def _resolved_options(config: BuildModelConfig) -> dict[str, Any]:
    return dict(config.options) if config.module else config.model_options.model_dump(mode="json")


def _modules(config: BuildModelConfig) -> list[str]:
    """Modules with layers of the model, which are imported before it is loaded."""
    if config.module:
        return [module_of(config)]
    return [layers.__name__] if MODELS[config.architecture].sessions else []


def describe(model: keras.Model) -> str:
    """Summary of a Keras model as text."""
    text = io.StringIO()
    model.summary(print_fn=lambda line, **_: text.write(line + "\n"), expand_nested=True, line_length=100)
    return text.getvalue()
