"""Blocks side by side: `ParallelBlock`, and `ShortcutBlock`, which keeps its input beside its output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar, Self, Unpack

import keras
import tensorflow as tf
from merlin.schema import Schema, Tags

from emrys.blocks.core.aggregation import ConcatFeatures, StackFeatures
from emrys.blocks.core.block import Block, BlockArguments, parse_layer
from emrys.blocks.core.calling import Shape, as_shape, build_layer, call_layer, output_shape
from emrys.blocks.core.serializing import from_config, to_config
from emrys.blocks.core.tabular import Filter, InputArguments, TabularBlock
from emrys.blocks.errors import ConfigError


@keras.saving.register_keras_serializable("emrys")
class ParallelBlock(TabularBlock):
    """Passes the same input to several branches and collects their outputs in one dictionary.

    A branch that returns a tensor appears under its name; a dictionary is merged into the result. Of outputs of one
    name, that of the later branch counts.
    If the input is a dictionary with an entry for every branch, each branch gets its entry instead of the whole;
    blocks that look features up by name (`is_input`) always get the whole.

    Args:
        *inputs: The branches: one dictionary by name, or layers, which are then known by their own names.
        pre: Layer applied to the input first.
        post: Layer applied to the collected dictionary.
        aggregation: Aggregation of the dictionary to one tensor, such as `"concat"`. Default: none.
        schema: The columns that the block reads, in which the branches look up their tags. Default: those that its
            branches read.
        name: Name of the block.
        strict: Whether only dictionaries are accepted as input. Default: False.
        automatic_pruning: Whether branches that read columns of which the batch has none are left out. Default: True.
        use_layer_name: Whether layers that are given without a name are known by their own, instead of by their number
            ("0", "1", …). Default: True.

    Input shape:
        A tensor or a dictionary of tensors, whatever the branches take.

    Output shape:
        Dictionary by branch, or its aggregation.

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> towers = mm.ParallelBlock({"wide": mm.Dense(1), "deep": mm.Dense(3)}, aggregation="concat")
        >>> tuple(towers(np.ones((2, 5), "float32")).shape)
        (2, 4)
    """

    applies_pre_and_post: ClassVar[bool] = True

    def __init__(
        self,
        *inputs: Any,
        pre: str | keras.layers.Layer | list[str | keras.layers.Layer] | None = None,
        post: str | keras.layers.Layer | list[str | keras.layers.Layer] | None = None,
        aggregation: str | keras.layers.Layer | None = None,
        schema: Schema | None = None,
        name: str | None = None,
        strict: bool = False,
        automatic_pruning: bool = True,
        use_layer_name: bool = True,
        **kwargs: Unpack[InputArguments],
    ) -> None:
        super().__init__(pre=pre, post=post, aggregation=aggregation, schema=schema, name=name, **kwargs)
        self.branches: dict[str, keras.layers.Layer] = layers_by_name(inputs, use_layer_name)
        self.strict = strict
        self.automatic_pruning = automatic_pruning
        if schema is not None:
            self.set_schema(schema)
        if self.context is not None:
            self.set_context(self.context)

    @property
    def parallel_layers(self) -> Mapping[str, keras.layers.Layer]:
        """The branches by name, read-only; see `add_branch`."""
        return MappingProxyType(self.branches)

    @property
    def parallel_dict(self) -> dict[str, keras.layers.Layer]:
        """The branches by name."""
        return dict(self.branches)

    @property
    def parallel_values(self) -> list[keras.layers.Layer]:
        """The branches, in order."""
        return list(self.branches.values())

    @property
    def layers(self) -> list[keras.layers.Layer]:
        """The branches, in order, with what is before and after them."""
        return [
            layer for layer in (self.pre, *self.branches.values(), self.post, self.aggregation) if layer is not None
        ]

    @property
    def first(self) -> keras.layers.Layer:
        """The first branch."""
        return next(iter(self.branches.values()))

    def add_branch(self, name: str, block: keras.layers.Layer) -> Self:
        """Adds a branch, and returns the block.

        Raises:
            ConfigError: if there is one of that name, or the block is built already.
        """
        if name in self.branches:
            raise ConfigError(f"{self.name} has a branch called {name!r}", fix="Give the new one another name.")
        self._set_branch(name, parse_layer(block, self.name))
        return self

    def apply_to_branch(self, branch_name: str, *block: keras.layers.Layer) -> None:
        """Chains layers after a branch, which keeps its name.

        Raises:
            ConfigError: if there is no such branch, or the block is built already.
        """
        branch = self._branch(branch_name)
        self._set_branch(branch_name, Block.parse_block(branch).connect(*block))

    def _branch(self, name: str) -> keras.layers.Layer:
        if name not in self.branches:
            raise ConfigError(f"{self.name} has no such branch", expected=", ".join(self.branches), got=repr(name))
        return self.branches[name]

    def _set_branch(self, name: str, layer: keras.layers.Layer) -> None:
        if self.built:
            raise ConfigError(f"{self.name} is built: its branches cannot change", got=repr(name))
        self.branches[name] = layer

    @property
    def schema(self) -> Schema | None:
        """The schema of the constructor; without one, the columns that the branches read."""
        if self._schema is not None:
            return self._schema
        # A table reads more than it looks up where its combiner takes weights from the batch.
        schemas = [getattr(branch, "read_schema", getattr(branch, "schema", None)) for branch in self.branches.values()]
        columns = {column.name: column for schema in schemas if schema is not None for column in schema}
        return Schema(list(columns.values())) if columns else None

    def set_schema(self, schema: Schema | None) -> Self:
        """Passes the schema on to all branches, and returns the block."""
        self._pass_schema_on(schema)
        for branch in self.branches.values():
            if isinstance(branch, Block):
                branch.set_schema(schema)
        return self

    def _routes(self, inputs: Any) -> dict[str, Any]:
        """The inputs of each branch: tensors in `call`, shapes in `build`."""
        if not isinstance(inputs, dict):
            if self.strict:
                raise ConfigError(f"{self.name} takes a dictionary", got=type(inputs).__name__)
            return dict.fromkeys(self.branches, inputs)
        by_name = all(name in inputs for name in self.branches)
        routes: dict[str, Any] = {}
        remaining = inputs
        for name, branch in self.branches.items():
            if by_name and not getattr(branch, "is_input", False):
                routes[name] = inputs[name]
            elif not self._pruned(branch, remaining):
                routes[name] = remaining
                if isinstance(branch, Filter) and branch.pop:
                    remaining = {key: value for key, value in remaining.items() if not branch.check_feature(key)}
        return routes

    def _pruned(self, branch: keras.layers.Layer, inputs: dict[str, Any]) -> bool:
        schema = getattr(branch, "schema", None)
        if not self.automatic_pruning or schema is None:
            return False
        return not any(name in inputs for name in schema.column_names)

    def build(self, input_shape: Shape) -> None:
        """Builds the branches for the inputs of each."""
        shape = self.build_pre(input_shape)
        shapes: dict[str, Any] = {}
        for name, branch_shape in self._routes(shape).items():
            shapes |= outputs_by_name(name, build_layer(self.branches[name], branch_shape))
        self.build_post(shapes)
        self.built = True

    def call(
        self,
        inputs: tf.Tensor | Mapping[str, tf.Tensor],
        training: bool | None = None,
        testing: bool | None = None,
        features: Mapping[str, tf.Tensor] | None = None,
        targets: tf.Tensor | Mapping[str, tf.Tensor] | None = None,
    ) -> Any:
        """Calls the branches and collects their outputs."""
        arguments = {"training": training, "testing": testing, "features": features, "targets": targets}
        outputs: dict[str, Any] = {}
        for name, branch_inputs in self._routes(self.pre_call(inputs, **arguments)).items():
            outputs |= outputs_by_name(name, call_layer(self.branches[name], branch_inputs, **arguments))
        return self.post_call(outputs, **arguments)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns the shapes by branch, or the shape of their aggregation."""
        shape = self.pre_shape(as_shape(input_shape))
        shapes: dict[str, Any] = {}
        for name, branch_shape in self._routes(shape).items():
            shapes |= outputs_by_name(name, output_shape(self.branches[name], branch_shape))
        return self.post_shape(shapes)

    def select_by_name(self, name: str) -> keras.layers.Layer | None:
        """Returns the branch of this name, or the layer of this name inside a branch."""
        if name in self.branches:
            return self.branches[name]
        for branch in self.branches.values():
            layer = branch.select_by_name(name) if isinstance(branch, Block) else None
            if layer is not None:
                return layer
        return self if self.name == name else None

    def select_by_names(self, names: Sequence[str]) -> list[keras.layers.Layer]:
        """Returns the branches with these names.

        Raises:
            ConfigError: if there is no branch of a name.
        """
        return [self._branch(name) for name in names]

    def select_by_tag(self, tags: Tags | list[Tags]) -> Block | None:
        """Returns the branches, or parts of them, that read columns with one of `tags`, with the same weights.

        Returns:
            This block if all its columns have one, None if none has, otherwise a new `ParallelBlock`.
        """
        parts = {
            name: branch.select_by_tag(tags) for name, branch in self.branches.items() if isinstance(branch, Block)
        }
        selected = {name: part for name, part in parts.items() if part is not None}
        if not selected or (
            len(selected) == len(self.branches) and all(selected[name] is self.branches[name] for name in selected)
        ):
            return self if selected else None
        return ParallelBlock(
            selected,
            pre=self.pre,
            post=self.post,
            aggregation=self.aggregation,
            name=self.name,
            strict=self.strict,
            automatic_pruning=self.automatic_pruning,
            is_input=self.is_input,
        )

    def __getitem__(self, name: str) -> keras.layers.Layer:
        return self.branches[name]

    def __len__(self) -> int:
        return len(self.branches)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        config = super().get_config()
        # A list of pairs: a saved model's JSON has its keys sorted, and the order of branches matters.
        config["branches"] = [[name, to_config(branch)] for name, branch in self.branches.items()]
        return {**config, "strict": self.strict, "automatic_pruning": self.automatic_pruning}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Creates the block from the configuration that `get_config` returned."""
        arguments = dict(config)
        branches = {name: from_config(branch) for name, branch in arguments.pop("branches")}
        return cls(branches, **from_config(arguments))


def layers_by_name(inputs: tuple[Any, ...], use_layer_name: bool) -> dict[str, keras.layers.Layer]:
    """Returns the branches by name.

    Args:
        inputs: Dictionaries by name, layers, or one list of these.
        use_layer_name: Whether layers are known by their own names instead of by their number.

    Raises:
        ConfigError: if something is no layer, or two have one name.
    """
    if len(inputs) == 1 and isinstance(inputs[0], (list, tuple)):
        inputs = tuple(inputs[0])
    branches: dict[str, keras.layers.Layer] = {}
    for number, item in enumerate(inputs):
        # An output goes by its task name: a layer's name cannot have the slash of "click/binary_output".
        own_name = getattr(item, "task_name", None) or getattr(item, "name", "")
        items = dict(item) if isinstance(item, Mapping) else {str(own_name if use_layer_name else number): item}
        for name, value in items.items():
            layer = parse_layer(value, "ParallelBlock", "branches")
            if name in branches:
                raise ConfigError(f"ParallelBlock has two branches called {name!r}", fix="Give them names.")
            branches[name] = layer
    return branches


def outputs_by_name(name: str, output: Any) -> dict[str, Any]:
    """Returns the output of a branch by name: a tensor under the branch's name, a dictionary as it is."""
    return output if isinstance(output, dict) else {name: output}


