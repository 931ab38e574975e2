"""Target encoding: values to the smoothed mean target of their rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from emrys.blocks.workflow.columns import OutputColumn, RawColumn
from emrys.blocks.workflow.fill_normalize import check_moments, normalise
from emrys.blocks.workflow.fitted_op import KeyedOp, check_table


@dataclass(frozen=True)
class TargetEncoding(KeyedOp):
    """Encodes a value by the smoothed mean target of its rows in the train split, then standardizes.

    The encoding is `(sum + smoothing * target_mean) / (count + smoothing)`. Null is a group of its own; a value
    without a group is encoded as `target_mean`. Out-of-fold encodings apply only to the train rows and are computed
    when the workflow is fitted; all other rows are encoded with the statistics of the whole train split, stored here.

    Args:
        column: Raw column; the output is `TE_<column>_<target>`.
        dtype: `int64` or `string`, the type of the raw values.
        target: The target column.
        groups: `value`, and `count` (int64) and `sum` (float64) of the target; one value may be null.
        target_mean: Mean target of the train split.
        smoothing: Weight of `target_mean`, in rows.
        mean: Mean of the out-of-fold encodings of the train split.
        std: Standard deviation of the out-of-fold encodings of the train split; 0 if they are constant.
        folds: Number of folds on the train split; informational.
        fold_seed: Seed of the folds; informational.
    """

    kind: ClassVar[str] = "target_encoding"

    column: str
    dtype: Literal["int64", "string"]
    target: str
    groups: pa.Table
    target_mean: float
    smoothing: float
    mean: float
    std: float
    folds: int
    fold_seed: int

    def __post_init__(self) -> None:
        check_table(self.groups, self.dtype, {"count": pa.int64(), "sum": pa.float64()}, nulls=True)
        check_moments(self.mean, self.std, self.target_mean, self.smoothing)

    @property
    def inputs(self) -> tuple[RawColumn]:
        """The raw input column."""
        return (RawColumn(self.column, self.dtype),)

    @property
    def output(self) -> OutputColumn:
        """The standardized encoding: float32."""
        return OutputColumn(f"TE_{self.column}_{self.target}", "float32", False, None, self.column, self.kind)

    @property
    def keys(self) -> pa.Table:
        """The groups."""
        return self.groups

    def results(self) -> NDArray[np.float32]:
        """The standardized encoding of every group, in the order of `groups`."""
        count = self.groups["count"].to_numpy().astype(np.float64)
        total = self.groups["sum"].to_numpy() + self.smoothing * self.target_mean
        return normalise(total / (count + self.smoothing), self.mean, self.std)

    def unseen(self) -> np.float32:
        """The standardized encoding of a value that has no group."""
        return np.float32(normalise(np.asarray(self.target_mean), self.mean, self.std))

    def null(self) -> np.float32:
        """The standardized encoding of null, if it has no group."""
        return self.unseen()

    def definition(self) -> dict[str, Any]:
        """Everything but the groups."""
        return {
            "column": self.column,
            "dtype": self.dtype,
            "target": self.target,
            "target_mean": self.target_mean,
            "smoothing": self.smoothing,
            "mean": self.mean,
            "std": self.std,
            "folds": self.folds,
            "fold_seed": self.fold_seed,
        }

    @classmethod
    def restore(cls, definition: Mapping[str, Any], table: pa.Table | None) -> Self:
        """Creates the step from its `definition` and `table`."""
        numbers = {name: float(definition[name]) for name in ("target_mean", "smoothing", "mean", "std")}
        return cls(
            column=definition["column"],
            dtype=definition["dtype"],
            target=definition["target"],
            groups=table,
            folds=definition["folds"],
            fold_seed=definition["fold_seed"],
            **numbers,
        )
