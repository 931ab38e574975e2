"""What happens to batches behind the reader: layers, functions, lookups."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import keras
import tensorflow as tf
from merlin.schema import Schema

from emrys.blocks.core.calling import build_layer, call_layer
from emrys.blocks.core.prediction import Prediction
from emrys.blocks.errors import ConfigError, SchemaError
from emrys.blocks.loader.table_operator import TableOperator, is_table_operator

#: A layer, or a function of a batch's parts: `(features, targets)`, and the weights behind a step that gave some.
Step: TypeAlias = "keras.layers.Layer | Callable[..., Any]"
EXPECTED = "features by name, a tuple of features, targets and perhaps weights, or a Prediction of these"


def as_steps(argument: str, given: Any) -> list[Step]:
    """The steps that a caller gave as one or several; operators of Merlin's graphs become functions.

    Raises:
        ConfigError: One of them cannot be called.
    """
    steps = [] if given is None else list(given) if isinstance(given, list | tuple) else [given]
    steps = [TableOperator(step) if is_table_operator(step) else step for step in steps]
    for step in steps:
        if not callable(step):
            raise ConfigError(f"Loader: {argument}", expected="layers or functions", got=type(step).__name__)
    return steps


def through(dataset: tf.data.Dataset, steps: Sequence[Step]) -> tf.data.Dataset:
    """Sends batches through the steps, in a graph, one batch ahead of the reader.

    Raises:
        ConfigError: A step gives something else than a batch.
    """
    for step in steps:
        if isinstance(step, keras.layers.Layer) and not step.built:
            # Variables cannot be made while batches are on their way.
            build_layer(step, {name: tuple(spec.shape) for name, spec in dataset.element_spec[0].items()})
        # One after the other: a layer's random state has one order only that way.
        dataset = dataset.map(_as_function(step))
    return dataset.prefetch(1) if steps else dataset


def apply(step: Step, features: Any, targets: Any, weights: Any = None) -> tuple[Any, ...]:
    """The batch `(features, targets)`, or `(features, targets, weights)`, behind one step.

    Raises:
        ConfigError: It gives something else than a batch.
    """
    if isinstance(step, keras.layers.Layer):
        # Somebody who puts noise or masks into a loader wants them; for evaluation there is a loader without.
        found = call_layer(step, features, targets=targets, features=features, training=True)
    else:
        found = step(features, targets) if weights is None else step(features, targets, weights)
    if isinstance(found, Prediction):
        changed = (found.outputs, found.targets, found.sample_weight)
        found = tuple(new if new is not None else old for new, old in zip(changed, (features, targets, weights)))  # noqa: B905
    if isinstance(found, dict):
        found = (found, targets, weights)
    if not isinstance(found, tuple) or len(found) not in (2, 3):
        name = getattr(step, "name", None) or getattr(step, "__name__", type(step).__name__)
        raise ConfigError(f"Loader: the transform {name!r} gives no batch", expected=EXPECTED, got=type(found).__name__)
    made = (*found, weights)[:3]
    return made if made[2] is not None else made[:2]


def schema_behind(schema: Schema, steps: Sequence[Step]) -> Schema:
    """The schema of batches behind the steps.

    Raises:
        SchemaError: A step does not say what it makes of a schema.
    """
    for step in steps:
        compute = getattr(step, "compute_output_schema", None)
        if compute is None:
            name = getattr(step, "__name__", type(step).__name__)
            raise SchemaError(
                f"the schema behind the transform {name!r} is not known",
                fix="Give it a method compute_output_schema(schema).",
            )
        schema = compute(schema)
    return schema


def _as_function(step: Step) -> Callable[..., tuple[Any, ...]]:
    # A user's own function may hold an `if` on tensors. Nothing else is rewritten by AutoGraph: it hides errors.
    called = tf.function(step) if inspect.isroutine(step) else step

    @tf.autograph.experimental.do_not_convert
    def run(*batch: Any) -> tuple[Any, ...]:
        return apply(called, *batch)

    return run
