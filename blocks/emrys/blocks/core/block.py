"""`Block`, the base class: composition verbs, configuration, and the registry of block names."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypedDict

import keras
import tensorflow as tf
from merlin.schema import Schema, Tags

from emrys.blocks.core.calling import Shape, as_shape, declares_output_shape, traced_shape
from emrys.blocks.core.model_context import ModelContext
from emrys.blocks.core.serializing import from_config, to_config
from emrys.blocks.errors import ConfigError, SchemaError
from emrys.blocks.utils.registry import NamingError, Registry

if TYPE_CHECKING:
    from emrys.blocks.core.model_context import ModelContext
    from emrys.blocks.core.parallel import ParallelBlock
    from emrys.blocks.core.sequential import SequentialBlock


def _make(name: str, block_class: Any) -> Any:
    # For a class, some versions of Python inspect `__new__` first, which Keras defines for layers.
    constructor = block_class.__init__ if inspect.isclass(block_class) else block_class
    required = [
        parameter.name
        for parameter in inspect.signature(constructor).parameters.values()
        if parameter.default is parameter.empty
        and parameter.name != "self"
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]
    if required:
        raise ConfigError(
            f"the block {name!r} cannot be made of its name alone",
            expected=f"{block_class.__name__}({', '.join(required)})",
            got=repr(name),
            fix="Give the block itself.",
        )
    return block_class()


#: The blocks by the names that `pre=`, `post=`, `connect` and others accept.
block_registry: Any = Registry("block", value_transformer=_make)


def parse_layer(value: object, owner: str, argument: str = "block") -> keras.layers.Layer:
    """Returns the layer of a name; a layer is returned unchanged.

    Args:
        value: A layer, or a name in `block_registry`.
        owner: Name of the caller, for error messages.
        argument: Name of its argument, for error messages.

    Raises:
        ConfigError: if there is no block of that name, or it is neither a name nor a layer.
    """
    try:
        layer = block_registry.parse(value)
    except NamingError as error:
        problem = f"{owner}: {argument}: {error.problem}"
        raise ConfigError(problem, expected=error.expected, fix=error.fix) from error
    if not isinstance(layer, keras.layers.Layer):
        raise ConfigError(f"{owner}: {argument}", expected="a layer or the name of a block", got=repr(value))
    return layer


def parse_activation(value: object, owner: str) -> Any:
    """Returns the activation of a name; a function or a layer is returned unchanged.

    Raises:
        ConfigError: if Keras has no such activation; the message suggests the nearest name.
    """
    if isinstance(value, keras.layers.Layer):
        return value
    try:
        return keras.activations.get(value)
    except (TypeError, ValueError) as error:
        known = [name for name in dir(keras.activations) if not name.startswith("_")]
        near = difflib.get_close_matches(str(value), known, n=1)
        raise ConfigError(
            f"{owner}: activation",
            expected="an activation that Keras knows",
            got=repr(value),
            fix=f"Did you mean {near[0]!r}?" if near else None,
        ) from error


@dataclass(frozen=True)
class _ContextHolder:
    """A block's context, in a dataclass: Keras would track a context attribute as a part of the block."""

    context: ModelContext | None
    is_own: bool = False


class UnnamedBlockArguments(TypedDict, total=False):
    """The arguments of `keras.layers.Layer` and `Block` that the constructors of blocks pass on, without the name."""

    dtype: str | keras.DTypePolicy | None
    trainable: bool
    autocast: bool
    activity_regularizer: str | keras.regularizers.Regularizer | None
    context: ModelContext | None


class BlockArguments(UnnamedBlockArguments, total=False):
    """The arguments of `keras.layers.Layer` and `Block` that the constructors of blocks pass on."""

    name: str | None


