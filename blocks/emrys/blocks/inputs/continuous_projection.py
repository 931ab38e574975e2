"""`ContinuousProjection`: all continuous features through one layer."""

from __future__ import annotations

import keras
from merlin.schema import Schema, Tags

from emrys.blocks.core.aggregation import ConcatFeatures
from emrys.blocks.core.sequential import SequentialBlock
from emrys.blocks.errors import ConfigError, SchemaError
from emrys.blocks.inputs.continuous import Continuous


def ContinuousProjection(  # noqa: N802 - named like a class, as in Merlin Models
    schema: Schema, projection: keras.layers.Layer
) -> SequentialBlock:
    """Concatenates the continuous features and projects them with a layer.

    Args:
        schema: The columns. Those tagged CONTINUOUS are taken, all where none is.
        projection: The layer, such as an `MLPBlock`.

    Returns:
        A block that takes a batch and gives (B, D).

    Raises:
        SchemaError: if the schema has no columns.
        ConfigError: if `projection` is no layer.

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> from merlin.schema import Schema
        >>> schema = Schema([mm.create_continuous_column("age"), mm.create_continuous_column("price")])
        >>> block = mm.ContinuousProjection(schema, mm.MLPBlock([4]))
        >>> tuple(block({"age": np.ones((2, 1)), "price": np.ones((2, 1))}).shape)
        (2, 4)
    """
    if not isinstance(projection, keras.layers.Layer):
        raise ConfigError("ContinuousProjection: projection", expected="a layer", got=repr(projection))
    columns = schema.select_by_tag(Tags.CONTINUOUS) or schema
    if len(columns) == 0:
        raise SchemaError("ContinuousProjection has nothing to project", expected="columns tagged CONTINUOUS")
    return SequentialBlock(Continuous(columns), ConcatFeatures(), projection)
