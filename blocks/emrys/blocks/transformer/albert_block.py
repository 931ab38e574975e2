"""A transformer whose layers are one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import keras

from emrys.blocks.transformer.transformer_block import TransformerBlock


@keras.saving.register_keras_serializable("emrys")
class AlbertBlock(TransformerBlock):
    """A `TransformerBlock` built as ALBERT is: as BERT, with the same weights in all layers.

    ALBERT's embeddings, smaller than the layers, are had with a table of that size and `pre=MLPBlock([d_model])`.

    Args and shapes: those of `TransformerBlock`.

    Source:
        Lan et al., "ALBERT: A lite BERT for self-supervised learning of language representations", ICLR 2020.

    Example:
        >>> import emrys.blocks as mm
        >>> len(mm.AlbertBlock(d_model=8, n_head=2, n_layer=3).layers)
        1
    """

    usual: ClassVar[Mapping[str, bool]] = {"causal": False, "norm_first": False, "share_layers": True}
