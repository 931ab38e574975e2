"""Holding the two sides of a retrieval model against each other before they are built."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from merlin.schema import ColumnSchema, Tags

from emrys.blocks.errors import ConfigError


def check_tower_sizes(owner: str, towers: Mapping[str, keras.layers.Layer]) -> None:
    """Compares the sizes of what the towers give, where it follows from the columns that they read.

    Args:
        owner: The model, for errors.
        towers: The towers by name.

    Raises:
        ConfigError: if the sizes differ.
    """
    sizes = {name: vector_size(tower) for name, tower in towers.items()}
    known = {name: size for name, size in sizes.items() if size is not None}
    if len(set(known.values())) > 1:
        raise ConfigError(
            f"{owner} compares the vectors of {' and '.join(known)}",
            expected="both of one size",
            got=" and ".join(f"{size} ({name})" for name, size in known.items()),
            fix="End both towers with the same dimension.",
        )


def vector_size(tower: keras.layers.Layer) -> int | None:
    """Size of what a tower gives, None where it does not follow from the columns that it reads."""
    schema = getattr(tower, "schema", None)
    if schema is None or len(schema) == 0 or len(schema.select_by_tag(Tags.EMBEDDING)):
        return None
    try:
        shape = tower.compute_output_shape({column.name: _shape(column) for column in schema})
    except NotImplementedError:  # a layer of the user's own
        return None
    return shape[-1] if isinstance(shape, tuple) else None


def _shape(column: ColumnSchema) -> tuple[Any, ...]:
    return (None, None) if column.is_list else (None, 1)
