"""Keeping parts of a model as they are."""

from __future__ import annotations

from typing import Any

import keras

from emrys.blocks.models.base_model import BaseModel
from emrys.blocks.models.freezing import Freezer


class FreezingModel(BaseModel):
    """How blocks of a `Model` are kept from being trained."""

    _freezer: Freezer

    @property
    def frozen_blocks(self) -> list[keras.layers.Layer]:
        """The blocks that are not trained."""
        return self._freezer.frozen

    def freeze_blocks(self, blocks: Any) -> None:
        """Keeps the weights of blocks, and of all that is in them, as they are, in every training from now on.

        Args:
            blocks: Blocks, or their names, at any depth; one, or a list.

        Raises:
            ConfigError: if one is not in the model.
        """
        self._freezer.remember(getattr(self, "optimizer", None))
        self._freezer.freeze(blocks)
        self._forget_steps()

    def unfreeze_blocks(self, blocks: Any) -> None:
        """Trains blocks, and all that is in them, again. `compile` the model afterwards, as with Keras.

        Args:
            blocks: Blocks, or their names, at any depth; one, or a list.

        Raises:
            ConfigError: if one is not in the model.
        """
        self._freezer.remember(getattr(self, "optimizer", None))
        self._freezer.unfreeze(blocks)
        self._forget_steps()

    def unfreeze_all_frozen_blocks(self) -> None:
        """Trains all blocks again. `compile` the model afterwards, as with Keras."""
        self._freezer.remember(getattr(self, "optimizer", None))
        self._freezer.unfreeze_all()
        self._forget_steps()

    def get_compile_config(self) -> dict[str, Any]:
        """What `compile` was called with, and what was frozen when the optimizer was built."""
        config = super().get_compile_config()
        return {**config, "frozen": self._freezer.numbers_behind(self.optimizer)} if config else config

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Calls `compile` with what `get_compile_config` gave; the optimizer has state for what it had state for."""
        given = dict(config)
        with self._freezer.as_behind(given.pop("frozen", self._freezer.numbers)):
            super().compile_from_config(given)
