"""What sequence transforms share."""

from __future__ import annotations

import weakref
from typing import Any, ClassVar

import keras
import tensorflow as tf
from merlin.schema import ColumnSchema, Schema, Tags

from emrys.blocks.core.block import Block
from emrys.blocks.core.calling import Shape, as_shape, build_layer, call_layer
from emrys.blocks.core.prediction import Prediction
from emrys.blocks.core.serializing import to_config
from emrys.blocks.errors import ConfigError, SchemaError
from emrys.blocks.inputs.prepare_features import PrepareFeatures
from emrys.blocks.sequences.ragged_rows import as_rows, lengths, lengths_without_padding
from emrys.blocks.sequences.runtime_checks import require


class SequenceTransform(Block):
    """Base of the blocks that make the targets of a batch out of one of its sequences.

    A subclass writes `transform`, on ragged rows. In dense sequences 0 on the right, in the column of the target, is
    padding.

    Args:
        schema: The sequences; all have the same lengths.
        target: The one that is predicted: a name, a tag that one column has, or a column schema.
        pre: Layer on the features before, once lists are prepared by `PrepareFeatures`. Default: none.
        transformer: The `TransformerBlock` of the model, which `configure_for_train` tells how it is trained.
            Default: none.

    Raises:
        ConfigError: if `schema` is no schema, or several of its columns have the tag.
        SchemaError: if the target is not in the schema.
    """

    #: What a transformer is told about its training, see `TransformerBlock`; None for nothing.
    predicts: ClassVar[str | None] = None
    #: Suffix of the feature that holds the mask; None where there is no mask.
    mask_suffix: ClassVar[str | None] = None
    #: How many elements shorter the sequences become, where they are dense.
    shorter: ClassVar[int] = 0
    #: The least length of a row.
    least: ClassVar[int] = 0

    def __init__(
        self,
        schema: Schema,
        target: str | Tags | ColumnSchema,
        pre: keras.layers.Layer | None = None,
        transformer: keras.layers.Layer | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        what = type(self).__name__
        if not isinstance(schema, Schema):
            raise ConfigError(f"{what}: schema", expected="a Schema of the sequences", got=repr(schema))
        self._columns = schema
        #: Name of the sequence that is predicted.
        self.target_name = _target_name(schema, target, what)
        self.prepare_features = PrepareFeatures(schema)
        self.pre = pre
        # Not the layer itself: Keras would take its weights for this block's.
        self._transformer = None if transformer is None else weakref.ref(transformer)

    @property
    def schema(self) -> Schema:
        """The sequences."""
        return self._columns

    @property
    def transformer(self) -> Any:
        """The transformer that `configure_for_train` tells how it is trained, None without one."""
        return None if self._transformer is None else self._transformer()

    @property
    def mask_name(self) -> str | None:
        """The feature that holds the mask of what is predicted, see `emrys.blocks.sequences.masked_positions`."""
        return None if self.mask_suffix is None else self.target_name + self.mask_suffix

    def transform(self, sequences: dict[str, Any]) -> tuple[dict[str, Any], Any, Any]:
        """Makes inputs, target and mask.

        Args:
            sequences: Ragged (B, None, 1) by name, those of the schema.

        Returns:
            The new sequences; the target, ragged or (B, 1); the mask, ragged (B, None), or None.
        """
        raise NotImplementedError

    def build(self, input_shape: Shape) -> None:
        """Builds what is before."""
        self._prepared_shape(input_shape, building=True)
        self.built = True

    def call(
        self,
        inputs: dict[str, Any],
        targets: Any = None,
        training: bool | None = None,
        testing: bool | None = None,
        features: Any = None,
    ) -> Any:
        """Makes inputs and targets; within a model (which tells `features`) in training and testing alone."""
        prepared = self.prepare_features(inputs)
        if self.pre is not None:
            prepared = call_layer(self.pre, prepared, training=training, testing=testing)
        if features is not None and not training and not testing:
            return prepared
        if targets is not None and not isinstance(targets, dict):
            raise ConfigError(
                f"{self.name}: targets", expected="none, or a dictionary by name", got=type(targets).__name__
            )
        sequences = self._sequences(prepared)
        dense = not isinstance(sequences[self.target_name], tf.RaggedTensor)
        rows = self._as_rows(sequences) if dense else sequences
        self._check_lengths(rows)
        made, target, mask = self.transform(rows)
        if dense:
            length = _length(sequences[self.target_name]) - self.shorter
            made = {name: _padded(row, length) for name, row in made.items()}
            target, mask = _padded(target, length), _padded(mask, length)
        new = {name: made.get(name, tensor) for name, tensor in prepared.items()}
        if self.mask_name is not None:
            new[self.mask_name] = mask
        return Prediction(new, {**(targets or {}), self.target_name: target})

    def _sequences(self, features: dict[str, Any]) -> dict[str, Any]:
        for name in self._columns.column_names:
            if name not in features:
                raise SchemaError(
                    f"{self.name} misses a sequence", column=name, expected="all columns of its schema",
                    got=", ".join(features),
                )  # fmt: skip
            if len(features[name].shape) < 3:
                raise SchemaError(
                    f"{self.name}: a column holds no sequences", column=name, expected="lists",
                    got=f"shape {tuple(features[name].shape)}", fix="Leave it out of the schema of the sequences.",
                )  # fmt: skip
        found = {name: features[name] for name in self._columns.column_names}
        if len({isinstance(tensor, tf.RaggedTensor) for tensor in found.values()}) > 1:
            raise SchemaError(f"{self.name}: some sequences are ragged and some are dense", fix="Use ListToDense.")
        return found

    def _as_rows(self, sequences: dict[str, Any]) -> dict[str, Any]:
        size = lengths_without_padding(sequences[self.target_name])
        return {name: as_rows(tensor, size) for name, tensor in sequences.items()}

    def _check_lengths(self, sequences: dict[str, Any]) -> None:
        size = lengths(sequences[self.target_name])
        require(
            size >= self.least,
            f"{self.name}: a row of {self.target_name} is too short",
            expected=f"at least {self.least} items",
            fix="Leave shorter rows out.",
        )
        for name, sequence in sequences.items():
            require(
                tf.equal(lengths(sequence), size),
                f"{self.name}: rows of {name} and {self.target_name} have different lengths",
                expected="sequences of one length in a row",
                fix="Leave the column out of the schema of the sequences.",
            )

    def _prepared_shape(self, input_shape: Shape, building: bool = False) -> dict[str, Any]:
        shape = build_layer(self.prepare_features, as_shape(input_shape))
        if self.pre is None:
            return dict(shape)
        return dict(build_layer(self.pre, shape) if building else as_shape(self.pre.compute_output_shape(shape)))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Shapes of the features, the mask included."""
        shapes = self._prepared_shape(input_shape)
        for name in self._columns.column_names:
            if name in shapes and shapes[name][1] is not None:
                shapes[name] = (shapes[name][0], shapes[name][1] - self.shorter, *shapes[name][2:])
        if self.mask_name is not None:
            shapes[self.mask_name] = shapes[self.target_name][:2]
        return shapes

    def configure_for_train(self) -> None:
        """Tells the transformer how it is trained; `fit` calls this, of a transform in `pre`, the loader or the model.

        Raises:
            ConfigError: if the transformer is built for another training.
        """
        if self.transformer is not None and self.predicts is not None:
            self.transformer.set_predicts(self.predicts)

    def configure_for_test(self) -> None:
        """Checks that the transformer was trained for what it is tested on; `evaluate` calls this.

        Raises:
            ConfigError: if it was not.
        """
        if self.transformer is None or self.predicts is None or self.transformer.predicts == self.predicts:
            return
        raise ConfigError(
            f"{self.name} tests the transformer {self.transformer.name!r} on what it is not trained for",
            expected=f"predicts={self.predicts!r}",
            got=f"predicts={self.transformer.predicts!r}",
            fix=f"Train with fit(pre={type(self).__name__}(..., transformer=...)), or test as it was trained.",
        )

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, without the transformer: that is the model's."""
        return {
            **super().get_config(),
            "schema": to_config(self._columns),
            "target": self.target_name,
            "pre": to_config(self.pre),
        }


def _target_name(schema: Schema, target: str | Tags | ColumnSchema, what: str) -> str:
    if isinstance(target, Tags):
        found = schema.select_by_tag(target).column_names
        if len(found) > 1:
            raise ConfigError(
                f"{what}: several columns are tagged {target.name}", expected="one", got=", ".join(found),
                fix="Name the target.",
            )  # fmt: skip
        name = found[0] if found else f"one tagged {target.name}"
    else:
        name = target.name if isinstance(target, ColumnSchema) else str(target)
    if name not in schema.column_names:
        raise SchemaError(
            f"{what}: the target is not in the schema",
            column=name,
            expected=f"one of {', '.join(schema.column_names)}",
        )
    return name


def _length(dense: Any) -> Any:
    """The length of dense sequences: a number where it is known before the batch comes, else a tensor."""
    return int(dense.shape[1]) if dense.shape[1] is not None else tf.shape(dense)[1]


def _padded(rows: Any, length: Any) -> Any:
    """Ragged rows as a dense tensor of a length; others as they are."""
    if not isinstance(rows, tf.RaggedTensor):
        return rows
    if isinstance(length, int):
        return rows.to_tensor(shape=(None, length, *rows.shape[2:]))
    dense = rows.to_tensor()
    return tf.pad(dense, [[0, 0], [0, length - tf.shape(dense)[1]], *([0, 0] for _ in dense.shape[2:])])
