"""A block with its input kept beside its output."""

from __future__ import annotations

from typing import Any

import keras

from emrys.blocks.core.aggregation import ConcatFeatures, StackFeatures
from emrys.blocks.core.calling import Shape, as_shape, build_layer, call_layer
from emrys.blocks.core.serializing import to_config
from emrys.blocks.core.tabular import TabularBlock


@keras.saving.register_keras_serializable("emrys")
class ShortcutBlock(TabularBlock):
    """Calls a block and keeps (a part of) the input beside the result; made by `Block.connect_with_shortcut`.

    Args:
        block: The block.
        shortcut_filter: Selects what of the input is kept. Default: all of it.
        post: What is applied to both together.
        aggregation: How both become one tensor: the shortcut comes first. Default: a dictionary.
        block_outputs_name: Name of the block's output in the dictionary. Default: the block's name.

    Input shape:
        What `block` takes.

    Output shape:
        Dictionary of the shortcut's tensors (a tensor alone under `"shortcut"`) and the block's output, or what
        `aggregation` makes of them.
    """

    def __init__(
        self,
        block: keras.layers.Layer,
        shortcut_filter: keras.layers.Layer | None = None,
        post: Any = None,
        aggregation: Any = None,
        block_outputs_name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(post=post, aggregation=aggregation, **kwargs)
        self.block = block
        self.shortcut_filter = shortcut_filter
        self.block_outputs_name = block_outputs_name or block.name

    def _beside(self, shortcut: Any, output: Any) -> dict[str, Any]:
        kept = shortcut if isinstance(shortcut, dict) else {"shortcut": shortcut}
        given = output if isinstance(output, dict) else {self.block_outputs_name: output}
        if isinstance(self.aggregation, (ConcatFeatures, StackFeatures)):
            # They go by the alphabet: numbers in front keep the shortcut ahead whatever the blocks are called.
            ordered = [*(kept[name] for name in sorted(kept)), *(given[name] for name in sorted(given))]
            return {f"{position:06d}": value for position, value in enumerate(ordered)}
        return {**kept, **given}

    def build(self, input_shape: Shape) -> None:
        """Builds the block, and what comes after both."""
        shape = as_shape(input_shape)
        kept = shape if self.shortcut_filter is None else build_layer(self.shortcut_filter, shape)
        self.build_post(self._beside(kept, build_layer(self.block, shape)))
        self.built = True

    def call(
        self,
        inputs: Any,
        training: bool | None = None,
        testing: bool | None = None,
        features: Any = None,
        targets: Any = None,
    ) -> Any:
        """Gives the block's output with the shortcut beside it."""
        told = {"training": training, "testing": testing, "features": features, "targets": targets}
        kept = inputs if self.shortcut_filter is None else call_layer(self.shortcut_filter, inputs, **told)
        return self.post_call(self._beside(kept, call_layer(self.block, inputs, **told)), **told)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Shapes of both, or what the aggregation makes of them."""
        shape = as_shape(input_shape)
        kept = shape if self.shortcut_filter is None else as_shape(self.shortcut_filter.compute_output_shape(shape))
        return self.post_shape(self._beside(kept, as_shape(self.block.compute_output_shape(shape))))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        config = super().get_config()
        for inherited in ("pre", "schema", "is_input"):
            config.pop(inherited)
        return {
            **config,
            "block": to_config(self.block),
            "shortcut_filter": to_config(self.shortcut_filter),
            "block_outputs_name": self.block_outputs_name,
        }
