"""An optimizer and the blocks that it is for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import keras


@dataclass
class OptimizerBlocks:
    """An optimizer, or its name, and the block or blocks whose weights it updates; see `MultiOptimizer`.

    Args:
        optimizer: Optimizer, or its name.
        blocks: One layer, or several.

    Example:
        >>> import emrys.blocks as mm
        >>> mm.OptimizerBlocks("adagrad", mm.MLPBlock([4])).optimizer
        'adagrad'
    """

    optimizer: str | keras.optimizers.Optimizer
    blocks: keras.layers.Layer | Sequence[keras.layers.Layer]
