"""The mask of the predicted elements of a sequence, and the selection of vectors and targets by it.

The mask is a feature of the batch, a boolean tensor (B, L), ragged if the sequences are:

- `<target>__predicted`: True at a position whose next element is predicted.
- `<target>__hidden`: True at a position whose element is predicted and hidden from the model.

Sequence transforms add it, `TransformerBlock` and outputs read it. Blocks that select features by name or tag ignore
it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import tensorflow as tf

from emrys.blocks.errors import ConfigError
from emrys.blocks.sequences.ragged_rows import last_elements, lengths, lengths_without_padding

PREDICTED, HIDDEN = "__predicted", "__hidden"


class PositionMask(NamedTuple):
    """The mask of a batch.

    Attributes:
        target: Name of the sequence that is predicted.
        mask: (B, L), bool.
        hidden: Whether the masked elements are hidden from the model.
    """

    target: str
    mask: tf.Tensor | tf.RaggedTensor
    hidden: bool


def position_mask(features: Mapping[str, tf.Tensor] | None, target: str | None = None) -> PositionMask | None:
    """Finds the mask among the features of a batch.

    Args:
        features: The features by name; anything but a dictionary has no mask.
        target: Name of the sequence that is predicted. Default: the only one that has a mask.

    Returns:
        The mask, or None.

    Raises:
        ConfigError: if several sequences have a mask and `target` is None.
    """
    if not isinstance(features, dict):
        return None
    masks = [
        PositionMask(name.removesuffix(suffix), mask, suffix == HIDDEN)
        for name, mask in features.items()
        for suffix in (PREDICTED, HIDDEN)
        if name.endswith(suffix) and target in (None, name.removesuffix(suffix))
    ]
    if len(masks) > 1:
        raise ConfigError(
            "the batch has masks for several sequences",
            expected="one",
            got=", ".join(each.target + (HIDDEN if each.hidden else PREDICTED) for each in masks),
            fix="Use one sequence transform.",
        )
    return masks[0] if masks else None


class MaskedPositions(NamedTuple):
    """The P elements of a batch that are predicted and scored.

    Attributes:
        vectors: (P, D)
        targets: (P, 1)
        rows: (P,), row of the batch of each element.
    """

    vectors: tf.Tensor
    targets: tf.Tensor
    rows: tf.Tensor


def is_sequence(
    vectors: tf.Tensor | tf.RaggedTensor, target: tf.Tensor | tf.RaggedTensor, features: Mapping[str, tf.Tensor] | None
) -> bool:
    """Whether the input of an output is a vector for every element of a list, rather than one per row."""
    if len(getattr(vectors, "shape", ())) != 3:
        return False
    if isinstance(vectors, tf.RaggedTensor):
        return True
    return target is not None and (_has_element_targets(target) or position_mask(features) is not None)


def masked_positions(
    vectors: tf.Tensor | tf.RaggedTensor,
    target: tf.Tensor | tf.RaggedTensor,
    features: Mapping[str, tf.Tensor] | None,
    name: str | None,
    owner: str,
) -> MaskedPositions:
    """Selects the vectors and targets at the positions of the mask, or all without a mask.

    Targets and mask may have more elements than there are vectors, as behind a transformer that encodes the last
    elements of a long sequence: their last elements are taken.

    Args:
        vectors: (B, L, D), ragged or dense.
        target: (B, L, 1) or (B, L), ragged or dense like the vectors; (B, 1) if the mask has one position per row.
        features: The features of the batch, with the mask, see `emrys.blocks.sequences.masked_positions`.
        name: Name of the target. Default: the only one with a mask.
        owner: Name of the output, for errors.

    Raises:
        ConfigError: if there is one target per row and no mask, or ragged and dense tensors are mixed.
    """
    position = position_mask(features, name)
    if position is None and not _has_element_targets(target):
        raise ConfigError(
            f"{owner} has a vector for every element of a list, but one target per row",
            expected="one vector per row",
            fix="Use predicts='next' or 'masked' in the transformer, a SequenceAggregator, or a sequence transform.",
        )
    mask = None if position is None else position.mask
    ragged = isinstance(vectors, tf.RaggedTensor)
    masks_and_targets = [each for each in (mask, target if _has_element_targets(target) else None) if each is not None]
    if any(isinstance(each, tf.RaggedTensor) != ragged for each in masks_and_targets):
        raise ConfigError(f"{owner}: vectors, targets and mask", expected="all ragged, or all dense", got="a mixture")
    per_element = _has_element_targets(target)
    if ragged:
        count = lengths(vectors)
        mask = None if mask is None else last_elements(mask, count)
        target = last_elements(target, count) if per_element else target
    elif masks_and_targets and not _same_length(vectors, masks_and_targets[0]):
        size = lengths_without_padding(target) if per_element else _last_true(mask)
        first = tf.maximum(size - tf.shape(vectors, tf.int64)[1], 0)
        mask = None if mask is None else _window(mask, first, tf.shape(vectors)[1])
        target = _window(target, first, tf.shape(vectors)[1]) if per_element else target
    if ragged:
        rows, values = vectors.value_rowids(), vectors.values
        selected = tf.ones_like(rows, tf.bool) if mask is None else mask.values
        elements = tf.reshape(target.flat_values, (-1, 1)) if per_element else tf.gather(target, rows)
    else:
        size = tf.shape(vectors)
        rows = tf.repeat(tf.range(size[0]), size[1])
        values = tf.reshape(vectors, (-1, vectors.shape[-1]))
        selected = tf.ones_like(rows, tf.bool) if mask is None else tf.reshape(mask, (-1,))
        elements = tf.reshape(target, (-1, 1)) if per_element else tf.gather(target, rows)
    return MaskedPositions(*(tf.boolean_mask(each, selected) for each in (values, elements, rows)))


def _same_length(vectors: Any, other: Any) -> bool:
    return vectors.shape[1] is not None and vectors.shape[1] == other.shape[1]


def _last_true(mask: tf.Tensor) -> tf.Tensor:
    """Number of positions up to the last True of each row, (B,), int64."""
    return lengths_without_padding(tf.cast(mask, tf.int64))


def _window(values: tf.Tensor, first: tf.Tensor, length: tf.Tensor) -> tf.Tensor:
    """The `length` positions from `first` (B,) on in each row of (B, L, …)."""
    return tf.gather(values, first[:, tf.newaxis] + tf.range(tf.cast(length, tf.int64)), batch_dims=1)


def _has_element_targets(target: Any) -> bool:
    """Whether a target has a value for every element of a list."""
    shape = target.shape
    return isinstance(target, tf.RaggedTensor) or len(shape) == 3 or (len(shape) == 2 and shape[1] != 1)
