"""Blocks on dictionaries of features: `TabularBlock`, the base, and `Filter`."""

from __future__ import annotations

import contextvars
import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self, TypeAlias, Unpack

import keras
import tensorflow as tf
from merlin.schema import Schema, Tags

from emrys.blocks.core.aggregation import parse_aggregation
from emrys.blocks.core.block import Block, BlockArguments, UnnamedBlockArguments, parse_layer
from emrys.blocks.core.calling import (
    Shape,
    as_shape,
    build_layer,
    build_layers,
    call_layer,
    output_shape,
    shape_behind,
    traced_shape,
)
from emrys.blocks.core.serializing import to_config
from emrys.blocks.errors import ConfigError, SchemaError, reject_removed

#: What `pre`, `post` and similar arguments take.
LayerOrName: TypeAlias = str | keras.layers.Layer | list[str | keras.layers.Layer] | None


class InputArguments(UnnamedBlockArguments, total=False):
    """Arguments that constructors pass on to `TabularBlock`: those of every block but the name, and `is_input`."""

    is_input: bool


class UnnamedTabularArguments(InputArguments, total=False):
    """Arguments that constructors pass on to `TabularBlock`: all but the name."""

    pre: LayerOrName
    post: LayerOrName
    aggregation: str | keras.layers.Layer | None
    schema: Schema | None


class LayersAroundArguments(BlockArguments, total=False):
    """Arguments that constructors pass on to `TabularBlock`: those of every block, and the layers around it."""

    pre: LayerOrName
    post: LayerOrName
    aggregation: str | keras.layers.Layer | None


class TransformArguments(LayersAroundArguments, total=False):
    """Arguments that constructors pass on to `TabularBlock`: all but the schema."""

    is_input: bool


class TabularArguments(TransformArguments, total=False):
    """Arguments that constructors pass on to `TabularBlock`."""

    schema: Schema | None


@dataclass(frozen=True)
class _CallOptions:
    """The layers that one call of a block uses instead of the block's own."""

    block: int
    pre: Any = None
    post: Any = None
    merge_with: Any = None
    aggregation: Any = None


_CALL_OPTIONS: contextvars.ContextVar[_CallOptions | None] = contextvars.ContextVar("call_options", default=None)


