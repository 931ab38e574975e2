"""Settings of the step infer_schema."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from emrys.blocks.errors import ConfigError
from emrys.components.contracts.settings import column_settings

#: Tags of each role of a column.
ROLES: dict[str, tuple[str, ...]] = {
    "user_id": ("user", "id"),
    "item_id": ("item", "id"),
    "session_id": ("session", "id"),
    "user": ("user",),
    "item": ("item",),
    "history": ("user", "sequence"),
    "context": ("context",),
    "binary_classification": ("binary_classification", "target"),
    "multi_class_classification": ("multi_class_classification", "target"),
    "regression": ("regression", "target"),
}
_DTYPES = ("int8", "int16", "int32", "int64", "float16", "float32", "float64")


@dataclass(frozen=True)
class ColumnOverride:
    """Override of the schema of one column; None keeps the inferred value.

    Args:
        tags: All tags of the column, in addition to those of `role` if that is set too.
        role: One of `ROLES`, with its tags.
        dtype: Type of the values.
        min: Lower end of the domain.
        max: Upper end of the domain.
        drop: Whether to remove the column from the schema.
    """

    tags: tuple[str, ...] | None = None
    role: str | None = None
    dtype: str | None = None
    min: float | None = None
    max: float | None = None
    drop: bool = False

    def __post_init__(self) -> None:
        if self.tags is not None:
            if isinstance(self.tags, str) or not all(isinstance(tag, str) and tag for tag in self.tags):
                raise ConfigError("tags cannot be used", expected="a list of names", got=f"{self.tags!r}")
            object.__setattr__(self, "tags", tuple(self.tags))  # JSON has lists
        if self.role is not None and self.role not in ROLES:
            raise ConfigError("role cannot be used", expected=", ".join(ROLES), got=f"{self.role!r}")
        if self.dtype is not None and self.dtype not in _DTYPES:
            raise ConfigError("dtype cannot be used", expected=", ".join(_DTYPES), got=f"{self.dtype!r}")
        for name in ("min", "max"):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float))):
                raise ConfigError(f"{name} cannot be used", expected="a number", got=f"{value!r}")
            if value is not None and not math.isfinite(value):
                raise ConfigError(f"{name} cannot be used", expected="a finite number", got=f"{value!r}")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ConfigError("min lies above max", got=f"{self.min} and {self.max}")
        if not isinstance(self.drop, bool):
            raise ConfigError("drop cannot be used", expected="true or false", got=f"{self.drop!r}")

    @classmethod
    def of(cls, column: str, value: ColumnOverride | Mapping[str, Any]) -> ColumnOverride:
        """Converts a mapping from a configuration file to an override.

        Raises:
            ConfigError: with the column.
        """
        return column_settings(ColumnOverride, "the override", column, value)


@dataclass(frozen=True)
class SchemaConfig:
    """Settings of the infer_schema step.

    Args:
        overrides: Overrides by column, each a `ColumnOverride` or a mapping of its arguments.
    """

    overrides: Mapping[str, ColumnOverride | Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.overrides, Mapping):
            raise ConfigError("overrides cannot be used", expected="a mapping by column", got=f"{self.overrides!r}")
        overrides = {name: ColumnOverride.of(name, value) for name, value in self.overrides.items()}
        object.__setattr__(self, "overrides", overrides)

    def of(self, column: str) -> ColumnOverride:
        """Override of a column, possibly empty."""
        return ColumnOverride.of(column, self.overrides.get(column, {}))
