"""`FeatureConfig`: the embedding table of a feature."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras

from emrys.blocks.core.serializing import from_config, to_config
from emrys.blocks.errors import ConfigError
from emrys.blocks.inputs.table_config import TableConfig


@keras.saving.register_keras_serializable("emrys")
@dataclass(frozen=True)
class FeatureConfig:
    """Describes one feature of `EmbeddingFeatures`. Features with one table share its rows.

    Args:
        table: The table.
        max_sequence_length: Accepted, without effect: lists are combined whatever their length. Default: 0.
        validate_weights_and_indices: Accepted, without effect: ids are always checked. Default: True.
        output_shape: Accepted, without effect. Default: None.
        name: Name of the feature, for the reader. Default: None.

    Raises:
        ConfigError: if `table` is no `TableConfig`.

    Example:
        >>> import emrys.blocks as mm
        >>> mm.FeatureConfig(mm.TableConfig(10, 4)).table.dim
        4
    """

    table: TableConfig
    max_sequence_length: int = 0
    validate_weights_and_indices: bool = True
    output_shape: Any = None
    name: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.table, TableConfig):
            raise ConfigError("FeatureConfig: table", expected="a TableConfig", got=repr(self.table))

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return {
            "table": to_config(self.table),
            "max_sequence_length": self.max_sequence_length,
            "validate_weights_and_indices": self.validate_weights_and_indices,
            "output_shape": to_config(self.output_shape),
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config: dict[str, object]) -> FeatureConfig:
        """Creates the configuration from the dictionary that `get_config` returned."""
        return cls(**from_config(config))