@keras.saving.register_keras_serializable("emrys")
class TabularBlock(Block):
    """A block on a dictionary of features; the base class applies only `pre`, `post` and `aggregation`.

    A subclass implements `transform`, and `transform_shape` if names or shapes change. One that overrides `call`
    instead also gets `pre` before it, and `post` and `aggregation` after it where it returns a dictionary.

    A call takes `pre=`, `post=`, `merge_with=` and `aggregation=` too, which replace those of the block.

    Args:
        pre: Layer that is applied to the input first: a layer, the name of a block, or a list of them. Default: none.
        post: Layer applied to the result, given in the same way. Default: none.
        aggregation: Aggregation of the result to one tensor, by name (`"concat"`) or as a layer. Default: none.
        schema: The columns that the block reads. Default: unknown.
        name: Name of the block.
        is_input: Whether the block reads features by name, and so gets the whole batch. Default: False.

    Input shape:
        Dictionary of tensors by feature name.

    Output shape:
        The same dictionary, or its aggregation.

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> batch = {"a": np.array([[1.0]]), "b": np.array([[2.0]])}
        >>> mm.TabularBlock()(batch, aggregation="concat").numpy().tolist()
        [[1.0, 2.0]]
    """

    #: Whether the `call` of the class applies `pre`, `post` and the aggregation itself.
    applies_pre_and_post: ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Puts a `call` that a subclass overrides between `pre` and `post`."""
        super().__init_subclass__(**kwargs)
        own: Any = vars(cls).get("call")
        inherited: Any = super(cls, cls).call
        if own is not None and inherited is TabularBlock.call and not cls.applies_pre_and_post:
            cls.call = _between_pre_and_post(own)  # type: ignore[method-assign]

    def __init__(
        self,
        pre: str | keras.layers.Layer | list[str | keras.layers.Layer] | None = None,
        post: str | keras.layers.Layer | list[str | keras.layers.Layer] | None = None,
        aggregation: str | keras.layers.Layer | None = None,
        schema: Schema | None = None,
        name: str | None = None,
        is_input: bool = False,
        **kwargs: Unpack[UnnamedBlockArguments],
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.set_pre(pre)
        self.set_post(post)
        self.set_aggregation(aggregation)
        self.is_input = is_input
        self._schema = schema
        if self.context is not None:
            self.set_context(self.context)

    def __call__(
        self,
        inputs: tf.Tensor | Mapping[str, tf.Tensor],
        *args: object,
        pre: LayerOrName = None,
        post: LayerOrName = None,
        merge_with: keras.layers.Layer | list[keras.layers.Layer] | None = None,
        aggregation: str | keras.layers.Layer | None = None,
        **kwargs: object,
    ) -> Any:
        """Calls the block, with the given layers instead of its own; see `pre_call` and `post_call`."""
        if pre is None and post is None and merge_with is None and aggregation is None:
            return super().__call__(inputs, *args, **kwargs)
        token = _CALL_OPTIONS.set(_CallOptions(id(self), pre, post, merge_with, aggregation))
        try:
            return super().__call__(inputs, *args, **kwargs)
        finally:
            _CALL_OPTIONS.reset(token)

    def _call_options(self) -> _CallOptions:
        options = _CALL_OPTIONS.get()
        return options if options is not None and options.block == id(self) else _CallOptions(id(self))

    @classmethod
    def from_features(
        cls,
        features: Sequence[str],
        pre: str | keras.layers.Layer | list[str | keras.layers.Layer] | None = None,
        **kwargs: Any,
    ) -> Self:
        """Creates a block that gets only these features; `pre` and `kwargs` are its other arguments."""
        selection = Filter(list(features))
        return cls(pre=[selection, *_as_list(pre)] if pre is not None else selection, **kwargs)

    @classmethod
    def from_schema(
        cls, schema: Schema, tags: Tags | Sequence[Tags] | None = None, allow_none: bool = True, **kwargs: Any
    ) -> Self | None:
        """Creates the block for the columns of a schema.

        Args:
            schema: The columns.
            tags: Only those with one of these tags. Default: all.
            allow_none: Whether the schema may have no such column. Default: True.
            **kwargs: The block's other arguments.

        Returns:
            The block, or None if there is no such column.

        Raises:
            SchemaError: if there is none and `allow_none` is False.
        """
        selected = schema if tags is None else schema.select_by_tag(tags)
        if len(selected):
            return cls.from_features(selected.column_names, schema=selected, **kwargs)
        if allow_none:
            return None
        got = ", ".join(schema.column_names) or "an empty schema"
        raise SchemaError(f"{cls.__name__} finds no column tagged {tags}", got=got)

    def set_pre(self, value: object) -> None:
        """Sets the layer applied to the input first; see the constructor."""
        self.pre: keras.layers.Layer | None = _as_block(value, self.name, "pre")

    def set_post(self, value: object) -> None:
        """Sets the layer applied to the result; see the constructor."""
        self.post: keras.layers.Layer | None = _as_block(value, self.name, "post")

    def set_aggregation(self, value: object) -> None:
        """Sets the aggregation of the result: a name, a layer, or None."""
        self.aggregation: keras.layers.Layer | None = parse_aggregation(value)

    @property
    def is_tabular(self) -> bool:
        """Whether the block is known to return a dictionary: no aggregation makes a tensor of it."""
        return self.aggregation is None

    def apply_to_all(
        self, inputs: dict[str, tf.Tensor], columns_to_filter: Sequence[str] | None = None
    ) -> dict[str, Any]:
        """Calls the block on each tensor of a dictionary alone.

        Args:
            inputs: The dictionary.
            columns_to_filter: Only these. Default: all.

        Returns:
            Dictionary of the results.
        """
        selected = inputs if columns_to_filter is None else Filter(list(columns_to_filter))(inputs)
        return {name: self(value) for name, value in selected.items()}

    @property
    def schema(self) -> Schema | None:
        """The columns that this block reads."""
        return self._schema

    def set_schema(self, schema: Schema | None) -> Self:
        """Sets the schema, unless the constructor got one, and passes it on to `pre`, `post` and the aggregation."""
        if self._schema is None:
            self._schema = schema
        self._pass_schema_on(schema)
        return self

    def _pass_schema_on(self, schema: Schema | None) -> None:
        for layer in (self.pre, self.post, self.aggregation):
            if isinstance(layer, Block):
                layer.set_schema(schema)

    def select_by_tag(self, tags: Tags | list[Tags]) -> Block | None:
        """Returns the block for its columns with one of `tags`; None if there is none."""
        schema = self.schema
        selected = Schema([]) if schema is None else schema.select_by_tag(tags)
        if schema is None or len(selected) in (0, len(schema)) or type(self) is not TabularBlock:
            return self if len(selected) else None
        return TabularBlock(self.pre, self.post, self.aggregation, schema=selected, is_input=self.is_input)

    def _output_layers(self) -> list[keras.layers.Layer]:
        return [layer for layer in (self.post, self.aggregation) if layer is not None]

    def build_pre(self, input_shape: Shape) -> Shape:
        """Builds `pre` and returns the shape of its output."""
        shape = as_shape(input_shape)
        return shape if self.pre is None else build_layer(self.pre, shape)

    def build_post(self, shape: Shape) -> None:
        """Builds `post` and the aggregation for the output of the block itself."""
        build_layers(self._output_layers(), shape)

    def pre_call(
        self, inputs: tf.Tensor | Mapping[str, tf.Tensor], transformations: LayerOrName = None, **kwargs: object
    ) -> Any:
        """Applies `pre`, or `transformations` instead."""
        transformations = self._call_options().pre if transformations is None else transformations
        layer = self.pre if transformations is None else Block.parse(transformations)
        return inputs if layer is None else call_layer(layer, inputs, **kwargs)

    def post_call(
        self,
        inputs: tf.Tensor | Mapping[str, tf.Tensor],
        transformations: LayerOrName = None,
        merge_with: keras.layers.Layer | list[keras.layers.Layer] | None = None,
        aggregation: str | keras.layers.Layer | None = None,
        **kwargs: object,
    ) -> Any:
        """Applies `post` and the aggregation to the output of the block itself.

        Args:
            inputs: The output of the block itself.
            transformations: Layer applied instead of `post`. Default: `post`.
            merge_with: Layers that get `inputs` too, and whose dictionaries are merged into the result. Default: none.
            aggregation: Aggregation of the result, instead of the block's own. Default: the block's own.
            **kwargs: Keyword arguments of the layers' `call`: `training`, `features` and others.

        Returns:
            A dictionary, or its aggregation.
        """
        options = self._call_options()
        transformations = options.post if transformations is None else transformations
        merge_with = options.merge_with if merge_with is None else merge_with
        aggregation = options.aggregation if aggregation is None else aggregation
        post = self.post if transformations is None else Block.parse(transformations)
        outputs = inputs if post is None else call_layer(post, inputs, **kwargs)
        for other in _as_list(merge_with):
            outputs = {**outputs, **call_layer(other, inputs, **kwargs)}
        last = self.aggregation if aggregation is None else parse_aggregation(aggregation)
        return outputs if last is None else call_layer(last, outputs, **kwargs)

    def pre_shape(self, shape: Shape) -> Shape:
        """Returns the shape after `pre`."""
        return shape if self.pre is None else output_shape(self.pre, shape)

    def post_shape(self, shape: Shape) -> Shape:
        """Returns the shape after `post` and the aggregation."""
        return shape_behind(self._output_layers(), shape)

    def transform(self, inputs: tf.Tensor | Mapping[str, tf.Tensor], **kwargs: object) -> Any:
        """Transforms the features, between `pre` and `post`; the base class returns them unchanged.

        Args:
            inputs: The output of `pre`.
            **kwargs: The arguments of the call that were given: `training`, `testing`, `features`, `targets`.
        """
        return inputs

    def transform_shape(self, shape: Shape) -> Shape:
        """Returns the shape of what `transform` returns."""
        own = getattr(type(self).call, "__wrapped__", None)
        return shape if own is None else traced_shape(functools.partial(own, self), shape, self.name)

    def build(self, input_shape: Shape) -> None:
        """Builds `pre`, `post` and the aggregation."""
        self.build_post(self.transform_shape(self.build_pre(input_shape)))
        self.built = True

    def call(
        self,
        inputs: tf.Tensor | Mapping[str, tf.Tensor],
        training: bool | None = None,
        testing: bool | None = None,
        features: Mapping[str, tf.Tensor] | None = None,
        targets: tf.Tensor | Mapping[str, tf.Tensor] | None = None,
    ) -> Any:
        """Returns the features, transformed by `pre`, the block itself, `post` and the aggregation."""
        if type(self).call is not TabularBlock.call:  # called by the `call` of a subclass, between `pre` and `post`
            return inputs
        arguments = {"training": training, "testing": testing, "features": features, "targets": targets}
        given = {name: value for name, value in arguments.items() if value is not None}
        return self.post_call(self.transform(self.pre_call(inputs, **given), **given), **given)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns the shape of the result."""
        return self.post_shape(self.transform_shape(self.pre_shape(as_shape(input_shape))))

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "pre": to_config(self.pre),
            "post": to_config(self.post),
            "aggregation": to_config(self.aggregation),
            "schema": to_config(self._schema),
            "is_input": self.is_input,
        }


