"""Types, ranges and list lengths of the transformed columns, checked against the workflow."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from emrys.blocks.errors import DataError
from emrys.blocks.workflow import FittedWorkflow, OutputColumn
from emrys.components.contracts.splits import SPLITS
from emrys.components.contracts.transformed import Transformed

_REPEAT = "Run the preprocess step again."


@dataclass
class ColumnFacts:
    """Facts about the values of a column.

    Args:
        dtype: Type of the values.
        is_list: Whether a row holds a list.
        low: Lowest value in any split.
        high: Highest value in any split.
        shortest: Length of the shortest list of the train split.
        longest: Length of the longest list of the train split.
    """

    dtype: str
    is_list: bool
    low: float = float("inf")
    high: float = float("-inf")
    shortest: int | None = None
    longest: int | None = None

    def update(self, values: pa.ChunkedArray, train: bool) -> None:
        """Adds rows."""
        if self.is_list:
            if train and len(values):
                lengths = pc.min_max(pc.list_value_length(values)).as_py()
                self.shortest = min(lengths["min"], lengths["min"] if self.shortest is None else self.shortest)
                self.longest = max(lengths["max"], self.longest or 0)
            values = pc.list_flatten(values)
        ends = pc.min_max(values).as_py()
        if ends["min"] is not None:
            self.low, self.high = min(self.low, ends["min"]), max(self.high, ends["max"])


def read_column_facts(data: Transformed, workflow: FittedWorkflow) -> dict[str, ColumnFacts]:
    """Reads all splits once and checks them.

    Args:
        data: The transformed data.
        workflow: The workflow of the transformation.

    Returns:
        Facts by column: features first, then targets and the weight.

    Raises:
        DataError: if a column is missing, unknown or of the wrong type, or has values that the workflow cannot produce.
    """
    features = {column.name: column for column in workflow.output_columns}
    weight = data.data_schema.weight
    copied = (*workflow.targets, *(() if weight is None else (weight,)))
    facts: dict[str, ColumnFacts] = {}
    for split in SPLITS:
        path = data.file(split)
        try:
            file = pq.ParquetFile(path)
            _check_columns(path, file.schema_arrow, features, copied)
            for group in range(file.metadata.num_row_groups):
                table = file.read_row_group(group)
                for name in (*features, *copied):
                    _check_values(path, name, table[name], features.get(name))
                    fact = facts.setdefault(name, _no_facts(table[name].type))
                    fact.update(table[name], split == "train")
        except (pa.ArrowException, OSError) as error:
            raise DataError(f"the Parquet file cannot be read ({error})", path=path, fix=_REPEAT) from None
    for name, column in features.items():
        _check_ids(data.path, column, facts[name])
    return facts


def _no_facts(dtype: pa.DataType) -> ColumnFacts:
    is_list = pa.types.is_list(dtype)
    value = dtype.value_type if is_list else dtype
    return ColumnFacts({"float": "float32", "double": "float64"}.get(str(value), str(value)), is_list)


def _check_columns(path: Path, schema: pa.Schema, features: dict[str, OutputColumn], copied: tuple[str, ...]) -> None:
    for name in (*features, *copied):
        if name not in schema.names:
            what = "target" if name in copied else "column"
            got = ", ".join(schema.names)
            raise DataError(
                f"the {what} of the workflow is not in the data", path=path, column=name, got=got, fix=_REPEAT
            )
    for field in schema:
        if field.name in copied:
            if not (pa.types.is_integer(field.type) or pa.types.is_floating(field.type)):
                raise _wrong_type(path, field, "a number")
            continue
        if field.name not in features:
            raise DataError("the workflow does not produce the column", path=path, column=field.name, fix=_REPEAT)
        column = features[field.name]
        scalar = pa.int64() if column.dtype == "int64" else pa.float32()
        is_list = pa.types.is_list(field.type)
        if is_list != column.is_list or (field.type.value_type if is_list else field.type) != scalar:
            raise _wrong_type(path, field, f"list<{scalar}>" if column.is_list else str(scalar))


def _wrong_type(path: Path, field: pa.Field, expected: str) -> DataError:
    got = str(field.type)
    return DataError("the column has the wrong type", path=path, column=field.name, expected=expected, got=got)


def _check_values(path: Path, name: str, values: pa.ChunkedArray, column: OutputColumn | None) -> None:
    elements = pc.list_flatten(values) if column is not None and column.is_list else values
    if values.null_count or elements.null_count:
        raise DataError(
            "the column holds nulls", path=path, column=name, expected="none after the workflow", fix=_REPEAT
        )
    if pa.types.is_floating(elements.type) and not pc.all(pc.is_finite(elements), min_count=0).as_py():
        raise DataError(
            "the column holds NaN or infinities", path=path, column=name, expected="finite numbers", fix=_REPEAT
        )


def _check_ids(path: Path, column: OutputColumn, facts: ColumnFacts) -> None:
    if column.cardinality is not None and (facts.low < 0 or facts.high >= column.cardinality):
        seen = int(facts.low if facts.low < 0 else facts.high)
        raise DataError(
            "the column holds an id that the workflow does not assign",
            path=path,
            column=column.name,
            expected=f"0 to {column.cardinality - 1}",
            got=str(seen),
            fix="The data and the workflow must come from the same run.",
        )
