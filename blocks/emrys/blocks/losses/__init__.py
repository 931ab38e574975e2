"""Loss functions: cross-entropies, and pairwise losses of a positive and its negatives."""

from emrys.blocks.losses.cross_entropy import CategoricalCrossEntropy, SparseCategoricalCrossEntropy
from emrys.blocks.losses.pairwise import (
    BPRLoss,
    BPRmaxLoss,
    HingeLoss,
    LogisticLoss,
    PairwiseLoss,
    TOP1Loss,
    TOP1maxLoss,
    TOP1v2Loss,
)
from emrys.blocks.losses.registry import loss_registry

__all__ = [
    "BPRLoss",
    "BPRmaxLoss",
    "CategoricalCrossEntropy",
    "HingeLoss",
    "LogisticLoss",
    "PairwiseLoss",
    "SparseCategoricalCrossEntropy",
    "TOP1Loss",
    "TOP1maxLoss",
    "TOP1v2Loss",
    "loss_registry",
]
