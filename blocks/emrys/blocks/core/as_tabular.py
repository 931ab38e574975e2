"""`AsTabular`: a tensor in a dictionary under a name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

import keras
import tensorflow as tf

from emrys.blocks.core.block import Block, UnnamedBlockArguments
from emrys.blocks.core.calling import Shape, as_shape
from emrys.blocks.errors import ConfigError


@keras.saving.register_keras_serializable("emrys")
class AsTabular(Block):
    """Returns a dictionary with the input under one name.

    Args:
        output_name: The name.
        name: Name of the layer.

    Input shape:
        Any.

    Output shape:
        Dictionary with the input's shape under `output_name`.

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> list(mm.AsTabular("deep")(np.ones((2, 3))))
        ['deep']
    """

    def __init__(self, output_name: str, name: str | None = None, **kwargs: Unpack[UnnamedBlockArguments]) -> None:
        super().__init__(name=name, **kwargs)
        if not isinstance(output_name, str) or not output_name:
            raise ConfigError("AsTabular: output_name", expected="a name", got=repr(output_name))
        self.output_name = output_name

    @property
    def is_tabular(self) -> bool:
        """True: the output is a dictionary."""
        return True

    def call(self, inputs: tf.Tensor | Mapping[str, tf.Tensor]) -> dict[str, Any]:
        """Returns the dictionary."""
        return {self.output_name: inputs}

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns the input's shape under the name."""
        return {self.output_name: as_shape(input_shape)}

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "output_name": self.output_name}
