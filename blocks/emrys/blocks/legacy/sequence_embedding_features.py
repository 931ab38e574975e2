"""`SequenceEmbeddingFeatures`: embeddings of lists, one vector for each element."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

import keras
import tensorflow as tf
from merlin.schema import Schema

from emrys.blocks.core.aggregation import any_mask
from emrys.blocks.core.block import UnnamedBlockArguments
from emrys.blocks.core.features import prepare
from emrys.blocks.errors import ConfigError
from emrys.blocks.inputs.embedding_features import EmbeddingFeatures
from emrys.blocks.inputs.feature_config import FeatureConfig


@keras.saving.register_keras_serializable("emrys")
class SequenceEmbeddingFeatures(EmbeddingFeatures):
    """Looks up lists and keeps one vector for each element, where `EmbeddingFeatures` combines them.

    Args:
        feature_config: Configuration of the table of each feature; combiners are not used.
        mask_zero: Whether dense lists carry a mask, False where they hold `padding_idx`. Default: True.
        padding_idx: The id that stands for padding. Default: 0.
        pre: Layer before the lookup. Default: none.
        post: Layer on the dictionary of embeddings. Default: none.
        aggregation: Aggregation of the embeddings to one tensor, such as `"concat"`; their masks are combined by or.
            Default: none.
        schema: The columns. Default: created from the names.
        name: Name of the block.
        add_default_pre: See `EmbeddingFeatures`. Default: True.

    Input shape:
        Dictionary of lists of ids, (B, L) or ragged (B, None), by feature name; ids (B, 1) are allowed.

    Output shape:
        Dictionary of (B, L, D), ragged where the lists are, and (B, D) for (B, 1); or its aggregation.

    Raises:
        ConfigError: if `feature_config` is none, or two tables of one name differ.
        SchemaError: if a table is smaller than the domain of a column that it is for.

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> block = mm.SequenceEmbeddingFeatures({"items": mm.FeatureConfig(mm.TableConfig(10, 4))})
        >>> tuple(block({"items": np.array([[1, 2, 0]])})["items"].shape)
        (1, 3, 4)
    """

    _combines = False

    def __init__(
        self,
        feature_config: Mapping[str, FeatureConfig],
        mask_zero: bool = True,
        padding_idx: int = 0,
        pre: str | keras.layers.Layer | list[str | keras.layers.Layer] | None = None,
        post: str | keras.layers.Layer | list[str | keras.layers.Layer] | None = None,
        aggregation: str | keras.layers.Layer | None = None,
        schema: Schema | None = None,
        name: str | None = None,
        add_default_pre: bool = True,
        **kwargs: Unpack[UnnamedBlockArguments],
    ) -> None:
        if not isinstance(padding_idx, int) or padding_idx < 0:
            raise ConfigError("SequenceEmbeddingFeatures: padding_idx", expected="an id from 0", got=repr(padding_idx))
        super().__init__(
            feature_config,
            pre=pre,
            post=post,
            aggregation=aggregation,
            schema=schema,
            name=name,
            add_default_pre=add_default_pre,
            **kwargs,
        )
        self.mask_zero = mask_zero
        self.padding_idx = padding_idx
        self.supports_masking = mask_zero

    def lookup_feature(self, name: str, val: tf.Tensor, output_sequence: bool = True) -> Any:
        """Looks up ids of one feature; lists are not combined, (B, L, D).

        Args:
            name: The feature.
            val: Its ids.
            output_sequence: Accepted, without effect: lists always stay lists.
        """
        return super().lookup_feature(name, val, output_sequence=True)

    def compute_mask(
        self,
        inputs: tf.Tensor | Mapping[str, tf.Tensor],
        previous_mask: tf.Tensor | Mapping[str, tf.Tensor] | None = None,
    ) -> Any:
        """Returns where dense lists do not hold `padding_idx`: masks by name, or one for an aggregation."""
        if not self.mask_zero:
            return None
        batch = prepare(inputs) if self.add_default_pre else inputs
        masks: dict[str, Any] = {}
        for table in self.branches.values():
            for name in table.schema.column_names:
                if name in batch:
                    masks[name] = self._mask(batch[name])
        return masks if self.aggregation is None else any_mask(masks)

    def _mask(self, ids: Any) -> Any:
        if isinstance(ids, (tf.RaggedTensor, tf.SparseTensor)) or (len(ids.shape) == 2 and ids.shape[1] == 1):
            return None
        return tf.not_equal(tf.squeeze(ids, axis=2) if len(ids.shape) > 2 else ids, self.padding_idx)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "mask_zero": self.mask_zero, "padding_idx": self.padding_idx}
