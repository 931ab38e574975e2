"""What training makes small: cross-entropies, and losses that compare a positive with its negatives."""

from emrys.blocks.losses.base import PairwiseLoss
from emrys.blocks.losses.bpr_loss import BPRLoss
from emrys.blocks.losses.bpr_max_loss import BPRmaxLoss
from emrys.blocks.losses.categorical_cross_entropy import CategoricalCrossEntropy
from emrys.blocks.losses.hinge_loss import HingeLoss
from emrys.blocks.losses.logistic_loss import LogisticLoss
from emrys.blocks.losses.registry import loss_registry
from emrys.blocks.losses.sparse_categorical_cross_entropy import SparseCategoricalCrossEntropy
from emrys.blocks.losses.top1_loss import TOP1Loss
from emrys.blocks.losses.top1_max_loss import TOP1maxLoss
from emrys.blocks.losses.top1_v2_loss import TOP1v2Loss

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
