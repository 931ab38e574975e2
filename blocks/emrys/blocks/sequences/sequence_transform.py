"""Base class of the sequence transforms."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from typing import Any, ClassVar, Unpack

import keras
import tensorflow as tf
from merlin.schema import ColumnSchema, Schema, Tags

from emrys.blocks.core.block import Block, BlockArguments
from emrys.blocks.core.calling import Shape, as_shape, build_layer, call_layer, output_shape
from emrys.blocks.core.prediction import Prediction
from emrys.blocks.core.runtime_checks import require
from emrys.blocks.core.serializing import to_config
from emrys.blocks.errors import ConfigError, SchemaError
from emrys.blocks.inputs.prepare_features import PrepareFeatures
from emrys.blocks.sequences.ragged_rows import as_rows, lengths, lengths_without_padding


class SequenceTransform(Block):
    """Base of the blocks that take the targets of a batch from one of its sequences.

    A subclass implements `transform` for ragged sequences. In dense sequences, zeros on the right of the target column
    are padding.

    Args:
        schema: The sequences; all have the same lengths.
        target: The sequence to predict: a name, a tag that exactly one column has, or a column schema.
        pre: Layer that is applied to the features after `PrepareFeatures`. Default: none.
        transformer: The `TransformerBlock` of the model; `configure_for_train` sets its training objective.
            Default: none.

    Raises:
        ConfigError: if `schema` is not a schema, or several of its columns have the tag.
        SchemaError: if the target is not in the schema.
    """

    #: Training objective of the transformer, see `TransformerBlock`; None leaves it unchanged.
    predicts: ClassVar[str | None] = None
    #: Suffix of the name of the mask feature; None for no mask.
    mask_suffix: ClassVar[str | None] = None
    #: Number of elements that the transform removes from dense sequences.
    shorter: ClassVar[int] = 0
    #: Minimum length of a sequence.
    min_length: ClassVar[int] = 0

    def __init__(
        self,
        schema: Schema,
        target: str | Tags | ColumnSchema,
        pre: keras.layers.Layer | None = None,
        transformer: keras.layers.Layer | None = None,
        **kwargs: Unpack[BlockArguments],
    ) -> None:
        super().__init__(**kwargs)
        owner = type(self).__name__
        if not isinstance(schema, Schema):
            raise ConfigError(f"{owner}: schema", expected="a Schema of the sequences", got=repr(schema))
        self._columns = schema
        #: Name of the sequence that is predicted.
        self.target_name = _target_name(schema, target, owner)
        self.prepare_features = PrepareFeatures(schema)
        self.pre = pre
        # A weak reference: Keras would track the layer's weights as this block's.
        self._transformer = None if transformer is None else weakref.ref(transformer)

    @property
    def schema(self) -> Schema:
        """The sequences."""
        return self._columns

    @property
    def transformer(self) -> Any:
        """The transformer whose training objective `configure_for_train` sets; None without one."""
        return None if self._transformer is None else self._transformer()

    @property
    def mask_name(self) -> str | None:
        """Name of the mask feature, see `emrys.blocks.sequences.masked_positions`."""
        return None if self.mask_suffix is None else self.target_name + self.mask_suffix

    def transform(self, sequences: dict[str, tf.Tensor]) -> tuple[dict[str, Any], Any, Any]:
        """Splits sequences into inputs, target and mask.

        Args:
            sequences: The sequences of the schema by name, ragged (B, None, 1).

        Returns:
            The input sequences; the target, ragged or (B, 1); the mask, ragged (B, None), or None.
        """
        raise NotImplementedError

    def build(self, input_shape: Shape) -> None:
        """Builds the preceding layers."""
        self._prepared_shape(input_shape, building=True)
        self.built = True

    def call(
        self,
        inputs: dict[str, tf.Tensor],
        targets: tf.Tensor | Mapping[str, tf.Tensor] | None = None,
        training: bool | None = None,
        testing: bool | None = None,
        features: Mapping[str, tf.Tensor] | None = None,
    ) -> Any:
        """Returns inputs and targets; within a model (which passes `features`) only in training and testing."""
        prepared = self.prepare_features(inputs)
        if self.pre is not None:
            prepared = call_layer(self.pre, prepared, training=training, testing=testing)
        if features is not None and not training and not testing:
            return prepared
        if targets is not None and not isinstance(targets, dict):
            raise ConfigError(
                f"{self.name}: targets", expected="None, or a dictionary by name", got=type(targets).__name__
            )
        sequences = self._sequences(prepared)
        dense = not isinstance(sequences[self.target_name], tf.RaggedTensor)
        rows = self._as_rows(sequences) if dense else sequences
        self._check_lengths(rows)
        transformed, target, mask = self.transform(rows)
        if dense:
            length = _length(sequences[self.target_name]) - self.shorter
            transformed = {name: _padded(row, length) for name, row in transformed.items()}
            target, mask = _padded(target, length), _padded(mask, length)
        outputs = {name: transformed.get(name, tensor) for name, tensor in prepared.items()}
        if self.mask_name is not None:
            outputs[self.mask_name] = mask
        return Prediction(outputs, {**(targets or {}), self.target_name: target})

    def _sequences(self, features: dict[str, Any]) -> dict[str, Any]:
        for name in self._columns.column_names:
            if name not in features:
                raise SchemaError(
                    f"{self.name}: a sequence is missing", column=name, expected="all columns of its schema",
                    got=", ".join(features),
                )  # fmt: skip
            if len(features[name].shape) < 3:
                raise SchemaError(
                    f"{self.name}: a column is not a sequence", column=name, expected="lists",
                    got=f"shape {tuple(features[name].shape)}", fix="Remove it from the schema of the sequences.",
                )  # fmt: skip
        sequences = {name: features[name] for name in self._columns.column_names}
        if len({isinstance(tensor, tf.RaggedTensor) for tensor in sequences.values()}) > 1:
            raise SchemaError(f"{self.name}: some sequences are ragged and some are dense", fix="Use ListToDense.")
        return sequences

    def _as_rows(self, sequences: dict[str, Any]) -> dict[str, Any]:
        size = lengths_without_padding(sequences[self.target_name])
        return {name: as_rows(tensor, size) for name, tensor in sequences.items()}

    def _check_lengths(self, sequences: dict[str, Any]) -> None:
        size = lengths(sequences[self.target_name])
        require(
            size >= self.min_length,
            f"{self.name}: a sequence of {self.target_name} is too short",
            expected=f"at least {self.min_length} items",
            fix="Remove shorter sequences.",
        )
        for name, sequence in sequences.items():
            require(
                tf.equal(lengths(sequence), size),
                f"{self.name}: sequences of {name} and {self.target_name} have different lengths",
                expected="equal lengths in a row",
                fix="Remove the column from the schema of the sequences.",
            )

    def _prepared_shape(self, input_shape: Shape, building: bool = False) -> dict[str, Any]:
        shape = build_layer(self.prepare_features, as_shape(input_shape))
        if self.pre is None:
            return dict(shape)
        return dict(build_layer(self.pre, shape) if building else output_shape(self.pre, shape))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Shapes of the features, including the mask."""
        shapes = self._prepared_shape(input_shape)
        for name in self._columns.column_names:
            if name in shapes and shapes[name][1] is not None:
                shapes[name] = (shapes[name][0], shapes[name][1] - self.shorter, *shapes[name][2:])
        if self.mask_name is not None:
            shapes[self.mask_name] = shapes[self.target_name][:2]
        return shapes

    def configure_for_train(self) -> None:
        """Sets the training objective of the transformer; `fit` calls it.

        Raises:
            ConfigError: if the transformer is built for another objective.
        """
        if self.transformer is not None and self.predicts is not None:
            self.transformer.set_predicts(self.predicts)

    def configure_for_test(self) -> None:
        """Checks that the transformer was trained with the objective of this transform; `evaluate` calls it.

        Raises:
            ConfigError: if it was not.
        """
        if self.transformer is None or self.predicts is None or self.transformer.predicts == self.predicts:
            return
        raise ConfigError(
            f"{self.name} does not fit the training objective of the transformer {self.transformer.name!r}",
            expected=f"predicts={self.predicts!r}",
            got=f"predicts={self.transformer.predicts!r}",
            fix=f"Train with fit(pre={type(self).__name__}(..., transformer=...)), or use that transform here.",
        )

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, without the transformer, which belongs to the model."""
        return {
            **super().get_config(),
            "schema": to_config(self._columns),
            "target": self.target_name,
            "pre": to_config(self.pre),
        }


def _target_name(schema: Schema, target: str | Tags | ColumnSchema, owner: str) -> str:
    if isinstance(target, Tags):
        tagged = schema.select_by_tag(target).column_names
        if len(tagged) > 1:
            raise ConfigError(
                f"{owner}: several columns are tagged {target.name}", expected="one", got=", ".join(tagged),
                fix="Pass the name of the target.",
            )  # fmt: skip
        name = tagged[0] if tagged else f"one tagged {target.name}"
    else:
        name = target.name if isinstance(target, ColumnSchema) else str(target)
    if name not in schema.column_names:
        raise SchemaError(
            f"{owner}: the target is not in the schema",
            column=name,
            expected=f"one of {', '.join(schema.column_names)}",
        )
    return name


def _length(dense: Any) -> Any:
    """The length of dense sequences: a static number if it is known, else a tensor."""
    return int(dense.shape[1]) if dense.shape[1] is not None else tf.shape(dense)[1]


def _padded(rows: Any, length: Any) -> Any:
    """Pads ragged rows to a dense tensor of a length; other values are returned unchanged."""
    if not isinstance(rows, tf.RaggedTensor):
        return rows
    if isinstance(length, int):
        return rows.to_tensor(shape=(None, length, *rows.shape[2:]))
    dense = rows.to_tensor()
    return tf.pad(dense, [[0, 0], [0, length - tf.shape(dense)[1]], *([0, 0] for _ in dense.shape[2:])])
