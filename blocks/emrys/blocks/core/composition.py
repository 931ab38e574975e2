"""The block classes that `Block.connect` and related methods create, in one module for `core.block` to import."""

from emrys.blocks.core.as_tabular import AsTabular
from emrys.blocks.core.debug import Debug
from emrys.blocks.core.no_op import NoOp
from emrys.blocks.core.parallel import ParallelBlock, ShortcutBlock
from emrys.blocks.core.repeated_block import RepeatedBlock
from emrys.blocks.core.residual_block import ResidualBlock
from emrys.blocks.core.sequential import SequentialBlock
from emrys.blocks.core.tabular import Filter, TabularBlock

__all__ = [
    "AsTabular",
    "Debug",
    "Filter",
    "NoOp",
    "ParallelBlock",
    "RepeatedBlock",
    "ResidualBlock",
    "SequentialBlock",
    "ShortcutBlock",
    "TabularBlock",
]
