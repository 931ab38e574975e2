"""All lists as dense tensors of one length."""

from __future__ import annotations

from typing import Any

import keras

from emrys.blocks.core.block import Block
from emrys.blocks.core.calling import Shape, as_shape
from emrys.blocks.errors import ConfigError
from emrys.blocks.transforms.list_forms import as_dense, is_list, joined, joined_shape


@keras.saving.register_keras_serializable("emrys")
class ListToDense(Block):
    """Makes every list feature dense, padded with 0 on the right; what is dense already stays.

    `ToDense` does so for the columns of a schema, with a length for each.

    Args:
        max_seq_length: Length to pad or cut (at the end) lists to. Default: the longest list of the batch.

    Input shape:
        Dictionary by feature name: lists ragged (B, None), sparse, or two tensors `<name>__values` and
        `<name>__offsets`; or one such tensor.

    Output shape:
        The same with (B, L) for lists.

    Raises:
        ConfigError: if `max_seq_length` is below 1.

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> batch = {"genres__values": np.array([3, 5, 7]), "genres__offsets": np.array([0, 2, 3])}
        >>> mm.ListToDense(max_seq_length=3)(batch)["genres"].numpy().tolist()
        [[3, 5, 0], [7, 0, 0]]
    """

    def __init__(self, max_seq_length: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if max_seq_length is not None and (not isinstance(max_seq_length, int) or max_seq_length < 1):
            raise ConfigError(
                "ListToDense: max_seq_length", expected="a whole number above 0", got=repr(max_seq_length)
            )
        self.max_seq_length = max_seq_length

    def call(self, inputs: Any) -> Any:
        """Makes the lists dense."""
        if not isinstance(inputs, dict):
            return self._dense(inputs)
        return {name: self._dense(tensor) for name, tensor in joined(inputs).items()}

    def _dense(self, tensor: Any) -> Any:
        return as_dense(tensor, self.max_seq_length) if is_list(tensor) else tensor

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Shapes with the length of the lists."""
        if not isinstance(input_shape, dict):
            return self._shape(as_shape(input_shape))
        return {name: self._shape(shape) for name, shape in joined_shape(input_shape).items()}

    def _shape(self, shape: tuple[int | None, ...]) -> Shape:
        return (shape[0], self.max_seq_length, *shape[2:]) if len(shape) > 1 and shape[1] is None else shape

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "max_seq_length": self.max_seq_length}
