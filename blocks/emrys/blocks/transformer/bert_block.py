"""A transformer that looks both ways."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import keras

from emrys.blocks.transformer.transformer_block import TransformerBlock


@keras.saving.register_keras_serializable("emrys")
class BertBlock(TransformerBlock):
    """A `TransformerBlock` built as BERT is: it looks both ways, with normalizations behind, and one at the start.

    Train it with `SequenceMaskRandom` and test it with `SequenceMaskLast`, as BERT4Rec does.

    Args and shapes: those of `TransformerBlock`.

    Source:
        Devlin et al., "BERT: Pre-training of deep bidirectional transformers for language understanding", NAACL 2019.

    Example:
        >>> import emrys.blocks as mm
        >>> mm.BertBlock(d_model=8, n_head=2, n_layer=1).causal
        False
    """

    usual: ClassVar[Mapping[str, bool]] = {"causal": False, "norm_first": False, "share_layers": False}
