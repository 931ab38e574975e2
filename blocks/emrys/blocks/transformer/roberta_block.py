"""A transformer that looks both ways, under its second name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import keras

from emrys.blocks.transformer.transformer_block import TransformerBlock


@keras.saving.register_keras_serializable("emrys")
class RobertaBlock(TransformerBlock):
    """A `TransformerBlock` built as RoBERTa is, which is BERT's architecture: see `BertBlock`.

    RoBERTa differs in how it is trained, with masks drawn anew for each batch, as `SequenceMaskRandom` draws them.

    Args and shapes: those of `TransformerBlock`.

    Source:
        Liu et al., "RoBERTa: A robustly optimized BERT pretraining approach", 2019.

    Example:
        >>> import emrys.blocks as mm
        >>> mm.RobertaBlock(d_model=8, n_head=2, n_layer=1).causal
        False
    """

    usual: ClassVar[Mapping[str, bool]] = {"causal": False, "norm_first": False, "share_layers": False}
