"""`RepeatedBlock`: one block as several branches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self, Unpack

import keras

from emrys.blocks.core.block import BlockArguments
from emrys.blocks.core.no_op import NoOp
from emrys.blocks.core.parallel import ParallelBlock
from emrys.blocks.core.serializing import from_config, to_config


@keras.saving.register_keras_serializable("emrys")
class RepeatedBlock(ParallelBlock):
    """Several branches that share one block and its weights, see `Block.repeat_in_parallel(copies=False)`.

    A `ParallelBlock` of them would be restored from its configuration with separate weights for each branch.

    Args:
        block: The block.
        names: Names of the branches.
        residual: Whether the input is kept beside them, as `"shortcut"`. Default: False.
        **kwargs: The other arguments of `ParallelBlock`.

    Input shape:
        The input of `block`.

    Output shape:
        Dictionary by branch, or its aggregation.

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> block = mm.RepeatedBlock(mm.Dense(2), ["a", "b"])
        >>> list(block(np.ones((1, 3)))), len(block.weights)
        (['a', 'b'], 2)
    """

    def __init__(
        self, block: keras.layers.Layer, names: Sequence[str], residual: bool = False, **kwargs: Unpack[BlockArguments]
    ) -> None:
        shortcut = {"shortcut": NoOp()} if residual else {}
        super().__init__({**dict.fromkeys(names, block), **shortcut}, **kwargs)
        self.names = list(names)
        self.residual = residual

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        config = super().get_config()
        config.pop("branches")
        return {
            **config,
            "block": to_config(self.branches[self.names[0]]),
            "names": self.names,
            "residual": self.residual,
        }

    @classmethod
    def from_config(cls, config: dict[str, object]) -> Self:
        """Creates the block from the configuration that `get_config` returned."""
        return cls(**from_config(config))
