"""Temperature scaling of logits."""

from __future__ import annotations

from typing import Any, Unpack

import keras

from emrys.blocks.core.block import Block, BlockArguments
from emrys.blocks.core.prediction import Prediction
from emrys.blocks.errors import ConfigError


@keras.saving.register_keras_serializable("emrys")
class LogitsTemperatureScaler(Block):
    """Divides the logits of a prediction by a temperature, in training and testing: `s / T`.

    A temperature above 1 softens the softmax, one below 1 sharpens it. Outside of training and testing the logits are
    unchanged, as are plain tensors: the order of the candidates is the same.

    Args:
        temperature: `T`, above 0.

    Input shape:
        `Prediction` with outputs (B, N), or a tensor.

    Output shape:
        The input's.

    Raises:
        ConfigError: if the temperature is not above 0.

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> scaler = mm.LogitsTemperatureScaler(0.5)
        >>> scaler(mm.Prediction(np.array([[1.0, 2.0]])), training=True).outputs.numpy().tolist()
        [[2.0, 4.0]]
    """

    def __init__(self, temperature: float, **kwargs: Unpack[BlockArguments]) -> None:
        super().__init__(**kwargs)
        if temperature <= 0:
            raise ConfigError("LogitsTemperatureScaler: temperature", expected="a number above 0", got=str(temperature))
        self.temperature = temperature
        self.built = True  # nothing to build; Keras 3.12 would look for the shapes of a prediction's missing fields

    def call(self, outputs: Any, training: bool | None = None, testing: bool | None = None) -> Any:
        """Divides the outputs of a prediction."""
        if isinstance(outputs, Prediction) and (training or testing):
            return outputs._replace(outputs=outputs.outputs / self.temperature)
        return outputs

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "temperature": self.temperature}
