"""Facts about the train split that the fit needs."""

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
        fills: Replacement of missing numbers, by continuous column.
    """

    fills: Mapping[str, float]

    @classmethod
    def take(cls, split: RawSplit, config: PreprocessConfig) -> Survey:
        """Reads the split once.

        Raises:
            DataError: if a feature has only nulls, or the target only one class.
        """
        present = dict.fromkeys((column.name for column in split.columns), 0)
        sums = dict.fromkeys(config.continuous, 0.0)
        classes: set[float] = set()
        for table in split:
            for column in split.columns:
                # An empty list counts like a null.
                values = pc.list_flatten(table[column.name]) if column.is_list else table[column.name]
                present[column.name] += len(values) - values.null_count
            for name in sums:
                sums[name] += pc.sum(pc.cast(table[name], "float64")).as_py() or 0.0
            classes.update(pc.unique(table[config.target]).to_pylist()[:2])
        for name, number in present.items():
            if not number and name != config.history:  # histories are empty if no user has two positive items
                raise DataError(
                    "every value of the column is null",
                    path=split.path,
                    column=name,
                    expected="a value in some row",
                    fix="Remove it from the configuration.",
                )
        if len(classes) < 2:
            raise DataError(
                "the label has only one class",
                path=split.path,
                column=config.target,
                expected="at least two values",
                got=", ".join(map(str, classes)),
                fix="Use more rows, or another threshold for the label.",
            )
        means = {name: total / present[name] for name, total in sums.items()}
        return cls(means if config.fill is None else dict.fromkeys(means, float(config.fill)))
