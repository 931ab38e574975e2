"""What can be chosen about the schema."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from emrys.blocks.errors import ConfigError
from emrys.components.infer_schema.column_override import ColumnOverride


@dataclass(frozen=True)
class SchemaConfig:
    """Settings of the infer_schema step.

    Args:
        overrides: What is set by hand, by column: a `ColumnOverride`, or a mapping of its arguments.
    """

    overrides: Mapping[str, ColumnOverride | Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.overrides, Mapping):
            raise ConfigError("overrides cannot be used", expected="a mapping by column", got=f"{self.overrides!r}")
        made = {name: ColumnOverride.of(name, value) for name, value in self.overrides.items()}
        object.__setattr__(self, "overrides", made)

    def of(self, column: str) -> ColumnOverride:
        """What is set by hand about `column`."""
        return ColumnOverride.of(column, self.overrides.get(column, {}))
