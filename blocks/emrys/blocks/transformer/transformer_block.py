"""The transformer: an encoder of sequences with self-attention."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Unpack

import keras
import tensorflow as tf

import emrys.blocks.transforms.sequence_summary  # noqa: F401 - registers "sequence_mean" and others
from emrys.blocks.core.block import Block, BlockArguments, parse_layer
from emrys.blocks.core.calling import Shape, as_shape, build_layer, call_layer, output_shape
from emrys.blocks.core.serializing import to_config
from emrys.blocks.errors import ConfigError, reject_removed
from emrys.blocks.inputs.replace_masked_embeddings import ReplaceMaskedEmbeddings
from emrys.blocks.sequences.masked_positions import PositionMask, position_mask
from emrys.blocks.transformer.transformer_layer import TransformerLayer

PREDICTS = (None, "next", "masked")


#: Arguments of Merlin Models that went through to Hugging Face, with what takes their place.
_REMOVED = {
    "masking_pre": "Give predicts=, or fit(pre=SequencePredictNext(..., transformer=block)).",
    "masking_post": "Give predicts=, or fit(pre=SequencePredictNext(..., transformer=block)).",
    "transformer": "The blocks are built of Keras' layers; weights of Hugging Face models cannot be loaded.",
    "transformer_pre": "Use pre=.",
    "transformer_post": "Use post=.",
    "pad_token": "Ragged lists have no padding.",
    "log_attention_weights": "The blocks are built of Keras' layers, which do not return them.",
}


@keras.saving.register_keras_serializable("emrys")
class TransformerBlock(Block):
    """Encodes sequences: learned position embeddings are added to the vectors, followed by layers of self-attention.

    `predicts` is the training objective. It can also be set by the sequence transform of `fit(pre=...)`, the loader or
    the model, if that has this block as its `transformer`:

    - None: the output has a vector for every element.
    - `"next"`: the vector of an element predicts the next element. In training and testing the output has a vector for
      every element; otherwise one per row, that of its last element, or zeros for an empty row.
    - `"masked"`: elements that the mask of the batch hides (see `emrys.blocks.sequences.masked_positions`) are replaced
      by a trained vector, and their outputs predict them. In training and testing the output has a vector for every
      element; otherwise one per row, that of a hidden element that is appended to it.

    For a batch with a mask, the output always has a vector for every element.

    Of a sequence that is longer than `max_position_embeddings` the last elements are encoded, in training, testing and
    serving alike; the output has vectors for these. Outputs cut their targets and the mask in the same way.

    Args:
        d_model: Size D of the vectors.
        n_head: Number of attention heads; it divides D.
        n_layer: Number of layers.
        pre: Layer before the block, or its name; its output is (B, L, D). Default: none.
        post: Layer after the block, or its name, such as `"sequence_mean"`. Default: none.
        causal: Whether a position attends only to itself and earlier ones. Default: that of the class, here False.
        norm_first: Whether layers are pre-norm instead of post-norm. Default: that of the class, here False.
        share_layers: Whether all layers share their weights. Default: that of the class, here False.
        predicts: None, `"next"` or `"masked"`, see above. Default: None.
        hidden_act: Activation of the layers' inner networks, which are four times as wide. Default: `"gelu"`.
        dropout: Dropout rate of values and attention weights. Default: 0.3.
        initializer_range: Standard deviation of the kernels' initial values. Default: 0.01.
        layer_norm_eps: Epsilon of the normalization. Default: 0.03.
        max_position_embeddings: Number of elements that are encoded, see above. Default: 512.

    Input shape:
        (B, L, D), ragged; or dense, with a Keras mask for padding, as from an `EmbeddingTable` with `mask_zero`.

    Output shape:
        (B, L, D), ragged for ragged input; or (B, D), see above.

    Raises:
        ConfigError: if an argument is invalid; when built, if the input has another size; when called, if the mask of
            the batch does not fit `predicts`, or the block is not causal and would attend to the targets.

    Source:
        Vaswani et al., "Attention is all you need", NeurIPS 2017; for recommendation: Kang and McAuley, "Self-attentive
        sequential recommendation", ICDM 2018, and Sun et al., "BERT4Rec", CIKM 2019.

    Example:
        >>> import emrys.blocks as mm
        >>> import tensorflow as tf
        >>> rows = tf.RaggedTensor.from_row_lengths(tf.ones((3, 4)), [1, 2])
        >>> [len(row) for row in mm.TransformerBlock(d_model=4, n_head=2, n_layer=1)(rows).to_list()]
        [1, 2]
    """

    #: Defaults of `causal`, `norm_first` and `share_layers`.
    architecture: ClassVar[Mapping[str, bool]] = {"causal": False, "norm_first": False, "share_layers": False}

    def __init__(
        self,
        d_model: int,
        n_head: int,
        n_layer: int,
        pre: str | keras.layers.Layer | None = None,
        post: str | keras.layers.Layer | None = None,
        causal: bool | None = None,
        norm_first: bool | None = None,
        share_layers: bool | None = None,
        predicts: str | None = None,
        hidden_act: str = "gelu",
        dropout: float = 0.3,
        initializer_range: float = 0.01,
        layer_norm_eps: float = 0.03,
        max_position_embeddings: int = 512,
        **kwargs: Unpack[BlockArguments],
    ) -> None:
        reject_removed(type(self).__name__, kwargs, _REMOVED)
        super().__init__(**kwargs)
        sizes = {
            "d_model": d_model,
            "n_head": n_head,
            "n_layer": n_layer,
            "max_position_embeddings": max_position_embeddings,
        }
        for argument, value in sizes.items():
            if not isinstance(value, int) or value < 1:
                raise ConfigError(f"{self.name}: {argument}", expected="a whole number above 0", got=repr(value))
        if d_model % n_head:
            raise ConfigError(f"{self.name}: n_head", expected=f"a divisor of d_model={d_model}", got=repr(n_head))
        if predicts not in PREDICTS:
            raise ConfigError(
                f"{self.name}: predicts", expected=f"one of {', '.join(map(repr, PREDICTS))}", got=repr(predicts)
            )
        self.d_model = d_model
        self.n_head = n_head
        self.n_layer = n_layer
        self.pre = None if pre is None else parse_layer(pre, self.name, "pre")
        self.post = None if post is None else parse_layer(post, self.name, "post")
        self.causal = self.architecture["causal"] if causal is None else causal
        self.norm_first = self.architecture["norm_first"] if norm_first is None else norm_first
        self.share_layers = self.architecture["share_layers"] if share_layers is None else share_layers
        self.predicts = predicts
        self.hidden_act = hidden_act
        self.dropout = dropout
        self.initializer_range = initializer_range
        self.layer_norm_eps = layer_norm_eps
        self.max_position_embeddings = max_position_embeddings
        self.layers = [self._layer() for _ in range(1 if self.share_layers else n_layer)]
        self.norm = keras.layers.LayerNormalization(epsilon=layer_norm_eps, dtype=self.dtype_policy)
        self.drop = keras.layers.Dropout(dropout, dtype=self.dtype_policy)
        self.hide = ReplaceMaskedEmbeddings(dtype=self.dtype_policy)
        self.positions: Any = None
        self.supports_masking = True

    def _layer(self) -> TransformerLayer:
        return TransformerLayer(
            self.d_model,
            self.n_head,
            causal=self.causal,
            norm_first=self.norm_first,
            hidden_act=self.hidden_act,
            dropout=self.dropout,
            initializer_range=self.initializer_range,
            layer_norm_eps=self.layer_norm_eps,
            dtype=self.dtype_policy,
        )

    def set_predicts(self, predicts: str | None) -> None:
        """Sets the training objective, see the class; sequence transforms call it in `fit(pre=...)`.

        Raises:
            ConfigError: if the block is built for another objective (with or without the vector of hidden elements).
        """
        if self.built and "masked" in (predicts, self.predicts) and predicts != self.predicts:
            raise ConfigError(
                f"{self.name} is built for another training objective",
                expected=f"predicts={predicts!r}",
                got=f"predicts={self.predicts!r}",
                fix="Create a new model, and train it with one kind of sequence transform.",
            )
        self.predicts = predicts

    def check_causal(self, transform: str) -> None:
        """Checks that the block is causal.

        Args:
            transform: Name of the sequence transform that needs it, for the message.

        Raises:
            ConfigError: if it is not.
        """
        if not self.causal:
            raise ConfigError(
                f"{self.name} attends to the next element, which is the target of {transform}",
                expected="causal=True",
                got="causal=False",
                fix="Use GPT2Block or causal=True, or train with SequenceMaskRandom or SequencePredictLast.",
            )

    def build(self, input_shape: Shape) -> None:
        """Builds the position embeddings, the layers, and the vector of hidden elements."""
        shape = as_shape(input_shape)
        shape = shape if self.pre is None else build_layer(self.pre, shape)
        if len(shape) != 3 or shape[-1] != self.d_model:
            raise ConfigError(
                f"{self.name} takes lists of vectors of size {self.d_model}",
                expected=f"shape (B, L, {self.d_model})",
                got=str(shape),
                fix="Add MLPBlock([d_model]) before it, for example as pre; keep lists with sequence_combiner=None.",
            )
        self.positions = self.add_weight(
            shape=(self.max_position_embeddings, self.d_model),
            initializer=keras.initializers.TruncatedNormal(stddev=self.initializer_range),
            name="positions",
        )
        if self.predicts == "masked":
            build_layer(self.hide, shape)
        for layer in (self.norm, self.drop, *self.layers):
            build_layer(layer, shape)
        if self.post is not None:
            build_layer(self.post, self._encoded_shape(shape))
        self.built = True

    def call(
        self,
        inputs: tf.Tensor | Mapping[str, tf.Tensor],
        training: bool | None = None,
        testing: bool | None = None,
        features: Mapping[str, tf.Tensor] | None = None,
        targets: tf.Tensor | Mapping[str, tf.Tensor] | None = None,
        mask: tf.Tensor | tf.RaggedTensor | None = None,
    ) -> Any:
        """Encodes `inputs`."""
        if self.pre is not None:
            inputs = call_layer(self.pre, inputs, training=training, testing=testing, features=features)
        position = position_mask(features)
        self._check(position, targets)
        serving = position is None and not training and not testing
        vectors, valid = to_dense(inputs, mask)
        if serving and self.predicts is not None:
            vectors, valid = append_position(vectors, valid, is_element=self.predicts == "masked")
        vectors = self._hide(vectors, position, serving)
        vectors, valid = last_elements_of(vectors, valid, self.max_position_embeddings)
        vectors = self._encode(vectors, valid, training)
        if serving and self.predicts is not None:
            outputs = last_element(vectors, valid)
        elif isinstance(inputs, tf.RaggedTensor):
            lengths = tf.reduce_sum(tf.cast(valid, inputs.row_splits.dtype), axis=1)
            outputs = tf.RaggedTensor.from_row_lengths(tf.boolean_mask(vectors, valid), lengths, validate=False)
        else:
            outputs = vectors
        if self.post is None:
            return outputs
        context = {"training": training, "testing": testing, "features": features, "targets": targets}
        dense = len(outputs.shape) == 3 and not isinstance(outputs, tf.RaggedTensor)
        return call_layer(self.post, outputs, **context, mask=valid if dense else None)

    def _check(self, position: PositionMask | None, targets: Any) -> None:
        if position is None:
            return
        if position.hidden != (self.predicts == "masked"):
            raise ConfigError(
                f"{self.name} is not trained for a batch {'with' if position.hidden else 'without'} hidden elements",
                expected="predicts='masked'" if position.hidden else "predicts=None or 'next'",
                got=f"predicts={self.predicts!r}",
                fix="Set predicts=, or pass the block to the sequence transform as transformer=.",
            )
        target = targets.get(position.target) if isinstance(targets, Mapping) else None
        if not position.hidden and target is not None and len(target.shape) == 3:
            self.check_causal("SequencePredictNext")

    def _hide(self, vectors: Any, position: PositionMask | None, serving: bool) -> Any:
        """Replaces hidden elements by the trained vector."""
        if self.predicts != "masked":
            return vectors
        if position is not None:
            mask = position.mask
            hidden = to_dense(mask[..., tf.newaxis])[0][..., 0] if isinstance(mask, tf.RaggedTensor) else mask
            return self.hide(vectors, mask=hidden)
        if not serving:
            return vectors
        length = tf.shape(vectors)[1]
        last = tf.broadcast_to(tf.equal(tf.range(length), length - 1), tf.shape(vectors)[:2])
        return self.hide(vectors, mask=last)

    def _encode(self, vectors: Any, valid: Any, training: bool | None) -> Any:
        embeddings = tf.gather(tf.cast(self.positions, self.compute_dtype), element_positions(valid))
        vectors = tf.cast(vectors, self.compute_dtype) + embeddings
        if not self.norm_first:
            vectors = self.norm(vectors)
        vectors = self.drop(vectors, training=bool(training))
        for layer in self.layers * (self.n_layer if self.share_layers else 1):
            vectors = layer(vectors, valid=valid, training=bool(training))
        return self.norm(vectors) if self.norm_first else vectors

    def compute_mask(
        self,
        inputs: tf.Tensor | Mapping[str, tf.Tensor],
        previous_mask: tf.Tensor | Mapping[str, tf.Tensor] | None = None,
    ) -> None:
        """None: the output is ragged, or one vector per row."""

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Shape outside training and testing."""
        shape = as_shape(input_shape)
        shape = shape if self.pre is None else output_shape(self.pre, shape)
        shape = self._encoded_shape(shape) if self.predicts is None else (shape[0], self.d_model)
        return shape if self.post is None else output_shape(self.post, shape)

    def _encoded_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        length = None if shape[1] is None else min(shape[1], self.max_position_embeddings)
        return (shape[0], length, self.d_model)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "d_model": self.d_model,
            "n_head": self.n_head,
            "n_layer": self.n_layer,
            "pre": to_config(self.pre),
            "post": to_config(self.post),
            "causal": self.causal,
            "norm_first": self.norm_first,
            "share_layers": self.share_layers,
            "predicts": self.predicts,
            "hidden_act": self.hidden_act,
            "dropout": self.dropout,
            "initializer_range": self.initializer_range,
            "layer_norm_eps": self.layer_norm_eps,
            "max_position_embeddings": self.max_position_embeddings,
        }


