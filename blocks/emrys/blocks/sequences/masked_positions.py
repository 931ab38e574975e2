"""The mask that says which elements of a sequence are to be predicted.

It travels within the features of a batch, as a boolean tensor (B, L) beside the sequences, ragged as they are:

- `<target>__predicted`: the element behind a position where it is True is predicted from this position and others.
- `<target>__hidden`: the element at a position where it is True is predicted, and the model must not see it.

Sequence transforms put it there, `TransformerBlock` and outputs read it. Blocks that select features by name or tag
pass it by.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow as tf

from emrys.blocks.errors import ConfigError

PREDICTED, HIDDEN = "__predicted", "__hidden"


class PositionMask(NamedTuple):
    """The mask of a batch.

    Attributes:
        target: Name of the sequence that is predicted.
        mask: (B, L), bool.
        hidden: Whether the model must not see the elements where it is True.
    """

    target: str
    mask: Any
    hidden: bool


def position_mask(features: Any, target: str | None = None) -> PositionMask | None:
    """Finds the mask among the features of a batch.

    Args:
        features: The features by name; what is no dictionary has no mask.
        target: Name of the sequence that is predicted. Default: the only one that has a mask.

    Returns:
        The mask; None where there is none.

    Raises:
        ConfigError: if several sequences have a mask, and none is named.
    """
    if not isinstance(features, dict):
        return None
    found = [
        PositionMask(name.removesuffix(suffix), mask, suffix == HIDDEN)
        for name, mask in features.items()
        for suffix in (PREDICTED, HIDDEN)
        if name.endswith(suffix) and target in (None, name.removesuffix(suffix))
    ]
    if len(found) > 1:
        raise ConfigError(
            "a batch has several masks of what is predicted",
            expected="one",
            got=", ".join(each.target + (HIDDEN if each.hidden else PREDICTED) for each in found),
            fix="Use one sequence transform.",
        )
    return found[0] if found else None


class MaskedPositions(NamedTuple):
    """What is judged of a batch of P elements of lists.

    Attributes:
        vectors: (P, D)
        targets: (P, 1)
        rows: (P,), the row of the batch that each is of.
    """

    vectors: Any
    targets: Any
    rows: Any


def is_sequence(vectors: Any, target: Any, features: Any) -> bool:
    """Whether an output gets a vector for every element of lists, rather than one for each row."""
    if len(getattr(vectors, "shape", ())) != 3:
        return False
    if isinstance(vectors, tf.RaggedTensor):
        return True
    return target is not None and (_of_elements(target) or position_mask(features) is not None)


def masked_positions(vectors: Any, target: Any, features: Any, name: str | None, owner: str) -> MaskedPositions:
    """Chooses the vectors that the mask of the batch names, or all where there is none.

    Args:
        vectors: (B, L, D), ragged or dense.
        target: (B, L, 1) or (B, L), ragged or dense as the vectors are; (B, 1) where the mask names one of each row.
        features: The features of the batch, with the mask, see `emrys.blocks.sequences.masked_positions`.
        name: Name of the target. Default: the only one that has a mask.
        owner: Name of the output, for errors.

    Raises:
        ConfigError: if there is one target a row and no mask, or not all are ragged, or all dense.
    """
    found = position_mask(features, name)
    if found is None and not _of_elements(target):
        raise ConfigError(
            f"{owner} gets a vector for every element of a list, but one target a row",
            expected="a vector a row",
            fix="Use predicts='next' or 'masked' in the transformer, a SequenceAggregator, or a sequence transform.",
        )
    mask = None if found is None else found.mask
    ragged = isinstance(vectors, tf.RaggedTensor)
    together = [each for each in (mask, target if _of_elements(target) else None) if each is not None]
    if any(isinstance(each, tf.RaggedTensor) != ragged for each in together):
        raise ConfigError(f"{owner}: vectors, targets and mask", expected="all ragged, or all dense", got="a mixture")
    if ragged:
        rows, values = vectors.value_rowids(), vectors.values
        chosen = tf.ones_like(rows, tf.bool) if mask is None else mask.values
        elements = tf.reshape(target.flat_values, (-1, 1)) if _of_elements(target) else tf.gather(target, rows)
    else:
        size = tf.shape(vectors)
        rows = tf.repeat(tf.range(size[0]), size[1])
        values = tf.reshape(vectors, (-1, vectors.shape[-1]))
        chosen = tf.ones_like(rows, tf.bool) if mask is None else tf.reshape(mask, (-1,))
        elements = tf.reshape(target, (-1, 1)) if _of_elements(target) else tf.gather(target, rows)
    return MaskedPositions(*(tf.boolean_mask(each, chosen) for each in (values, elements, rows)))


def _of_elements(target: Any) -> bool:
    """Whether a target has a value for every element of a list."""
    shape = target.shape
    return isinstance(target, tf.RaggedTensor) or len(shape) == 3 or (len(shape) == 2 and shape[1] != 1)
