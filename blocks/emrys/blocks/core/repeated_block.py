"""One block as several branches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import keras

from emrys.blocks.core.no_op import NoOp
from emrys.blocks.core.parallel import ParallelBlock
from emrys.blocks.core.serializing import from_config, to_config


@keras.saving.register_keras_serializable("emrys")
class RepeatedBlock(ParallelBlock):
    """Several branches that are one block with one set of weights; made by `Block.repeat_in_parallel(copies=False)`.

    A `ParallelBlock` of the same would come back from its configuration with a set of weights for each branch.

    Args:
        block: The block.
        names: Names of the branches.
        residual: Whether the input is kept beside them, as `"shortcut"`. Default: False.
        **kwargs: The other arguments of `ParallelBlock`.

    Input shape:
        What `block` takes.

    Output shape:
        Dictionary by branch, or what `aggregation` makes of it.

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> block = mm.RepeatedBlock(mm.Dense(2), ["a", "b"])
        >>> list(block(np.ones((1, 3)))), len(block.weights)
        (['a', 'b'], 2)
    """

    def __init__(self, block: keras.layers.Layer, names: Sequence[str], residual: bool = False, **kwargs: Any) -> None:
        shortcut = {"shortcut": NoOp()} if residual else {}
        super().__init__({**dict.fromkeys(names, block), **shortcut}, **kwargs)
        self.names = list(names)
        self.residual = residual

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        config = super().get_config()
        config.pop("branches")
        return {
            **config,
            "block": to_config(self.branches[self.names[0]]),
            "names": self.names,
            "residual": self.residual,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Makes the block from what `get_config` gave."""
        return cls(**from_config(config))
