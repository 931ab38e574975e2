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
        is_input: See `TabularBlock`. Default: True.
        **kwargs: The other arguments of `Filter` and `TabularBlock`, such as `aggregation`, `pre` and `post`.

    Input shape:
        Dictionary of tensors by feature name.

    Output shape:
        Dictionary of the continuous ones, (B, 1) each; or their aggregation.

    Example:
        >>> import emrys.blocks as mm
        >>> from merlin.schema import Schema
        >>> import numpy as np
        >>> schema = Schema([mm.create_continuous_column("price")])
        >>> list(mm.Continuous(schema)({"price": np.ones((2, 1)), "id": np.ones((2, 1))}))
        ['price']
    """

    def __init__(self, inputs: Any = None, is_input: bool = True, **kwargs: Any) -> None:
        super().__init__(Tags.CONTINUOUS if inputs is None else inputs, is_input=is_input, **kwargs)
