"""The verbs that connect blocks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import keras
from merlin.schema import Schema

from emrys.blocks.core.registry import parse_layer
from emrys.blocks.errors import ConfigError, SchemaError

if TYPE_CHECKING:
    from emrys.blocks.core.model_context import ModelContext
    from emrys.blocks.core.parallel import ParallelBlock
    from emrys.blocks.core.sequential import SequentialBlock


class Connecting:
    """What `Block` can be connected by; a class of its own, so that each file has one subject."""

    name: str

    @property
    def context(self) -> ModelContext | None:
        """What the block shares with others."""
        raise NotImplementedError

    @property
    def schema(self) -> Schema | None:
        """The columns that the block reads."""
        raise NotImplementedError

    def set_schema(self, schema: Schema | None) -> None:
        """Tells the block which columns there are."""
        raise NotImplementedError

    def copy(self) -> Self:
        """A new block with the same configuration and fresh weights."""
        raise NotImplementedError

    def connect(
        self, *block: keras.layers.Layer | str, block_name: str | None = None, context: ModelContext | None = None
    ) -> SequentialBlock:
        """Puts `block`s behind this one.

        Args:
            *block: Layers or names of blocks, in order. The output of each is the input of the next.
            block_name: Name of the result.
            context: What all of them share. Default: that of this block, if it has one.

        Returns:
            The chain, as one block.
        """
        return _sequential([self, *block], block_name, self.context if context is None else context)

    def connect_with_shortcut(
        self,
        block: keras.layers.Layer | str,
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
        from emrys.blocks.core.shortcut import ShortcutBlock

        layer = parse_layer(block, "connect_with_shortcut")
        shortcut = ShortcutBlock(layer, shortcut_filter, post, aggregation, block_outputs_name)
        return _sequential([self, shortcut])

    def connect_with_residual(self, block: keras.layers.Layer, activation: Any = None) -> SequentialBlock:
        """Puts `block` behind this one and adds this one's output to the result: `activation(x + block(x))`.

        Args:
            block: Layer that takes this block's output and gives its shape.
            activation: What is applied to the sum. Default: none.

        Returns:
            The chain, as one block.
        """
        from emrys.blocks.core.residual_block import ResidualBlock

        return _sequential([self, ResidualBlock(block, activation=activation)])

    def connect_branch(
        self,
        *branches: keras.layers.Layer | str,
        add_rest: bool = False,
        post: Any = None,
        aggregation: Any = None,
        **kwargs: Any,
    ) -> SequentialBlock:
        """Puts several layers side by side behind this one.

        Args:
            *branches: Layers, or names of blocks, that take this block's output; those with a filter take a part of it.
            add_rest: Whether the features that no branch reads are passed on beside their outputs. Default: False.
            post: What is applied to all outputs together.
            aggregation: How they become one tensor, such as `"concat"`. Default: none, a dictionary.
            **kwargs: The other arguments of `ParallelBlock`.

        Returns:
            The chain, as one block.

        Raises:
            SchemaError: if the rest is asked for, and a branch does not say which columns it reads.
        """
        from emrys.blocks.core.filter import Filter
        from emrys.blocks.core.parallel import ParallelBlock

        read: set[str] = set()
        layers = [parse_layer(branch, "connect_branch", "branches") for branch in branches]
        for branch in layers if add_rest else ():
            read.update(_columns_read(branch, self.schema))
        rest = [Filter(sorted(read), exclude=True, name="rest")] if read else []
        return _sequential([self, ParallelBlock(*layers, *rest, post=post, aggregation=aggregation, **kwargs)])

    def repeat(self, num: int = 1) -> SequentialBlock:
        """Puts `num` copies of this block behind it; each has weights of its own.

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
        post: Any = None,
        aggregation: Any = None,
        copies: bool = True,
        residual: bool = False,
        **kwargs: Any,
    ) -> ParallelBlock:
        """Puts this block and copies of it side by side.

        Args:
            num: Number of branches. Default: 1.
            prefix: What their names begin with, before 0, 1, …. Default: nothing.
            names: Their names, instead. Default: none.
            post: What is applied to all outputs together.
            aggregation: How they become one tensor, such as `"stack"`. Default: none, a dictionary.
            copies: Whether each has weights of its own. Default: True.
            residual: Whether the input is kept beside them, as `"shortcut"`. Default: False.
            **kwargs: The other arguments of `ParallelBlock`.

        Returns:
            The branches, as one block.

        Raises:
            ConfigError: if `num` is below 1, or there are not as many names, each another.
        """
        from emrys.blocks.core.no_op import NoOp
        from emrys.blocks.core.parallel import ParallelBlock
        from emrys.blocks.core.repeated_block import RepeatedBlock

        if not isinstance(num, int) or num < 1:
            raise ConfigError("repeat_in_parallel: num", expected="a number of branches from 1", got=repr(num))
        called = list(names) if names is not None else [f"{prefix or ''}{index}" for index in range(num)]
        if len(set(called)) != num or len(called) != num:
            raise ConfigError("repeat_in_parallel: names", expected=f"{num} different names", got=repr(called))
        together = {"post": post, "aggregation": aggregation, **kwargs}
        if not copies:
            return RepeatedBlock(self, called, residual=residual, **together)
        branches = {name: self.copy() if index else self for index, name in enumerate(called)}
        return ParallelBlock({**branches, **({"shortcut": NoOp()} if residual else {})}, **together)

    def prepare(
        self, block: keras.layers.Layer | None = None, post: Any = None, aggregation: Any = None
    ) -> SequentialBlock:
        """Puts something before this block.

        Args:
            block: Layer that gets the input first.
            post: Layer behind it.
            aggregation: How what comes then becomes one tensor for this block, such as `"concat"`.

        Returns:
            The chain, as one block.
        """
        from emrys.blocks.core.tabular import TabularBlock

        return _sequential([TabularBlock(pre=block, post=post, aggregation=aggregation), self])

    def as_tabular(self, name: str | None = None) -> SequentialBlock:
        """Puts this block's output into a dictionary.

        Args:
            name: Its name there. Default: the block's own.

        Returns:
            The chain, as one block.
        """
        from emrys.blocks.core.as_tabular import AsTabular

        return _sequential([self, AsTabular(name or self.name)])

    def connect_debug_block(self, append: bool = True) -> SequentialBlock:
        """Puts a `Debug` block behind this one, which prints what this one gives.

        Args:
            append: Whether it comes behind, not before. Default: True.

        Returns:
            The chain, as one block.
        """
        from emrys.blocks.core.debug import Debug

        return _sequential([self, Debug()] if append else [Debug(), self])


def _columns_read(branch: keras.layers.Layer, schema: Schema | None) -> list[str]:
    if isinstance(branch, Connecting) and branch.schema is None:
        branch.set_schema(schema)
    columns = getattr(branch, "schema", None)
    if columns is None:
        raise SchemaError(
            f"connect_branch cannot tell the rest: {branch.name} does not say which columns it reads",
            fix="Give it a filter with a schema, such as filter=schema.select_by_tag(...).",
        )
    return list(columns.column_names)


def _sequential(layers: list[Any], name: str | None = None, context: ModelContext | None = None) -> SequentialBlock:
    # A chain is itself a block with these verbs, so that neither module can come before the other.
    from emrys.blocks.core.sequential import SequentialBlock

    return SequentialBlock(layers, block_name=name, context=context)
