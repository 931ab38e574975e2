"""Transformer blocks with the architecture of a published model: BERT, RoBERTa, ALBERT and GPT-2."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import keras

from emrys.blocks.transformer.transformer_block import TransformerBlock


@keras.saving.register_keras_serializable("emrys")
class BertBlock(TransformerBlock):
    """A `TransformerBlock` with the architecture of BERT: bidirectional, post-norm, with a normalization of the input.

    Train it with `SequenceMaskRandom` and evaluate it with `SequenceMaskLast`, as BERT4Rec does.

    Args and shapes: those of `TransformerBlock`.

    Source:
        Devlin et al., "BERT: Pre-training of deep bidirectional transformers for language understanding", NAACL 2019.

    Example:
        >>> import emrys.blocks as mm
        >>> mm.BertBlock(d_model=8, n_head=2, n_layer=1).causal
        False
    """

    architecture: ClassVar[Mapping[str, bool]] = {"causal": False, "norm_first": False, "share_layers": False}


@keras.saving.register_keras_serializable("emrys")
class RobertaBlock(TransformerBlock):
    """A `TransformerBlock` with the architecture of RoBERTa, which is that of BERT, see `BertBlock`.

    RoBERTa differs in its training, with masks sampled for each batch, as in `SequenceMaskRandom`.

    Args and shapes: those of `TransformerBlock`.

    Source:
        Liu et al., "RoBERTa: A robustly optimized BERT pretraining approach", 2019.

    Example:
        >>> import emrys.blocks as mm
        >>> mm.RobertaBlock(d_model=8, n_head=2, n_layer=1).causal
        False
    """

    architecture: ClassVar[Mapping[str, bool]] = {"causal": False, "norm_first": False, "share_layers": False}


@keras.saving.register_keras_serializable("emrys")
class AlbertBlock(TransformerBlock):
    """A `TransformerBlock` with the architecture of ALBERT: BERT with shared weights in all layers.

    For ALBERT's factorized embeddings use a smaller embedding table and `pre=MLPBlock([d_model])`.

    Args and shapes: those of `TransformerBlock`.

    Source:
        Lan et al., "ALBERT: A lite BERT for self-supervised learning of language representations", ICLR 2020.

    Example:
        >>> import emrys.blocks as mm
        >>> len(mm.AlbertBlock(d_model=8, n_head=2, n_layer=3).layers)
        1
    """

    architecture: ClassVar[Mapping[str, bool]] = {"causal": False, "norm_first": False, "share_layers": True}


@keras.saving.register_keras_serializable("emrys")
class GPT2Block(TransformerBlock):
    """A `TransformerBlock` with the architecture of GPT-2: causal, pre-norm, with a normalization of the output.

    Train it with `SequencePredictNext`: a sequence of L elements gives L - 1 predictions.

    Args and shapes: those of `TransformerBlock`.

    Source:
        Radford et al., "Language models are unsupervised multitask learners", 2019.

    Example:
        >>> import emrys.blocks as mm
        >>> mm.GPT2Block(d_model=8, n_head=2, n_layer=1).causal
        True
    """

    architecture: ClassVar[Mapping[str, bool]] = {"causal": True, "norm_first": True, "share_layers": False}
