"""Base of what weighs rows behind an output."""

from __future__ import annotations

import abc
from typing import Any

from emrys.blocks.core.block import Block
from emrys.blocks.core.prediction import Prediction
from emrys.blocks.core.sequential import SequentialBlock
from emrys.blocks.errors import ConfigError


class SampleWeight(Block, abc.ABC):
    """Gives every row of a batch a weight in the loss and in weighted metrics; predictions stay as they are.

    It stands behind an output, as its `post`, or last in the chain that is. A subclass writes `row_weights`.
    """

    @abc.abstractmethod
    def row_weights(self, targets: Any, features: Any, target_name: str | None) -> Any:
        """The weight of each row.

        Args:
            targets: All targets of the batch by name, or the only one.
            features: The batch's features by name, or None.
            target_name: Name of the output's target, None where it has no name.

        Returns:
            (B, 1), float32.
        """

    def call(
        self,
        inputs: Any,
        targets: Any = None,
        features: Any = None,
        training: bool | None = None,
        testing: bool | None = None,
        target_name: str | None = None,
    ) -> Any:
        """Passes predictions on, in training and testing as a `Prediction` with the target and the weights."""
        if isinstance(inputs, dict):
            raise ConfigError(
                f"{self.name} weighs the rows of one output",
                got=f"predictions of {', '.join(sorted(inputs))}",
                fix="Give it as post= of an output, not of the block around several.",
            )
        if targets is None or not (training or testing):
            return inputs
        weights = self.row_weights(targets, features, target_name)
        target = targets.get(target_name) if isinstance(targets, dict) and target_name is not None else targets
        return Prediction(inputs, target, weights)


def sample_weights(layer: Any) -> list[SampleWeight]:
    """What weighs rows in `layer`: itself, or layers of the chain that it is."""
    if isinstance(layer, SequentialBlock):
        return [found for inner in layer.layers for found in sample_weights(inner)]
    return [layer] if isinstance(layer, SampleWeight) else []
