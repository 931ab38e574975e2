"""Export of a model as a SavedModel that requires only TensorFlow."""

from __future__ import annotations

import os
from typing import Any

import keras
import tensorflow as tf
from merlin.schema import Schema, Tags

from emrys.blocks.core.features import OFFSETS, VALUES, prepare
from emrys.blocks.errors import ConfigError, SchemaError
from emrys.blocks.io import atomic_directory
from emrys.blocks.models.sample_inputs import column_dtype, fixed_length, vector_sizes


def serving_signature(model: keras.Model, schema: Schema | None = None) -> dict[str, tf.TensorSpec]:
    """Returns the input tensors of a served model, by name.

    A scalar column is one tensor (B, 1); a pretrained vector, or a list of numbers of a fixed length, one (B, D). Any
    other list column is two: `<column>__values` (sum of the lengths,), for lists of vectors (sum of the lengths, D),
    and `<column>__offsets` (B + 1,) int32, where the values of row `i` are those from `offsets[i]` to
    `offsets[i + 1]`.

    Args:
        model: A model of this library, or any other Keras model if `schema` says its columns.
        schema: Columns of a batch. Default: those of the model.

    Raises:
        SchemaError: if the model has no schema, or a column has no type.
    """
    schema = getattr(model, "input_schema", None) if schema is None else schema
    if schema is None:
        raise SchemaError(f"{model.name} knows no schema", fix="Give Model(..., schema=) the columns of a batch.")
    specs: dict[str, tf.TensorSpec] = {}
    for column in schema:
        dtype = column_dtype(column)
        is_vector = Tags.EMBEDDING in column.tags or (column.is_list and Tags.CONTINUOUS in column.tags)
        if is_vector and not column.is_ragged:
            shape = (None, fixed_length(column), *vector_sizes(column))
            specs[column.name] = tf.TensorSpec(shape, dtype, column.name)
        elif column.is_list:
            shape = (None, *vector_sizes(column))
            specs[column.name + VALUES] = tf.TensorSpec(shape, dtype, column.name + VALUES)
            specs[column.name + OFFSETS] = tf.TensorSpec((None,), tf.int32, column.name + OFFSETS)
        else:
            specs[column.name] = tf.TensorSpec((None, 1), dtype, column.name)
    return specs


def save_serving(model: keras.Model, path: str | os.PathLike[str], schema: Schema | None = None) -> None:
    """Writes a SavedModel whose default signature is `serving_signature(model)`.

    Predictions are returned by output name, `<target>/<output>`, also with one output; those of a `TopKEncoder` as
    `scores` and `identifiers`; those of a model without outputs, such as an `Encoder`, as `vectors`. Any other Keras
    model returns what it returns: a dictionary of predictions by its keys, a single one as `prediction`. The SavedModel
    is the model's graph: no Python code of its layers is needed to load it.

    A model of trained layers that was never called itself, such as the top-k encoder of a trained one, is built first.

    Args:
        model: A model with weights.
        path: Folder to write.
        schema: Columns of a batch, needed for a Keras model that is not of this library. Default: those of the model.

    Raises:
        ConfigError: if the model has no weights yet.
        SchemaError: if the model has no schema, or a column has no type.
    """
    specs = serving_signature(model, schema) if model.weights else {}
    if not model.built and model.weights:
        model.build({name: tuple(spec.shape) for name, spec in specs.items()})
    if not model.built:
        raise ConfigError(f"{model.name} has no weights yet", fix="Train it, or call it on a batch, first.")
    outputs = getattr(model, "model_outputs", None)
    names = ["prediction"] if outputs is None else [output.task_name for output in outputs] or ["vectors"]

    def serve(tensors: dict[str, Any]) -> dict[str, Any]:
        predictions = model(prepare(tensors), training=False)
        as_dict = getattr(predictions, "_asdict", None)  # scores and ids of a top-k layer
        if as_dict is not None:
            return dict(as_dict())
        return dict(predictions) if isinstance(predictions, dict) else {names[0]: predictions}

    archive = keras.export.ExportArchive()
    if outputs is None:
        # Tracked as a whole, a model of one's own would be traced on dense tensors, which its lists may not be.
        holder = tf.Module()
        holder.weights = [variable.value for variable in model.variables]
        for resource in (holder, *(layer for layer in model.layers if not isinstance(layer, keras.Model))):
            archive.track(resource)
    else:
        archive.track(model)
    archive.add_endpoint("serve", serve, input_signature=[specs])
    with atomic_directory(path) as folder:
        archive.write_out(os.fspath(folder), verbose=False)
