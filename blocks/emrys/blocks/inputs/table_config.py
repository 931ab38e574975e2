"""`TableConfig`: size and initialization of an embedding table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from emrys.blocks.core.gather import COMBINERS
from emrys.blocks.core.serializing import from_config, to_config
from emrys.blocks.errors import ConfigError


@keras.saving.register_keras_serializable("emrys")
@dataclass(frozen=True)
class TableConfig:
    """The configuration of one embedding table of `EmbeddingFeatures`.

    Args:
        vocabulary_size: Number of ids, 0 included.
        dim: Embedding dimension D.
        initializer: Initializer of the table. Default: a truncated normal distribution with standard deviation
            `1 / sqrt(dim)`.
        optimizer: Accepted as None only: a table is trained by the model's optimizer.
        combiner: Combination of the rows of a list: `"mean"`, `"sum"`, `"sqrtn"`. Default: `"mean"`.
        name: Name of the table. Default: that of the first feature that uses it.
        quantization_config: Accepted as None only: tables are not quantised.

    Raises:
        ConfigError: if an argument is invalid.

    Example:
        >>> import emrys.blocks as mm
        >>> mm.TableConfig(vocabulary_size=10, dim=4, name="items").combiner
        'mean'
    """

    vocabulary_size: int
    dim: int
    initializer: Any = None
    optimizer: Any = None
    combiner: str = "mean"
    name: str | None = None
    quantization_config: Any = None

    def __post_init__(self) -> None:
        for argument in ("vocabulary_size", "dim"):
            value = getattr(self, argument)
            if not isinstance(value, int) or value < 1:
                raise ConfigError(f"TableConfig: {argument}", expected="a whole number above 0", got=repr(value))
        if self.combiner not in COMBINERS:
            expected = f"one of {', '.join(map(repr, COMBINERS))}"
            raise ConfigError("TableConfig: combiner", expected=expected, got=repr(self.combiner))
        for argument in ("optimizer", "quantization_config"):
            if getattr(self, argument) is not None:
                raise ConfigError(f"TableConfig: {argument}", expected="None", got=repr(getattr(self, argument)))

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments, without those that must be None."""
        return {
            "vocabulary_size": self.vocabulary_size,
            "dim": self.dim,
            "initializer": to_config(self.initializer),
            "combiner": self.combiner,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config: dict[str, object]) -> TableConfig:
        """Creates the configuration from the dictionary that `get_config` returned."""
        return cls(**from_config(config))


def serialize_table_config(table_config: TableConfig) -> dict[str, Any]:
    """Returns the fields of a `TableConfig` as JSON values.

    Args:
        table_config: The configuration.

    Example:
        >>> serialize_table_config(TableConfig(10, 4, name="items"))["name"]
        'items'
    """
    return {**table_config.get_config(), "optimizer": None, "quantization_config": None}


def deserialize_table_config(table_params: dict[str, tf.Tensor]) -> TableConfig:
    """Creates the `TableConfig` from the dictionary that `serialize_table_config` returned.

    Args:
        table_params: The dictionary; it is not changed.
    """
    return TableConfig.from_config(table_params)