@keras.saving.register_keras_serializable("emrys")
class Block(keras.layers.Layer):
    """A Keras layer on a tensor or a dictionary of tensors, with methods that connect it to other blocks.

    A subclass implements `call`, builds its children in `build`, and returns its constructor's arguments in
    `get_config`, with `emrys.blocks.core.serializing.to_config` around those that are layers or schemas.

    Args:
        context: Context shared with other blocks. Default: none, until a model or a chain sets one.
        **kwargs: The arguments of `keras.layers.Layer`.

    Raises:
        ConfigError: if `context` is no `ModelContext`.
    """

    #: The blocks by the names that `parse` and arguments such as `pre` accept.
    registry: ClassVar[Any] = block_registry

    def __init__(self, context: ModelContext | None = None, **kwargs: object) -> None:
        if context is not None and not isinstance(context, ModelContext):
            raise ConfigError(f"{type(self).__name__}: context", expected="a ModelContext", got=repr(context))
        super().__init__(**kwargs)
        self._context_holder = _ContextHolder(context, is_own=context is not None)

    @classmethod
    def from_config(cls, config: dict[str, object]) -> Self:
        """Creates the block from the configuration that `get_config` returned."""
        return cls(**from_config(config))

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments; the context only if it was one of them."""
        config: dict[str, Any] = super().get_config()
        return {**config, "context": to_config(self._context_holder.context)} if self._context_holder.is_own else config

    @classmethod
    def parse(cls, *block: Any) -> Any:
        """Returns the block of a name, or a chain of several blocks.

        Args:
            *block: Names in `registry`, or layers; or one list of them.

        Returns:
            The layer, or the chain of layers.

        Raises:
            ConfigError: if there is no block of a name; the message suggests the nearest name.
        """
        items = list(block[0]) if len(block) == 1 and isinstance(block[0], (list, tuple)) else list(block)
        if not items:
            raise ConfigError(f"{cls.__name__}.parse: block", expected="a layer or the name of a block", got="none")
        layers = [parse_layer(cls.registry.parse(item), f"{cls.__name__}.parse") for item in items]
        return layers[0] if len(layers) == 1 else cls.parse_block(layers[0]).connect(*layers[1:])

    @classmethod
    def from_layer(cls, layer: keras.layers.Layer) -> Block:
        """Returns a block of the same name around a layer; the layer itself is not changed.

        Raises:
            ConfigError: if it is no layer.
        """
        return _composition().SequentialBlock([parse_layer(layer, f"{cls.__name__}.from_layer")], block_name=layer.name)

    @classmethod
    def parse_block(cls, input: keras.layers.Layer) -> Block:
        """Returns a block itself, and any other layer as a block; see `from_layer`."""
        return input if isinstance(input, Block) else cls.from_layer(input)

    def call(self, inputs: Any) -> Any:
        """Returns the input; a subclass computes its output here."""
        return inputs

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns the shape of the output: the input's own, or what a subclass gives that overrides `call` alone."""
        if declares_output_shape(self):
            return as_shape(input_shape)
        return traced_shape(self.call, as_shape(input_shape), self.name)

    def call_outputs(self, outputs: Any, training: bool = False, **kwargs: object) -> Any:
        """Changes a `Prediction` after the output: targets, weights or negatives. The base class returns it unchanged.

        Args:
            outputs: The `Prediction`.
            training: Whether it is a training step. Default: False.
            **kwargs: Further keyword arguments of a subclass.

        Returns:
            A `Prediction`.
        """
        return outputs

    def register_features(self, feature_shapes: Mapping[str, Any]) -> list[str]:
        """Returns the names of features that this block adds to a batch of these shapes; none in the base class."""
        return []

    @property
    def context(self) -> ModelContext | None:
        """The context shared with other blocks; None if there is none."""
        return self._context_holder.context

    def set_context(self, context: ModelContext | None) -> None:
        """Sets the context of this block, and of its inner blocks without a context of their own."""
        self._context_holder = _ContextHolder(context, self._context_holder.is_own)
        for layer in _layers_in(list(_public(self))):
            if isinstance(layer, Block) and not layer._context_holder.is_own:
                layer.set_context(context)

    @property
    def schema(self) -> Schema | None:
        """The columns that this block reads; None if it does not read features by name."""
        return None

    def set_schema(self, schema: Schema | None) -> Self:
        """Sets the schema in which blocks that select by tag look up their columns, and returns the block."""
        return self

    @property
    def has_schema(self) -> bool:
        """Whether the block knows the columns that it reads."""
        return self.schema is not None

    def check_schema(self) -> None:
        """Checks that the block knows the columns that it reads.

        Raises:
            SchemaError: if it does not.
        """
        if not self.has_schema:
            raise SchemaError(f"{self.name} has no schema", fix="Give it schema=, or call set_schema.")

    @property
    def is_tabular(self) -> bool:
        """Whether the block is known to return a dictionary."""
        return False

    def copy(self) -> Self:
        """Returns a new block with the same configuration and new weights."""
        # Keras finds a class by its name only if it is registered, which a copy does not need.
        with keras.saving.custom_object_scope(own_classes(self)):
            return type(self).from_config(self.get_config())

    def select_by_name(self, name: str) -> keras.layers.Layer | None:
        """Returns this block if its name is `name`."""
        return self if self.name == name else None

    def select_by_tag(self, tags: Tags | list[Tags]) -> Block | None:
        """Returns the part of this block that reads columns with one of `tags`; None if there is none."""
        schema = self.schema
        return self if schema is not None and len(schema.select_by_tag(tags)) else None

    def connect(
        self, *block: keras.layers.Layer | str, block_name: str | None = None, context: ModelContext | None = None
    ) -> SequentialBlock:
        """Chains layers after this block.

        Args:
            *block: Layers or names of blocks, in order. The output of each is the input of the next.
            block_name: Name of the result.
            context: Context of all of them. Default: that of this block, if it has one.

        Returns:
            The chain, as one block.
        """
        return _sequential([self, *block], block_name, self.context if context is None else context)

    def connect_with_shortcut(
        self,
        block: keras.layers.Layer | str,
        shortcut_filter: keras.layers.Layer | None = None,
        post: str | keras.layers.Layer | list[str | keras.layers.Layer] | None = None,
        aggregation: str | keras.layers.Layer | None = None,
        block_outputs_name: str | None = None,
    ) -> SequentialBlock:
        """Chains `block` after this one and keeps this block's output beside the result.

        Args:
            block: Layer that takes this block's output.
            shortcut_filter: Selects what of this block's output is kept, all of it by default.
            post: Layer applied to both together.
            aggregation: Aggregation of both, such as `"concat"`, with the shortcut first. None returns a dictionary.
            block_outputs_name: Name of the output of `block` in that dictionary, by default its own name.

        Returns:
            The chain, as one block.
        """
        layer = parse_layer(block, "connect_with_shortcut")
        shortcut = _composition().ShortcutBlock(layer, shortcut_filter, post, aggregation, block_outputs_name)
        return _sequential([self, shortcut])

    def connect_with_residual(
        self,
        block: keras.layers.Layer,
        activation: str | Callable[[tf.Tensor], tf.Tensor] | keras.layers.Layer | None = None,
    ) -> SequentialBlock:
        """Chains `block` after this one and adds this block's output to the result: `activation(x + block(x))`.

        Args:
            block: Layer that takes this block's output and gives its shape.
            activation: Activation of the sum. Default: none.

        Returns:
            The chain, as one block.
        """
        return _sequential([self, _composition().ResidualBlock(block, activation=activation)])

    def connect_branch(
        self,
        *branches: keras.layers.Layer | str,
        add_rest: bool = False,
        post: str | keras.layers.Layer | list[str | keras.layers.Layer] | None = None,
        aggregation: str | keras.layers.Layer | None = None,
        **kwargs: object,
    ) -> SequentialBlock:
        """Chains several parallel layers after this block.

        Args:
            *branches: Layers, or names of blocks, that take this block's output; those with a filter take a part of it.
            add_rest: Whether the features that no branch reads are passed on beside their outputs. Default: False.
            post: Layer applied to all outputs together.
            aggregation: Aggregation of the outputs, such as `"concat"`. Default: none, a dictionary.
            **kwargs: The other arguments of `ParallelBlock`.

        Returns:
            The chain, as one block.

        Raises:
            SchemaError: if `add_rest` is set, and a branch does not declare the columns that it reads.
        """
        read: set[str] = set()
        layers = [parse_layer(branch, "connect_branch", "branches") for branch in branches]
        for branch in layers if add_rest else ():
            read.update(_columns_read(branch, self.schema))
        rest = [_composition().Filter(sorted(read), exclude=True, name="rest")] if read else []
        return _sequential(
            [self, _composition().ParallelBlock(*layers, *rest, post=post, aggregation=aggregation, **kwargs)]
        )

    def repeat(self, num: int = 1) -> SequentialBlock:
        """Chains `num` copies of this block after it; each has its own weights.

        Args:
            num: Number of copies, so that there are `num` + 1 blocks in the chain. Default: 1.

        Returns:
            The chain, as one block.

        Raises:
            ConfigError: if `num` is below 0.
        """
        if not isinstance(num, int) or num < 0:
            raise ConfigError("repeat: num", expected="a number of copies from 0", got=repr(num))
        return _sequential([self, *(self.copy() for _ in range(num))])

    def repeat_in_parallel(
        self,
        num: int = 1,
        prefix: str | None = None,
        names: Sequence[str] | None = None,
        post: str | keras.layers.Layer | list[str | keras.layers.Layer] | None = None,
        aggregation: str | keras.layers.Layer | None = None,
        copies: bool = True,
        residual: bool = False,
        **kwargs: object,
    ) -> ParallelBlock:
        """Returns this block and copies of it in parallel.

        Args:
            num: Number of branches. Default: 1.
            prefix: Prefix of their names, before 0, 1, …. Default: none.
            names: Their names, instead. Default: none.
            post: Layer applied to all outputs together.
            aggregation: Aggregation of the outputs, such as `"stack"`. Default: none, a dictionary.
            copies: Whether each has weights of its own. Default: True.
            residual: Whether the input is kept beside them, as `"shortcut"`. Default: False.
            **kwargs: The other arguments of `ParallelBlock`.

        Returns:
            The branches, as one block.

        Raises:
            ConfigError: if `num` is below 1, or there are not as many names, each another.
        """
        if not isinstance(num, int) or num < 1:
            raise ConfigError("repeat_in_parallel: num", expected="a number of branches from 1", got=repr(num))
        branch_names = list(names) if names is not None else [f"{prefix or ''}{index}" for index in range(num)]
        if len(set(branch_names)) != num or len(branch_names) != num:
            raise ConfigError("repeat_in_parallel: names", expected=f"{num} different names", got=repr(branch_names))
        options = {"post": post, "aggregation": aggregation, **kwargs}
        if not copies:
            return _composition().RepeatedBlock(self, branch_names, residual=residual, **options)
        branches = {name: self.copy() if index else self for index, name in enumerate(branch_names)}
        return _composition().ParallelBlock(
            {**branches, **({"shortcut": _composition().NoOp()} if residual else {})}, **options
        )

    def prepare(
        self,
        block: keras.layers.Layer | None = None,
        post: str | keras.layers.Layer | list[str | keras.layers.Layer] | None = None,
        aggregation: str | keras.layers.Layer | None = None,
    ) -> SequentialBlock:
        """Chains this block after other layers.

        Args:
            block: Layer that gets the input first.
            post: Layer behind it.
            aggregation: Aggregation to one tensor for this block, such as `"concat"`.

        Returns:
            The chain, as one block.
        """
        return _sequential([_composition().TabularBlock(pre=block, post=post, aggregation=aggregation), self])

    def as_tabular(self, name: str | None = None) -> SequentialBlock:
        """Returns a chain whose output is a dictionary with this block's output.

        Args:
            name: Its name there. Default: the block's own.

        Returns:
            The chain, as one block.
        """
        return _sequential([self, _composition().AsTabular(name or self.name)])

    def connect_debug_block(self, append: bool = True) -> SequentialBlock:
        """Chains a `Debug` block, which prints this block's output, after this one.

        Args:
            append: Whether it comes after this block instead of before it. Default: True.

        Returns:
            The chain, as one block.
        """
        return _sequential([self, _composition().Debug()] if append else [_composition().Debug(), self])


