"""Targets of a model, their outputs, and the compiled losses and metrics."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras
from merlin.schema import ColumnSchema, Schema, Tags

import emrys.blocks as mm
from emrys.blocks.errors import ConfigError
from emrys.components.build_model.config import STEP, BuildModelConfig
from emrys.components.contracts.data_schema import DataSchema, Target, TargetKind
from emrys.components.contracts.settings import suggestion

_OPTIMIZERS = {"lazy_adam": mm.LazyAdam, "adam": keras.optimizers.Adam, "adagrad": mm.LazyAdagrad, "sgd": mm.LazySGD}


def targets_of(schema: Schema, data: DataSchema | None, config: BuildModelConfig) -> tuple[Target, ...]:
    """The targets that the model predicts, with their weights and sample spaces.

    Args:
        schema: Features and targets.
        data: Columns and targets of the log, or None.
        config: Settings.

    Raises:
        ConfigError: if the schema has no such target.
    """
    tagged = {column.name: column for column in mm.select_targets(schema)}
    declared = {target.name: target for target in (() if data is None else data.targets) if target.name in tagged}
    every = {name: declared.get(name) or Target(name, _kind(column)) for name, column in tagged.items()}
    names = [config.target] if config.target else list(config.tasks) or list(declared) or list(every)[:1]
    for name in [*names, *config.sample_space, *config.sample_space.values()]:
        if name not in every:
            raise ConfigError(
                "the schema has no such target",
                step=STEP,
                column=name,
                expected=f"one of {', '.join(every)}" if every else "a column tagged TARGET",
                fix=suggestion([name], every),
            )
    return tuple(
        dataclasses.replace(
            every[name],
            weight=float(config.tasks.get(name, every[name].weight)),
            sample_space=config.sample_space.get(name, every[name].sample_space),
        )
        for name in names
    )


def _kind(column: ColumnSchema) -> TargetKind:
    if Tags.BINARY_CLASSIFICATION in column.tags:
        return TargetKind.BINARY
    classes = (Tags.MULTI_CLASS_CLASSIFICATION, Tags.CATEGORICAL)
    return TargetKind.CLASSES if any(tag in column.tags for tag in classes) else TargetKind.REGRESSION


def number_of_classes(target: Target, schema: Schema) -> int:
    """Number of classes of a target, by the data schema or by the domain of its column.

    Raises:
        ConfigError: if neither says it.
    """
    domain = schema[target.name].int_domain
    if target.classes or domain is None or not domain.max:
        if len(target.classes) < 2:
            raise ConfigError("the number of classes is not known", step=STEP, column=target.name,
                              expected="a target with classes in the data schema, or a domain")  # fmt: skip
        return len(target.classes)
    return int(domain.max) + 1


def create_outputs(
    targets: Sequence[Target], schema: Schema, task_layers: Sequence[int] = (), dropout: float = 0.0
) -> list[mm.ModelOutput]:
    """Creates an output for each target.

    Its predictions are probabilities (B, 1) of a binary target, numbers (B, 1) of a regression, and probabilities
    (B, classes).

    Args:
        targets: The targets.
        schema: Schema with their columns.
        task_layers: Widths of the layers of each target alone. Default: none.
        dropout: Dropout rate after each of them. Default: 0.
    """
    outputs = []
    for target in targets:
        tower = mm.MLPBlock(list(task_layers), dropout=dropout or None) if task_layers else None
        if target.kind is TargetKind.BINARY:
            outputs.append(mm.BinaryOutput(target.name, pre=tower))
        elif target.kind is TargetKind.REGRESSION:
            outputs.append(mm.RegressionOutput(target.name, pre=tower))
        else:
            outputs.append(
                mm.CategoricalOutput(
                    keras.layers.Dense(number_of_classes(target, schema), activation="softmax", dtype="float32"),
                    target_name=target.name,
                    pre=tower,
                    default_loss=keras.losses.SparseCategoricalCrossentropy(),
                )
            )
    return outputs


def create_optimizer(config: BuildModelConfig) -> keras.optimizers.Optimizer:
    """Creates the optimizer of a configuration."""
    average = {"use_ema": True, "ema_momentum": config.ema_momentum} if config.ema_momentum else {}
    return _OPTIMIZERS[config.optimizer](learning_rate=config.learning_rate, **average)


def compile_ranking(model: mm.Model, targets: Sequence[Target], weighted: bool, config: BuildModelConfig) -> None:
    """Compiles a ranking model with the loss and the metrics of each target.

    Args:
        model: The model.
        targets: Its targets.
        weighted: Whether the rows have weights.
        config: Settings.
    """
    plain, weighted_metrics = {}, {}
    outputs = {output.target: output for output in model.model_outputs}
    for target in targets:
        output = outputs[target.name]
        classes = target.kind is TargetKind.CLASSES
        metrics = [keras.metrics.SparseCategoricalAccuracy(name="accuracy")] if classes else None
        if weighted or target.sample_space:
            weighted_metrics[target.name] = output.create_default_metrics() if metrics is None else metrics
            metrics = []
        plain[target.name] = output.create_default_metrics() if metrics is None else metrics
    weights = {target.name: target.weight for target in targets}
    model.compile(
        optimizer=create_optimizer(config),
        metrics=plain,
        weighted_metrics=weighted_metrics or None,
        loss_weights=weights if set(weights.values()) != {1.0} else None,
    )


def compile_plain(
    model: keras.Model, targets: Sequence[Target], outputs: Any, weighted: bool, config: BuildModelConfig
) -> None:
    """Compiles a Keras model without a loss, by the kinds of its targets.

    Args:
        model: The model.
        targets: Its targets.
        outputs: What it returns for a batch: a dictionary by target, or the prediction of the only target.
        weighted: Whether the rows have weights.
        config: Settings.
    """
    losses = {
        TargetKind.BINARY: "binary_crossentropy",
        TargetKind.REGRESSION: "mse",
        TargetKind.CLASSES: "sparse_categorical_crossentropy",
    }
    loss: Any = {target.name: losses[target.kind] for target in targets}
    metrics: Any = {target.name: [_metric(target.kind)] for target in targets}
    arguments: dict[str, Any] = {"loss_weights": {target.name: target.weight for target in targets}}
    if not isinstance(outputs, dict):
        ((name, loss),) = loss.items()
        metrics, arguments = metrics[name], {}
    weighted = weighted or any(target.sample_space for target in targets)
    arguments["weighted_metrics" if weighted else "metrics"] = metrics
    model.compile(optimizer=create_optimizer(config), loss=loss, **arguments)


def _metric(kind: TargetKind) -> keras.metrics.Metric:
    if kind is TargetKind.BINARY:
        return keras.metrics.AUC(name="auc")
    if kind is TargetKind.REGRESSION:
        return keras.metrics.RootMeanSquaredError(name="root_mean_squared_error")
    return keras.metrics.SparseCategoricalAccuracy(name="accuracy")
