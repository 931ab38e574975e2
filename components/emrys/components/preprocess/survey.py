"""What has to be known of the train split before anything is fitted on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow.compute as pc

from emrys.blocks.errors import DataError
from emrys.components.preprocess.config import PreprocessConfig
from emrys.components.preprocess.raw_split import RawSplit


@dataclass(frozen=True)
class Survey:
    """Facts about the train split.

    Args:
        fills: What stands in for a missing number, by continuous column.
    """

    fills: Mapping[str, float]

    @classmethod
    def take(cls, split: RawSplit, config: PreprocessConfig) -> Survey:
        """Reads the split once.

        Raises:
            DataError: if a feature holds nothing but nulls, or the target one class alone.
        """
        present = dict.fromkeys((column.name for column in split.columns), 0)
        sums = dict.fromkeys(config.continuous, 0.0)
        classes: set[float] = set()
        for table in split:
            for column in split.columns:
                # An empty list says no more than a null.
                held = pc.list_flatten(table[column.name]) if column.is_list else table[column.name]
                present[column.name] += len(held) - held.null_count
            for name in sums:
                sums[name] += pc.sum(pc.cast(table[name], "float64")).as_py() or 0.0
            classes.update(pc.unique(table[config.target]).to_pylist()[:2])
        for name, number in present.items():
            if not number and name != config.history:  # where nobody has liked two items
                raise DataError(
                    "the column holds nothing but nulls",
                    path=split.path,
                    column=name,
                    expected="a value in some row",
                    fix="Leave it out of the configuration.",
                )
        if len(classes) < 2:
            raise DataError(
                "the label has one class",
                path=split.path,
                column=config.target,
                expected="at least two values",
                got=", ".join(map(str, classes)),
                fix="Take more rows, or another threshold for the label.",
            )
        means = {name: total / present[name] for name, total in sums.items()}
        return cls(means if config.fill is None else dict.fromkeys(means, float(config.fill)))
