"""`KerasSequenceValidator`: a callback that evaluates the model on a loader after each epoch."""

from __future__ import annotations

from collections.abc import MutableMapping

import keras

from emrys.blocks.loader import Loader


class KerasSequenceValidator(keras.callbacks.Callback):
    """Evaluates the model on a loader after each epoch, and adds `val_<metric>` to the logs.

    `fit(validation_data=loader)` does the same.

    Args:
        dataloader: The loader with the validation rows.
    """

    def __init__(self, dataloader: Loader) -> None:
        super().__init__()
        self.dataloader = dataloader

    def on_epoch_end(self, epoch: int, logs: MutableMapping[str, float] | None = None) -> None:
        """Evaluates the model, and adds the results to `logs`."""
        results = self.model.evaluate(self.dataloader, return_dict=True, verbose=0)
        if logs is not None:
            logs.update({f"val_{name}": value for name, value in results.items()})
