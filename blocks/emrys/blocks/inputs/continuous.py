"""`Continuous`: selection of the continuous features."""

from __future__ import annotations

from typing import Any

import keras
from merlin.schema import Tags

from emrys.blocks.core.tabular import Filter


@keras.saving.register_keras_serializable("emrys")
class Continuous(Filter):
    """Keeps the continuous features of a batch.

    Args:
        inputs: The features: a schema, or another argument of `Filter`. Default: those tagged CONTINUOUS.

    Input shape:
        Dictionary of tensors by feature name.

    Output shape:
        Dictionary of the continuous ones, (B, 1) each.

    Example:
        >>> import emrys.blocks as mm
        >>> from merlin.schema import Schema
        >>> import numpy as np
        >>> schema = Schema([mm.create_continuous_column("price")])
        >>> list(mm.Continuous(schema)({"price": np.ones((2, 1)), "id": np.ones((2, 1))}))
        ['price']
    """

    is_input = True

    def __init__(self, inputs: Any = None, **kwargs: Any) -> None:
        super().__init__(Tags.CONTINUOUS if inputs is None else inputs, **kwargs)