def _public(layer: keras.layers.Layer) -> Iterator[Any]:
    return (value for name, value in vars(layer).items() if not name.startswith("_"))


def _layers_in(value: Any) -> Iterator[keras.layers.Layer]:
    if isinstance(value, keras.layers.Layer):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _layers_in(item)
    elif isinstance(value, Mapping):
        yield from _layers_in(list(value.values()))


def own_classes(layer: keras.layers.Layer) -> dict[str, type]:
    """Returns the classes of a layer and its inner layers that are neither Keras' nor this library's, by name."""
    own = type(layer).__module__.partition(".")[0] not in ("keras", "emrys")
    classes: dict[str, type] = {type(layer).__name__: type(layer)} if own else {}
    for inner in _layers_in(list(_public(layer))):
        classes.update(own_classes(inner))
    return classes


def _columns_read(branch: keras.layers.Layer, schema: Schema | None) -> list[str]:
    if isinstance(branch, Block) and branch.schema is None:
        branch.set_schema(schema)
    columns = getattr(branch, "schema", None)
    if columns is None:
        raise SchemaError(
            f"connect_branch cannot find the rest: {branch.name} does not declare the columns that it reads",
            fix="Give it a filter with a schema, such as filter=schema.select_by_tag(...).",
        )
    return list(columns.column_names)


def _sequential(layers: list[Any], name: str | None = None, context: ModelContext | None = None) -> SequentialBlock:
    return _composition().SequentialBlock(layers, block_name=name, context=context)


def _composition() -> ModuleType:
    """The block classes that the methods of `Block` create; as subclasses they cannot be imported at the top."""
    from emrys.blocks.core import composition

    return composition
