"""Two-tower block (first generation)."""

from __future__ import annotations

from typing import Any, Self, Unpack

import keras
from merlin.schema import Schema

from emrys.blocks.core.parallel import ParallelBlock
from emrys.blocks.core.sequential import SequentialBlock
from emrys.blocks.core.serializing import from_config
from emrys.blocks.core.tabular import InputArguments
from emrys.blocks.legacy.deprecation import quietly, warn_deprecated
from emrys.blocks.models.encoder import Encoder
from emrys.blocks.transforms.l2_norm import L2Norm


@keras.saving.register_keras_serializable("emrys")
class DualEncoderBlock(ParallelBlock):
    """A query tower and an item tower. Deprecated: use `RetrievalModelV2` with two `Encoder`s.

    Args:
        query_block: Query tower; it selects its columns from the batch.
        item_block: Item tower, likewise.
        pre: Layer before both towers. Default: none.
        post: Layer after both, on the dictionary of their vectors. Default: none.
        aggregation: Aggregation of the dictionary to one tensor, such as `"cosine"`. Default: none.
        schema: The input columns. Default: those of the towers.
        name: Name of the block.
        strict: Whether to accept dictionaries only. Default: False.
        l2_normalization: Whether to normalize both vectors to length 1, before `post`. Default: False.

    Input shape:
        Dictionary of tensors by feature name, see `blocks`.

    Output shape:
        Dictionary of `"query"` and `"item"`, (B, D) each, or the output of `aggregation`.
    """

    def __init__(
        self,
        query_block: keras.layers.Layer,
        item_block: keras.layers.Layer,
        pre: str | keras.layers.Layer | list[str | keras.layers.Layer] | None = None,
        post: str | keras.layers.Layer | list[str | keras.layers.Layer] | None = None,
        aggregation: str | keras.layers.Layer | None = None,
        schema: Schema | None = None,
        name: str | None = None,
        strict: bool = False,
        l2_normalization: bool = False,
        **kwargs: Unpack[InputArguments],
    ) -> None:
        warn_deprecated(type(self).__name__, "RetrievalModelV2")
        towers = {"query": query_block, "item": item_block}
        if l2_normalization:
            towers = {name: SequentialBlock([tower, L2Norm()]) for name, tower in towers.items()}
        kwargs.setdefault("is_input", True)
        super().__init__(
            towers, pre=pre, post=post, aggregation=aggregation, schema=schema, name=name, strict=strict, **kwargs
        )

    def query_block(self) -> Encoder:
        """The query tower as a model, to save or to predict with; it shares its layers with the block."""
        return Encoder(self["query"], name="query_tower")

    def item_block(self) -> Encoder:
        """The item tower as a model; it shares its layers with the block."""
        return Encoder(self["item"], name="item_tower")

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Creates the block from `get_config`."""
        arguments = dict(config)
        towers = {name: from_config(tower) for name, tower in arguments.pop("branches")}
        with quietly():
            return cls._of_towers(towers["query"], towers["item"], **from_config(arguments))

    @classmethod
    def _of_towers(cls, query: keras.layers.Layer, item: keras.layers.Layer, **kwargs: Any) -> Self:
        return cls(query, item, **kwargs)
