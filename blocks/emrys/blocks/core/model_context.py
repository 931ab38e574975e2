"""`ModelContext`: embedding tables, variables and types of features that the blocks of a model share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import keras
import tensorflow as tf
from merlin.schema import Schema, Tags

from emrys.blocks.errors import ConfigError


@dataclass(frozen=True)
class _Shared:
    """The shared objects. A dataclass, because Keras would track the layers in a dictionary attribute."""

    tables: dict[str, Any] = field(default_factory=dict)
    dtypes: dict[str, str] = field(default_factory=dict)


@keras.saving.register_keras_serializable("emrys")
class ModelContext(keras.layers.Layer):
    """The embedding tables and variables that the blocks of a model share, by name.

    A block has it as `context` once it is connected with `connect(context=)`, created with `context=`, or part of a
    model that has one. The tables belong to the blocks that created them; a saved model holds them once. A block shares
    a variable of its own by creating it with the context's `add_weight`.

    Args:
        trainable: Whether the context's own variables are trained. Default: True.
        name: Name of the context.
        dtype: Type, or policy, of the context's own variables. Default: the global policy.
        dynamic: Accepted as False only: calls are always traced.

    Input shape:
        Any; it is returned.

    Output shape:
        The input's.

    Raises:
        ConfigError: if `dynamic` is True.

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> context = mm.ModelContext()
        >>> items = mm.EmbeddingTable(4, mm.create_categorical_column("item", 9))
        >>> block = items.connect(mm.MLPBlock([2]), context=context)
        >>> _ = block(np.array([[3]]))
        >>> tuple(context.get_embedding("item").shape)
        (10, 4)
    """

    def __init__(
        self,
        trainable: bool = True,
        name: str | None = None,
        dtype: str | keras.DTypePolicy | None = None,
        dynamic: bool = False,
        **kwargs: Any,
    ) -> None:
        if dynamic:
            raise ConfigError("ModelContext: dynamic", expected="False", got="True")
        super().__init__(trainable=trainable, name=name, dtype=dtype, **kwargs)
        self._shared = _Shared()

    def add_embedding_table(self, name: str, embedding_table: keras.layers.Layer) -> None:
        """Registers a table under a name, and replaces an earlier one of that name."""
        self._shared.tables[name] = embedding_table

    def set_dtypes(self, features: Mapping[str, Any]) -> None:
        """Stores the dtypes of a batch's features; for a list as two tensors, the dtype of its values."""
        for name, tensor in features.items():
            values = tensor[0] if isinstance(tensor, tuple) else tensor
            self._shared.dtypes[name] = keras.backend.standardize_dtype(values.dtype)

    @property
    def feature_dtypes(self) -> dict[str, str]:
        """The dtypes stored by `set_dtypes`, by feature name."""
        return dict(self._shared.dtypes)

    @property
    def embedding_tables(self) -> Mapping[str, Any]:
        """A read-only view of the tables by name."""
        # Not a dictionary: on saving, Keras looks for weights in the dictionaries that properties return.
        return MappingProxyType(self._shared.tables)

    def get_embedding(self, item: str | Tags) -> Any:
        """Returns the rows of a table, a variable (number of ids, D).

        Args:
            item: Name of the table, or name or tag of a column whose ids it embeds.

        Raises:
            ConfigError: if there is no such table, or it is not built yet.
        """
        table = self._shared.tables.get(item) or next(
            (table for table in self._shared.tables.values() if _is_for(table, item)), None
        )
        if table is None:
            known = ", ".join(map(repr, self._shared.tables)) or "none"
            raise ConfigError(f"{self.name} knows no such table", expected=f"one of {known}", got=repr(item))
        if table.embeddings is None:
            raise ConfigError(f"{self.name}: table {table.name!r} has no rows yet", fix="Build the model first.")
        return table.embeddings

    @property
    def named_variables(self) -> dict[str, Any]:
        """The context's own variables by name, and the rows of each built table under `<table>/embeddings`."""
        variables = {variable.name: variable for variable in self.variables}
        rows = {f"{name}/embeddings": table.embeddings for name, table in self._shared.tables.items()}
        return {**variables, **{name: variable for name, variable in rows.items() if variable is not None}}

    def __getitem__(self, item: str | Tags | Schema) -> Any:
        if isinstance(item, Schema):
            if len(item) != 1:
                raise ConfigError(f"{self.name}: a schema of one column", got=", ".join(item.column_names) or "none")
            item = str(item.column_names[0])
        name = item.value if isinstance(item, Tags) else item
        variables = self.named_variables
        if name not in variables:
            known = ", ".join(map(repr, variables)) or "none"
            raise ConfigError(f"{self.name} knows no such variable", expected=f"one of {known}", got=repr(name))
        return variables[name]

    def call(self, inputs: tf.Tensor | Mapping[str, tf.Tensor]) -> Any:
        """Returns the input."""
        return inputs


def _is_for(table: keras.layers.Layer, item: str | Tags) -> bool:
    schema = getattr(table, "schema", None)
    if schema is None:
        return False
    return item in schema.column_names or (isinstance(item, Tags) and len(schema.select_by_tag(item)) > 0)
