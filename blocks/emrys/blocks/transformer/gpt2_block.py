"""A transformer that looks back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import keras

from emrys.blocks.transformer.transformer_block import TransformerBlock


@keras.saving.register_keras_serializable("emrys")
class GPT2Block(TransformerBlock):
    """A `TransformerBlock` built as GPT-2 is: causal, with the normalization in front, and one more at the end.

    Train it with `SequencePredictNext`: of a row of L elements it learns L - 1 predictions at once.

    Args and shapes: those of `TransformerBlock`.

    Source:
        Radford et al., "Language models are unsupervised multitask learners", 2019.

    Example:
        >>> import emrys.blocks as mm
        >>> mm.GPT2Block(d_model=8, n_head=2, n_layer=1).causal
        True
    """

    usual: ClassVar[Mapping[str, bool]] = {"causal": True, "norm_first": True, "share_layers": False}
