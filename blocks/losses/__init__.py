"""What training makes small: cross-entropies, and losses that compare a positive with its negatives."""

from blocks.losses.base import PairwiseLoss
from blocks.losses.bpr_loss import BPRLoss
from blocks.losses.bpr_max_loss import BPRmaxLoss
from blocks.losses.categorical_cross_entropy import CategoricalCrossEntropy
from blocks.losses.hinge_loss import HingeLoss
from blocks.losses.logistic_loss import LogisticLoss
from blocks.losses.registry import loss_registry
from blocks.losses.sparse_categorical_cross_entropy import SparseCategoricalCrossEntropy
from blocks.losses.top1_loss import TOP1Loss
from blocks.losses.top1_max_loss import TOP1maxLoss
from blocks.losses.top1_v2_loss import TOP1v2Loss

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
