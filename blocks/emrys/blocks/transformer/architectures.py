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
