"""`Rename`: new names for features."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

import keras
import tensorflow as tf
from merlin.schema import Schema, Tags

from emrys.blocks.core.calling import Shape
from emrys.blocks.core.tabular import TabularBlock, TransformArguments
from emrys.blocks.errors import ConfigError, SchemaError


@keras.saving.register_keras_serializable("emrys")
class Rename(TabularBlock):
    """Renames features of a dictionary; the others are unchanged.

    Args:
        renames: The new name for each old one; a tag stands for the only column with it.
        schema: The columns in which tags are looked up. Default: none.
        **kwargs: The other arguments of `TabularBlock`.

    Input shape:
        Dictionary of tensors by feature name.

    Output shape:
        The same under the new names.

    Raises:
        ConfigError: if nothing is renamed; when called, if two features would have one name.
        SchemaError: if a tag is given without a schema, or is not that of exactly one column.

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> list(mm.Rename({"uid": "user_id"})({"uid": np.ones((1, 1)), "age": np.ones((1, 1))}))
        ['user_id', 'age']
    """

    def __init__(
        self, renames: Mapping[str | Tags, str], schema: Schema | None = None, **kwargs: Unpack[TransformArguments]
    ) -> None:
        super().__init__(schema=schema, **kwargs)
        if not isinstance(renames, Mapping) or not renames:
            raise ConfigError("Rename: renames", expected="a dictionary of new names by old ones", got=repr(renames))
        self.renames = {_column(old, schema): str(new) for old, new in renames.items()}

    def _renamed(self, values: Any) -> Any:
        if not isinstance(values, dict):
            raise ConfigError(f"{self.name} renames features", expected="a dictionary", got="one tensor")
        renamed: dict[str, Any] = {}
        for old, value in values.items():
            new: str = self.renames.get(str(old), str(old))
            if new in renamed:
                raise ConfigError(
                    f"{self.name} would call two features {new!r}", column=old, fix="Choose another name."
                )
            renamed[new] = value
        return renamed

    def transform(self, inputs: tf.Tensor | Mapping[str, tf.Tensor], **kwargs: object) -> Any:
        """Returns the features under their new names."""
        return self._renamed(inputs)

    def transform_shape(self, shape: Shape) -> Shape:
        """Returns the shapes under the new names."""
        return self._renamed(shape)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "renames": dict(self.renames)}


def _column(old: str | Tags, schema: Schema | None) -> str:
    if not isinstance(old, Tags):
        return str(old)
    columns = [] if schema is None else schema.select_by_tag(old).column_names
    if len(columns) != 1:
        got = "no schema" if schema is None else ", ".join(columns) or "none"
        raise SchemaError(f"Rename: Tags.{old.name}", expected="a schema with one column that has it", got=got)
    return str(columns[0])
