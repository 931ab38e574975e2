"""The base class of blocks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import keras
from merlin.schema import Schema, Tags

from emrys.blocks.core.calling import Shape, as_shape
from emrys.blocks.core.connecting import Connecting
from emrys.blocks.core.model_context import ModelContext
from emrys.blocks.core.registry import block_registry, parse_layer
from emrys.blocks.core.serializing import from_config, to_config
from emrys.blocks.errors import ConfigError


@dataclass(frozen=True)
class _Held:
    """An object of its own: Keras would take a context that a block holds for a part of the block."""

    context: ModelContext | None
    given: bool = False


@keras.saving.register_keras_serializable("emrys")
class Block(Connecting, keras.layers.Layer):
    """A Keras layer that takes a tensor or a dictionary of tensors, and knows how to be connected to others.

    A subclass writes `call`, builds its children in `build`, and gives its constructor's arguments back in
    `get_config`, with `emrys.blocks.core.serializing.to_config` around those that are layers or schemas.

    Args:
        context: What the block shares with others. Default: none, until a model or a chain hands one down.
        **kwargs: The arguments of `keras.layers.Layer`.

    Raises:
        ConfigError: if `context` is no `ModelContext`.
    """

    #: The blocks by the names that `parse` and arguments such as `pre` accept.
    registry: ClassVar[Any] = block_registry

    def __init__(self, context: ModelContext | None = None, **kwargs: Any) -> None:
        if context is not None and not isinstance(context, ModelContext):
            raise ConfigError(f"{type(self).__name__}: context", expected="a ModelContext", got=repr(context))
        super().__init__(**kwargs)
        self._held = _Held(context, given=context is not None)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Makes the block from what `get_config` gave."""
        return cls(**from_config(config))

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor; the context only where it was one of them."""
        config: dict[str, Any] = super().get_config()
        return {**config, "context": to_config(self._held.context)} if self._held.given else config

    @classmethod
    def parse(cls, *block: Any) -> Any:
        """Makes a block of its name, or one chain of several.

        Args:
            *block: Names in `registry`, or layers, which are kept as they are; or one list of them.

        Returns:
            The layer, or the chain of layers.

        Raises:
            ConfigError: if there is no block of a name; it says which known name is nearest.
        """
        given = list(block[0]) if len(block) == 1 and isinstance(block[0], (list, tuple)) else list(block)
        if not given:
            raise ConfigError(f"{cls.__name__}.parse: block", expected="a layer or the name of a block", got="none")
        layers = [parse_layer(cls.registry.parse(item), f"{cls.__name__}.parse") for item in given]
        return layers[0] if len(layers) == 1 else cls.parse_block(layers[0]).connect(*layers[1:])

    @classmethod
    def from_layer(cls, layer: keras.layers.Layer) -> Block:
        """Puts a layer into a block of the same name, which can be connected; the layer itself is not changed.

        Raises:
            ConfigError: if it is no layer.
        """
        # A chain is itself a block, so that neither module can come before the other.
        from emrys.blocks.core.sequential import SequentialBlock

        return SequentialBlock([parse_layer(layer, f"{cls.__name__}.from_layer")], block_name=layer.name)

    @classmethod
    def parse_block(cls, input: keras.layers.Layer) -> Block:
        """Gives a block back as it is, and any other layer as `from_layer` does."""
        return input if isinstance(input, Block) else cls.from_layer(input)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Shape of the output; the input's own, unless a subclass says otherwise."""
        return as_shape(input_shape)

    def call_outputs(self, outputs: Any, training: bool = False, **kwargs: Any) -> Any:
        """Changes a `Prediction` behind the output: its targets, its weights, its negatives. By itself it does not.

        Args:
            outputs: The `Prediction`.
            training: Whether it is a training step. Default: False.
            **kwargs: What else a subclass is told.

        Returns:
            A `Prediction`.
        """
        return outputs

    def register_features(self, feature_shapes: Mapping[str, Any]) -> list[str]:
        """Names of features that this block adds to a batch with features of these shapes; none by itself."""
        return []

    @property
    def context(self) -> ModelContext | None:
        """What this block shares with others, None where nothing was handed down."""
        return self._held.context

    def set_context(self, context: ModelContext | None) -> None:
        """Hands a context to this block and to those inside it that were not given one of their own."""
        self._held = _Held(context, self._held.given)
        for layer in _held_by(list(_public(self))):
            if isinstance(layer, Block) and not layer._held.given:
                layer.set_context(context)

    @property
    def schema(self) -> Schema | None:
        """The columns that this block reads, None where it does not read features by name."""
        return None

    def set_schema(self, schema: Schema | None) -> None:
        """Tells the block which columns there are; blocks that select by tag need it."""

    @property
    def is_tabular(self) -> bool:
        """Whether the block is known to give a dictionary."""
        return False

    def copy(self) -> Self:
        """A new block with the same configuration and fresh weights."""
        return type(self).from_config(self.get_config())

    def select_by_name(self, name: str) -> keras.layers.Layer | None:
        """This block, when it is called `name`."""
        return self if self.name == name else None

    def select_by_tag(self, tags: Tags | list[Tags]) -> Block | None:
        """The part of this block that reads columns with one of `tags`, None where there is none."""
        schema = self.schema
        return self if schema is not None and len(schema.select_by_tag(tags)) else None


def _public(layer: keras.layers.Layer) -> Iterator[Any]:
    return (value for name, value in vars(layer).items() if not name.startswith("_"))


def _held_by(value: Any) -> Iterator[keras.layers.Layer]:
    if isinstance(value, keras.layers.Layer):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _held_by(item)
    elif isinstance(value, Mapping):
        yield from _held_by(list(value.values()))
