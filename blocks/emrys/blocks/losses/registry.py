"""Registry of losses, by the names that `compile(loss=...)` and outputs accept."""

from __future__ import annotations

import keras

from emrys.blocks.losses.cross_entropy import CategoricalCrossEntropy, SparseCategoricalCrossEntropy
from emrys.blocks.losses.pairwise import BPRLoss, BPRmaxLoss, HingeLoss, LogisticLoss, TOP1Loss, TOP1maxLoss, TOP1v2Loss
from emrys.blocks.utils.registry import Registry

#: Losses by name: `loss_registry.parse("bpr")` creates a `BPRLoss`; a loss is returned unchanged.
loss_registry: Registry[keras.losses.Loss] = Registry.class_registry("loss")

for _loss, *_names in (
    (keras.losses.BinaryCrossentropy, "bce", "binary_crossentropy"),
    (keras.losses.MeanSquaredError, "mse", "mean_squared_error"),
    (CategoricalCrossEntropy, "ce", "categorical_crossentropy"),
    (SparseCategoricalCrossEntropy, "sce", "sparse_categorical_crossentropy"),
    (BPRLoss, "bpr"),
    (BPRmaxLoss, "bpr-max"),
    (HingeLoss, "hinge"),
    (LogisticLoss, "logistic"),
    (TOP1Loss, "top1"),
    (TOP1maxLoss, "top1-max"),
    (TOP1v2Loss, "top1_v2"),
):
    loss_registry.register_with_multiple_names(*_names)(_loss)
