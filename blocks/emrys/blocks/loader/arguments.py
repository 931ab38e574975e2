"""Checks of what a loader is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from merlin.schema import ColumnSchema

from emrys.blocks.errors import ConfigError
from emrys.blocks.loader.batch_steps import Step, as_steps


def steps_of(loader_kwargs: Mapping[str, Any]) -> list[Step]:
    """The transforms among the further arguments.

    Raises:
        ConfigError: There is an argument that is not known, or a transform that cannot be called.
    """
    unknown = sorted(set(loader_kwargs) - {"transform", "transforms"})
    if unknown:
        raise ConfigError(f"Loader has no argument {', '.join(map(repr, unknown))}")
    return [step for name in ("transforms", "transform") for step in as_steps(name, loader_kwargs.get(name))]


def check(
    engine: str | None, device: int | str | None, workers: tuple[int | None, int | None], buffer_size: float
) -> None:
    """Checks arguments that stand for themselves; `workers` are `global_size` and `global_rank`.

    Raises:
        ConfigError: One has a value that cannot be.
    """
    if engine not in (None, "parquet"):
        raise ConfigError(f"engine must be None or 'parquet'; got {engine!r}")
    if not (device in (None, "cpu") or (isinstance(device, int) and device >= 0)):
        raise ConfigError(f"device must be None, 'cpu' or the number of a GPU; got {device!r}")
    if (workers[0] is None) != (workers[1] is None):
        raise ConfigError(f"global_size and global_rank go together; got {workers[0]} and {workers[1]}")
    if isinstance(buffer_size, bool) or not isinstance(buffer_size, int | float) or not buffer_size > 0:
        raise ConfigError(f"buffer_size must be a share up to 1.0 or a number of rows; got {buffer_size!r}")


def count(name: str, value: int, least: int = 1) -> int:
    """A whole number.

    Raises:
        ConfigError: It is none, or below `least`.
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ConfigError(f"{name} must be an integer of at least {least}; got {value!r}")
    return int(value)


def feature_names(
    feature_columns: Sequence[str | ColumnSchema] | None,
    cat_names: Sequence[str] | None,
    cont_names: Sequence[str] | None,
) -> list[str] | None:
    """Names of the features that are asked for; None for all.

    Raises:
        ConfigError: They are given in two ways.
    """
    named = cat_names is not None or cont_names is not None
    if feature_columns is not None and named:
        raise ConfigError("give feature_columns, or cat_names and cont_names, not both")
    if named:
        return [*(cat_names or ()), *(cont_names or ())]
    if feature_columns is None:
        return None
    return [column if isinstance(column, str) else column.name for column in feature_columns]
