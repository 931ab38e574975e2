"""Selecting features of a batch."""

from __future__ import annotations

from typing import Any

import keras
from merlin.schema import Schema, Tags

from emrys.blocks.core.block import Block
from emrys.blocks.core.calling import Shape, as_shape
from emrys.blocks.core.serializing import to_config
from emrys.blocks.errors import ConfigError, SchemaError


@keras.saving.register_keras_serializable("emrys")
class Filter(Block):
    """Keeps some features of a dictionary and drops the others.

    Args:
        inputs: What to keep: a schema, a name, a tag, or a list of names or tags. Tags are looked up in the schema
            that `set_schema` gives, which a `Model` does for its blocks.
        name: Name of the layer.
        pop: Whether the features kept here are hidden from the branches that come after this one in a
            `ParallelBlock`. Default: False.
        exclude: Keep what is not selected instead. Default: False.
        add_to_context: Accepted as False only: in the released library every call with True fails.

    Input shape:
        Dictionary of tensors by feature name.

    Output shape:
        Dictionary of those selected, in the order in which they came.

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> list(mm.Filter("a")({"a": np.ones((2, 1)), "b": np.ones((2, 1))}))
        ['a']
    """

    def __init__(
        self,
        inputs: Any,
        name: str | None = None,
        pop: bool = False,
        exclude: bool = False,
        add_to_context: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        if add_to_context:
            raise ConfigError(
                "Filter: add_to_context",
                expected="False",
                got="True",
                fix="The batch reaches every block that takes `features`.",
            )
        self.inputs = [inputs] if isinstance(inputs, (str, Tags)) else inputs
        if not isinstance(self.inputs, (Schema, list, tuple, set)) or len(self.inputs) == 0:
            raise ConfigError(
                "Filter has nothing to select", expected="a schema, a name, a tag, or a list of them", got=repr(inputs)
            )
        self.pop = pop
        self.exclude = exclude
        self._columns: Schema | None = inputs if isinstance(inputs, Schema) else None

    @property
    def schema(self) -> Schema | None:
        """The columns selected, None as long as they are not known."""
        if self._columns is None:
            return None
        selected = [name for name in self._columns.column_names if self.check_feature(name)]
        return self._columns.select_by_name(selected)

    def set_schema(self, schema: Schema | None) -> None:
        """Gives the schema in which tags are looked up."""
        if not isinstance(self.inputs, Schema):
            self._columns = schema

    def check_feature(self, feature_name: str) -> bool:
        """Whether the feature called `feature_name` is kept.

        Raises:
            SchemaError: if features are selected by tag and no schema is known.
        """
        return (feature_name in self._selected()) != self.exclude

    def _selected(self) -> set[str]:
        if isinstance(self.inputs, Schema):
            return set(self.inputs.column_names)
        tags = [item for item in self.inputs if isinstance(item, Tags)]
        names = {str(item) for item in self.inputs if not isinstance(item, Tags)}
        if tags and self._columns is None:
            raise SchemaError(
                f"{self.name} selects by tag and knows no schema",
                fix="Give the model a schema=, or call set_schema on the block.",
            )
        if tags and self._columns is not None:
            names |= set(self._columns.select_by_tag(tags).column_names)
        return names

    @property
    def feature_names(self) -> list[str]:
        """Names of the features selected; with `exclude`, those of the known columns that are left.

        Raises:
            SchemaError: if that depends on a schema, and none is known.
        """
        if not self.exclude:
            return sorted(self._selected())
        if self._columns is None:
            raise SchemaError(f"{self.name} excludes features and knows no schema", fix="Call set_schema on it.")
        return [name for name in self._columns.column_names if self.check_feature(name)]

    @property
    def is_tabular(self) -> bool:
        """True: it gives a dictionary."""
        return True

    def select_by_tag(self, tags: Tags | list[Tags]) -> Filter | None:
        """A filter for those of the columns selected that have one of `tags`, None where there is none."""
        schema = self.schema
        chosen = Schema([]) if schema is None else schema.select_by_tag(tags)
        return type(self)(chosen) if len(chosen) else None

    def build(self, input_shape: Shape) -> None:
        """Checks that something is left."""
        self.compute_output_shape(input_shape)
        self.built = True

    def call(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """Gives the features selected."""
        return {name: value for name, value in inputs.items() if self.check_feature(name)}

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Shapes of the features selected."""
        shapes = as_shape(input_shape)
        if not isinstance(shapes, dict):
            raise ConfigError(f"{self.name} selects features by name", expected="a dictionary", got=f"shape {shapes}")
        kept = {name: shape for name, shape in shapes.items() if self.check_feature(name)}
        if not kept:
            raise SchemaError(
                f"{self.name} finds none of its features in the batch",
                expected=", ".join(sorted(self._selected())) or "some",
                got=", ".join(shapes),
            )
        return kept

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        chosen = self.inputs if isinstance(self.inputs, Schema) else sorted(self.inputs, key=str)
        return {**super().get_config(), "inputs": to_config(chosen), "pop": self.pop, "exclude": self.exclude}
