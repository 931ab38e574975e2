"""The base class of blocks, with the verbs that connect them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
from merlin.schema import Schema, Tags
from typing_extensions import Self

from blocks.core.calling import Shape, as_shape
from blocks.core.serializing import from_config

if TYPE_CHECKING:
    from blocks.core.sequential import SequentialBlock


@keras.saving.register_keras_serializable("emrys")
class Block(keras.layers.Layer):
    """A Keras layer that takes a tensor or a dictionary of tensors, and knows how to be connected to others.

    A subclass writes `call`, builds its children in `build`, and gives its constructor's arguments back in
    `get_config`, with `blocks.core.serializing.to_config` around those that are layers or schemas.
    """

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Makes the block from what `get_config` gave."""
        return cls(**from_config(config))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Shape of the output; the input's own, unless a subclass says otherwise."""
        return as_shape(input_shape)

    @property
    def schema(self) -> Schema | None:
        """The columns that this block reads, None where it does not read features by name."""
        return None

    def set_schema(self, schema: Schema | None) -> None:
        """Tells the block which columns there are; blocks that select by tag need it."""

    def copy(self) -> Self:
        """A new block with the same configuration and fresh weights."""
        return type(self).from_config(self.get_config())

    def connect(self, *block: keras.layers.Layer, block_name: str | None = None) -> SequentialBlock:
        """Puts `block`s behind this one.

        Args:
            *block: Layers, in order. The output of each is the input of the next.
            block_name: Name of the result.

        Returns:
            The chain, as one block.
        """
        return _sequential([self, *block], block_name)

    def connect_with_shortcut(
        self,
        block: keras.layers.Layer,
        shortcut_filter: keras.layers.Layer | None = None,
        post: Any = None,
        aggregation: Any = None,
        block_outputs_name: str | None = None,
    ) -> SequentialBlock:
        """Puts `block` behind this one and keeps this one's output beside the result.

        Args:
            block: Layer that takes this block's output.
            shortcut_filter: Selects what of this block's output is kept, all of it by default.
            post: What is applied to both together.
            aggregation: How both become one tensor, such as `"concat"`: the shortcut first. None gives a dictionary.
            block_outputs_name: Name of the output of `block` in that dictionary, by default its own name.

        Returns:
            The chain, as one block.
        """
        from blocks.core.shortcut import ShortcutBlock

        shortcut = ShortcutBlock(block, shortcut_filter, post, aggregation, block_outputs_name)
        return _sequential([self, shortcut])

    def select_by_name(self, name: str) -> keras.layers.Layer | None:
        """This block, when it is called `name`."""
        return self if self.name == name else None

    def select_by_tag(self, tags: Tags | list[Tags]) -> Self | None:
        """The part of this block that reads columns with one of `tags`, None where there is none."""
        schema = self.schema
        return self if schema is not None and len(schema.select_by_tag(tags)) else None


def _sequential(layers: list[keras.layers.Layer], name: str | None = None) -> SequentialBlock:
    # A chain is itself a block with these verbs, so that neither module can come before the other.
    from blocks.core.sequential import SequentialBlock

    return SequentialBlock(layers, block_name=name)
