"""Values to pretrained vectors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from emrys.blocks.workflow.columns import OutputColumn, RawColumn
from emrys.blocks.workflow.fitted_op import KeyedOp, check_count, check_table


@dataclass(frozen=True)
class Vectors(KeyedOp):
    """Looks the vector of a value up; zeros for null and for values without one.

    Args:
        column: Raw column with the keys.
        dtype: `int64` or `string`.
        vectors: `value` and `vector` (list of D float32).
        length: D.
        name: Name of the output.
    """

    kind: ClassVar[str] = "vectors"

    column: str
    dtype: Literal["int64", "string"]
    vectors: pa.Table
    length: int
    name: str

    def __post_init__(self) -> None:
        check_count("length", self.length)
        check_table(self.vectors, self.dtype, {"vector": pa.list_(pa.float32())}, nulls=False)
        lengths = pc.unique(pc.list_value_length(self.vectors["vector"])).to_pylist()
        if lengths not in ([self.length], []):
            raise ValueError(f"the vectors have the lengths {sorted(lengths)}; expected {self.length} alone")
        numbers = pc.list_flatten(self.vectors["vector"])
        if numbers.null_count or not pc.all(pc.is_finite(numbers), min_count=0).as_py():
            raise ValueError("the vectors hold nulls, NaN or infinities; expected finite numbers")

    @property
    def inputs(self) -> tuple[RawColumn]:
        """The raw input column."""
        return (RawColumn(self.column, self.dtype),)

    @property
    def output(self) -> OutputColumn:
        """The vectors: lists of D float32."""
        return OutputColumn(self.name, "float32", True, None, self.column, self.kind, length=self.length)

    @property
    def keys(self) -> pa.Table:
        """The vectors."""
        return self.vectors

    def results(self) -> NDArray[np.float32]:
        """The vectors, (K, D)."""
        numbers = pc.list_flatten(self.vectors["vector"]).combine_chunks()
        return numbers.to_numpy(zero_copy_only=False).astype(np.float32).reshape(-1, self.length)

    def unseen(self) -> np.float32:
        """Zeros."""
        return np.float32(0)

    def null(self) -> np.float32:
        """Zeros."""
        return np.float32(0)

    def definition(self) -> dict[str, Any]:
        """Everything but the vectors."""
        return {name: getattr(self, name) for name in ("column", "dtype", "length", "name")}

    @classmethod
    def restore(cls, definition: Mapping[str, Any], table: pa.Table | None) -> Self:
        """Creates the step from its `definition` and `table`."""
        return cls(definition["column"], definition["dtype"], table, definition["length"], definition["name"])