def _between_pre_and_post(own: Callable[..., Any]) -> Callable[..., Any]:
    """Returns a `call` that applies `pre`, then `own`, then `post` and the aggregation to a dictionary."""

    @functools.wraps(own)
    def call(self: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        outputs = own(self, self.pre_call(inputs, **kwargs), *args, **kwargs)
        return self.post_call(outputs, **kwargs) if isinstance(outputs, dict) else outputs

    return call


def _as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [] if value is None else [value]


def _as_block(value: Any, owner: str, argument: str) -> keras.layers.Layer | None:
    layers = [parse_layer(item, owner, argument) for item in _as_list(value)]
    return Block.parse(layers) if layers else None


@keras.saving.register_keras_serializable("emrys")
class Filter(TabularBlock):
    """Keeps some features of a dictionary and drops the others.

    Args:
        inputs: The features to keep: a schema, a name, a tag, or a list of names or tags. Tags are looked up in the
            schema passed to `set_schema`, which a `Model` calls for its blocks.
        name: Name of the layer.
        pop: Whether the features kept here are hidden from the branches that come after this one in a
            `ParallelBlock`. Default: False.
        exclude: Keep what is not selected instead. Default: False.
        add_to_context: Accepted as False only: in the released library every call with True fails.
        **kwargs: The other arguments of `TabularBlock`, such as `aggregation` and `post`.

    Input shape:
        Dictionary of tensors by feature name.

    Output shape:
        Dictionary of the selected features, in the order of the input, empty if the input has none; or its aggregation.

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> list(mm.Filter("a")({"a": np.ones((2, 1)), "b": np.ones((2, 1))}))
        ['a']
    """

    def __init__(
        self,
        inputs: tf.Tensor | Mapping[str, tf.Tensor],
        name: str | None = None,
        pop: bool = False,
        exclude: bool = False,
        add_to_context: bool = False,
        **kwargs: Unpack[UnnamedTabularArguments],
    ) -> None:
        super().__init__(name=name, **kwargs)
        if add_to_context:
            fix = "The batch reaches every block that takes `features`."
            reject_removed("Filter", ["add_to_context"], {"add_to_context": fix})
        self.inputs = [inputs] if isinstance(inputs, (str, Tags)) else inputs
        if not isinstance(self.inputs, (Schema, list, tuple, set)):
            raise ConfigError("Filter: inputs", expected="a schema, a name, a tag, or a list of them", got=repr(inputs))
        self.pop = pop
        self.exclude = exclude
        self._columns: Schema | None = inputs if isinstance(inputs, Schema) else self._schema

    @classmethod
    def from_features(
        cls,
        features: Sequence[str],
        pre: str | keras.layers.Layer | list[str | keras.layers.Layer] | None = None,
        **kwargs: Any,
    ) -> Self:
        """Creates the filter of these features; `pre` and `kwargs` are its other arguments."""
        return cls(list(features), pre=pre, **kwargs)

    @property
    def schema(self) -> Schema | None:
        """The selected columns; None if they are not known yet."""
        if self._columns is None:
            return None
        selected = [name for name in self._columns.column_names if self.check_feature(name)]
        return self._columns.select_by_name(selected)

    def set_schema(self, schema: Schema | None) -> Self:
        """Sets the schema in which tags are looked up, and returns the filter."""
        if not isinstance(self.inputs, Schema) and self._schema is None:
            self._columns = schema
        self._pass_schema_on(schema)
        return self

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
        """Names of the selected features; with `exclude`, the names of the remaining columns of the schema.

        Raises:
            SchemaError: if that depends on a schema, and none is known.
        """
        if not self.exclude:
            return sorted(self._selected())
        if self._columns is None:
            raise SchemaError(f"{self.name} excludes features and knows no schema", fix="Call set_schema on it.")
        return [name for name in self._columns.column_names if self.check_feature(name)]

    def select_by_tag(self, tags: Tags | list[Tags]) -> Filter | None:
        """Returns a filter for the selected columns with one of `tags`; None if there is none."""
        schema = self.schema
        selected = Schema([]) if schema is None else schema.select_by_tag(tags)
        if len(selected) == 0:
            return None
        return type(self)(selected, pre=self.pre, post=self.post, aggregation=self.aggregation)

    def transform(self, inputs: tf.Tensor | Mapping[str, tf.Tensor], **kwargs: object) -> dict[str, Any]:
        """Returns the selected features."""
        return {name: value for name, value in inputs.items() if self.check_feature(name)}

    def transform_shape(self, shape: Shape) -> Shape:
        """Returns the shapes of the selected features."""
        if not isinstance(shape, dict):
            raise ConfigError(f"{self.name} selects features by name", expected="a dictionary", got=f"shape {shape}")
        return {name: value for name, value in shape.items() if self.check_feature(name)}

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        selection = self.inputs if isinstance(self.inputs, Schema) else sorted(self.inputs, key=str)
        return {**super().get_config(), "inputs": to_config(selection), "pop": self.pop, "exclude": self.exclude}