def to_dense(sequence: tf.Tensor | tf.RaggedTensor, mask: tf.Tensor | None = None) -> tuple[tf.Tensor, tf.Tensor]:
    """A sequence as dense vectors and a mask of the elements.

    Args:
        sequence: (B, L, D), dense or ragged.
        mask: For a dense sequence, (B, L), True at elements. Default: no padding.

    Returns:
        (B, L, D), padded with 0 on the right, and (B, L), bool.
    """
    if isinstance(sequence, tf.RaggedTensor):
        dense = sequence.to_tensor()
        dense.set_shape((*dense.shape[:2], sequence.shape[-1]))
        return dense, tf.sequence_mask(sequence.row_lengths(), tf.shape(dense)[1])
    if mask is None:
        return sequence, tf.ones(tf.shape(sequence)[:2], "bool")
    return sequence, tf.cast(mask, "bool")


def last_elements_of(vectors: tf.Tensor, valid: tf.Tensor, count: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Cuts sequences to the last elements, in vectors and mask; shorter sequences are unchanged.

    Args:
        vectors: (B, L, D)
        valid: (B, L), True at elements.
        count: The most elements of a row.

    Returns:
        (B, min(L, count), D) and (B, min(L, count)); padding comes last in rows that are cut.
    """
    if vectors.shape[1] is not None and vectors.shape[1] <= count:
        return vectors, valid

    def cut() -> tuple[tf.Tensor, tf.Tensor]:
        elements = tf.reduce_sum(tf.cast(valid, "int32"), axis=1, keepdims=True)
        kept = tf.logical_and(valid, element_positions(valid) >= elements - count)
        # A stable sort: the kept elements first, in their order.
        order = tf.argsort(tf.cast(tf.logical_not(kept), "int32"), axis=1, stable=True)[:, :count]
        return tf.gather(vectors, order, batch_dims=1), tf.gather(kept, order, batch_dims=1)

    if vectors.shape[1] is not None:
        return cut()
    return tf.cond(tf.shape(valid)[1] > count, cut, lambda: (vectors, valid))


def append_position(vectors: tf.Tensor, valid: tf.Tensor, is_element: bool) -> tuple[tf.Tensor, tf.Tensor]:
    """Appends a position of zeros to vectors and mask; `is_element` is its value in the mask."""
    last = tf.fill((tf.shape(valid)[0], 1), is_element)
    return tf.pad(vectors, [[0, 0], [0, 1], [0, 0]]), tf.concat([valid, last], axis=1)


def element_positions(valid: tf.Tensor) -> tf.Tensor:
    """Position of every element in its row, from 0, without padding; (B, L), int32."""
    return tf.maximum(tf.cumsum(tf.cast(valid, "int32"), axis=1) - 1, 0)


def last_element(vectors: tf.Tensor, valid: tf.Tensor) -> tf.Tensor:
    """The vector of the last element of every row, (B, D); zeros for an empty row. L must be above 0."""
    back = tf.argmax(tf.cast(tf.reverse(valid, [1]), "int32"), axis=1, output_type="int32")
    last = tf.gather(vectors, tf.shape(valid)[1] - 1 - back, batch_dims=1)
    return tf.where(tf.reduce_any(valid, axis=1, keepdims=True), last, tf.zeros_like(last))