@keras.saving.register_keras_serializable("emrys")
class ShortcutBlock(TabularBlock):
    """Calls a block and keeps (a part of) the input beside the result, see `Block.connect_with_shortcut`.

    Args:
        block: The block.
        shortcut_filter: Selects what of the input is kept. Default: all of it.
        post: Layer applied to both together.
        aggregation: Aggregation of both, with the shortcut first. Default: none, a dictionary.
        block_outputs_name: Name of the block's output in the dictionary. Default: the block's name.

    Input shape:
        The input of `block`.

    Output shape:
        Dictionary of the shortcut's tensors (a tensor alone under `"shortcut"`) and the block's output, or their
        aggregation.
    """

    applies_pre_and_post: ClassVar[bool] = True

    def __init__(
        self,
        block: keras.layers.Layer,
        shortcut_filter: keras.layers.Layer | None = None,
        post: str | keras.layers.Layer | list[str | keras.layers.Layer] | None = None,
        aggregation: str | keras.layers.Layer | None = None,
        block_outputs_name: str | None = None,
        **kwargs: Unpack[BlockArguments],
    ) -> None:
        super().__init__(post=post, aggregation=aggregation, **kwargs)
        self.block = block
        self.shortcut_filter = shortcut_filter
        self.block_outputs_name = block_outputs_name or block.name

    def _side_by_side(self, shortcut: Any, output: Any) -> dict[str, Any]:
        shortcuts = shortcut if isinstance(shortcut, dict) else {"shortcut": shortcut}
        outputs = output if isinstance(output, dict) else {self.block_outputs_name: output}
        if isinstance(self.aggregation, (ConcatFeatures, StackFeatures)):
            # They sort by name: numbers as names keep the shortcut first.
            ordered = [*(shortcuts[name] for name in sorted(shortcuts)), *(outputs[name] for name in sorted(outputs))]
            return {f"{position:06d}": value for position, value in enumerate(ordered)}
        return {**shortcuts, **outputs}

    def build(self, input_shape: Shape) -> None:
        """Builds the block, `post` and the aggregation."""
        shape = as_shape(input_shape)
        shortcut = shape if self.shortcut_filter is None else build_layer(self.shortcut_filter, shape)
        self.build_post(self._side_by_side(shortcut, build_layer(self.block, shape)))
        self.built = True

    def call(
        self,
        inputs: tf.Tensor | Mapping[str, tf.Tensor],
        training: bool | None = None,
        testing: bool | None = None,
        features: Mapping[str, tf.Tensor] | None = None,
        targets: tf.Tensor | Mapping[str, tf.Tensor] | None = None,
    ) -> Any:
        """Returns the block's output with the shortcut beside it."""
        arguments = {"training": training, "testing": testing, "features": features, "targets": targets}
        shortcut = inputs if self.shortcut_filter is None else call_layer(self.shortcut_filter, inputs, **arguments)
        return self.post_call(self._side_by_side(shortcut, call_layer(self.block, inputs, **arguments)), **arguments)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns the shapes of both, or the shape of their aggregation."""
        shape = as_shape(input_shape)
        shortcut = shape if self.shortcut_filter is None else output_shape(self.shortcut_filter, shape)
        return self.post_shape(self._side_by_side(shortcut, output_shape(self.block, shape)))

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        config = super().get_config()
        for inherited in ("pre", "schema", "is_input"):
            config.pop(inherited)
        return {
            **config,
            "block": to_config(self.block),
            "shortcut_filter": to_config(self.shortcut_filter),
            "block_outputs_name": self.block_outputs_name,
        }
