"""Random data for a schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from emrys.blocks.errors import ConfigError

if TYPE_CHECKING:  # Merlin imports TensorFlow if it is installed
    from merlin.io import Dataset
    from merlin.schema import ColumnSchema, Schema

_IDS = 100  # number of ids of a column without a domain
_EXTRA = 3  # maximum length of a list without an upper bound, above the lower bound
_WEIGHT = "_weight"


def synthetic(schema: Schema, rows: int, *, seed: int = 0) -> Dataset:
    """Samples rows for a schema; all columns are independent.

    Ids are sampled from their domain, list lengths from their value count, continuous columns from their domain or a
    normal distribution, binary targets are 0 or 1. A list column `<name>_weight` has the list lengths of `<name>`.

    Args:
        schema: The columns.
        rows: Number of rows.
        seed: Seed; the rows are reproducible. Default: 0.

    Returns:
        The rows, with the schema.

    Raises:
        ConfigError: if `rows` is below 1, the schema is empty, or the type of a column is not supported.

    Example:
        >>> import emrys.blocks as mm
        >>> from merlin.schema import Schema
        >>> schema = Schema([mm.create_categorical_column("item", 9), mm.create_continuous_column("price")])
        >>> data = synthetic(schema, 100)
        >>> data.num_rows, bool(data.to_ddf().compute()["item"].between(0, 9).all())
        (100, True)
    """
    from merlin.io import Dataset

    if not isinstance(rows, int) or rows < 1:
        raise ConfigError("synthetic: rows", expected="a whole number above 0", got=repr(rows))
    if len(schema) == 0:
        raise ConfigError("synthetic: schema", expected="a schema with columns", got="an empty schema")
    random = np.random.default_rng(seed)
    lengths = {column.name: _lengths(column, rows, random) for column in schema if column.is_list}
    for name in lengths:
        base = name.removesuffix(_WEIGHT)
        lengths[name] = lengths.get(base, lengths[name])
    columns: dict[str, Any] = {}
    for column in schema:
        if column.name not in lengths:
            columns[column.name] = _values(column, rows, random)
            continue
        ends = np.cumsum(lengths[column.name])
        columns[column.name] = np.split(_values(column, int(ends[-1]), random), ends[:-1])
    return Dataset(pd.DataFrame(columns), schema=schema)


def _lengths(column: ColumnSchema, rows: int, random: np.random.Generator) -> npt.NDArray[np.int64]:
    count = column.value_count
    minimum = int(count.min or 0) if count is not None else 0
    maximum = int(count.max) if count is not None and count.max is not None else minimum + _EXTRA
    return random.integers(minimum, maximum + 1, rows)


def _values(column: ColumnSchema, size: int, random: np.random.Generator) -> npt.NDArray[Any]:
    from merlin.schema import Tags

    name = column.dtype.name
    dtype = column.dtype.to("numpy") if name != "unknown" else np.dtype("float32")
    domain = column.properties.get("domain") or {}
    if Tags.BINARY_CLASSIFICATION in column.tags or name == "bool":
        return random.integers(0, 2, size).astype(dtype)
    if name in ("str", "string"):
        return np.char.add("value ", random.integers(0, _IDS, size).astype(str)).astype(object)
    if np.issubdtype(dtype, np.integer):
        minimum = int(domain.get("min") or 0)
        return random.integers(minimum, int(domain.get("max", minimum + _IDS - 1)) + 1, size).astype(dtype)
    if not np.issubdtype(dtype, np.floating):
        raise ConfigError("synthetic does not support columns of this type", column=column.name, got=name)
    if domain.get("max") is not None:
        return random.uniform(domain.get("min") or 0.0, domain["max"], size).astype(dtype)
    return random.normal(size=size).astype(dtype)
