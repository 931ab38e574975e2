"""One layer of a cross network."""

from __future__ import annotations

from typing import Any

import keras

from emrys.blocks.mlp.low_rank_dense import LowRankDense


@keras.saving.register_keras_serializable("emrys")
class CrossLayer(LowRankDense):
    """Multiplies what the network began with by a linear layer on what came last: `x_0 ⊙ (W x + b) + x`.

    It is called with `x` and `initial`, the network's input `x_0`, which is `x` itself for the first layer.

    Args:
        **kwargs: Those of `LowRankDense`.

    Input shape:
        (B, D)

    Output shape:
        (B, D)
    """

    def call(self, inputs: Any, initial: Any = None) -> Any:
        """Gives the crossed features."""
        return (inputs if initial is None else initial) * super().call(inputs) + inputs
