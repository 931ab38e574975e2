"""Offline transform with NVTabular, rebuilt from the statistics of a fitted workflow."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pandas as pd
import pyarrow as pa

from emrys.blocks.errors import DataError
from emrys.blocks.workflow import (
    FIRST_KNOWN,
    NULL,
    NULL_INT,
    Categorify,
    FillNormalize,
    FittedOp,
    FittedWorkflow,
    OutputColumn,
    RawColumn,
    TargetEncoding,
)
from emrys.blocks.workflow.request import nearest
from emrys.blocks.workflow.tables import cast_column, clean_column, raw_type
from emrys.components.merlin_imports import import_without_tensorflow
from emrys.components.preprocess.frames import quietly, to_frame

nvt = import_without_tensorflow("nvtabular")
nvt_ops = import_without_tensorflow("nvtabular.ops")
Operator: Any = nvt_ops.Operator
schemas = import_without_tensorflow("merlin.schema")


class OfflineWorkflow:
    """An `nvtabular.Workflow` with the statistics of a fitted workflow.

    Its operators read their tables from a temporary folder, which `close` removes.

    Args:
        fitted: The fitted workflow.
    """

    def __init__(self, fitted: FittedWorkflow) -> None:
        self.fitted = fitted
        self._folder = tempfile.TemporaryDirectory(prefix="emrys-workflow-")
        self._targets = tuple(dict.fromkeys(op.target for op in fitted.ops if isinstance(op, TargetEncoding)))
        try:
            with quietly():
                self.workflow = self._build()
        except BaseException:
            self.close()
            raise

    def transform(self, table: pa.Table) -> pa.Table:
        """Applies the workflow.

        Args:
            table: Table with the raw columns; other columns are ignored.

        Returns:
            The output columns, in order: int64, float32, or lists of them.

        Raises:
            DataError: if a raw column is missing or of the wrong type.
        """
        cleaned = {}
        for column in self.fitted.raw_columns:
            if column.name not in table.column_names:
                hint = nearest(column.name, table.column_names)
                raise DataError("the column is missing", column=column.name, fix=hint)
            cleaned[column.name] = clean_column(column, cast_column(column, table[column.name]))
        return self.transform_clean(pa.table(cleaned))

    def transform_clean(self, table: pa.Table) -> pa.Table:
        """Applies the workflow to raw columns after `clean_column`."""
        if not table.num_rows:
            return pa.table({column.name: pa.array([], arrow_type(column)) for column in self.fitted.output_columns})
        frame = to_frame(table, self.fitted.raw_columns)
        for name in self._targets:
            frame[name] = 0.0  # the operator requires its target, but reads it only in the fit
        with quietly():
            transformed = self.workflow.transform(frame)
        return to_table(transformed, self.fitted.output_columns)

    def close(self) -> None:
        """Removes the temporary tables; the workflow cannot be used afterwards."""
        self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _build(self) -> Any:
        output = None
        for number, op in enumerate(self.fitted.ops):
            folder = Path(self._folder.name) / str(number)
            folder.mkdir()
            node = self._node(op, folder)
            output = node if output is None else output + node
        columns = [_column_schema(column) for column in self.fitted.raw_columns]
        columns += [
            schemas.ColumnSchema(name, dtype="float64") for name in self._targets if name not in self._raw_names()
        ]
        return nvt.Workflow(output).fit_schema(schemas.Schema(columns))

    def _raw_names(self) -> set[str]:
        return {column.name for column in self.fitted.raw_columns}

    def _node(self, op: Any, folder: Path) -> Any:
        if isinstance(op, Categorify):
            node = [op.column] >> _categorify(op, folder)
            if op.keep:
                node = node >> nvt_ops.ListSlice(op.keep)
            return node >> nvt_ops.Rename(name=op.name) if op.name else node
        if isinstance(op, FillNormalize):
            fill = nvt_ops.FillMissing(fill_val=op.fill)
            return [op.column] >> fill >> _normalize(op.column, op.mean, op.std)
        if isinstance(op, TargetEncoding):
            return [op.column] >> _target_encoding(op, folder) >> _normalize(op.output.name, op.mean, op.std)
        return [column.name for column in op.inputs] >> OnlineOperator(op)


class OnlineOperator(Operator):
    """An operator of NVTabular that applies a fitted step as requests do, for steps that NVTabular has no equal of.

    Args:
        op: The fitted step.
    """

    def __init__(self, op: FittedOp) -> None:
        super().__init__()
        self._op, self._workflow = op, FittedWorkflow([op])

    def transform(self, col_selector: Any, df: pd.DataFrame) -> pd.DataFrame:
        """Computes the output column of a frame of `to_frame`."""
        arrays = {column.name: _to_array(column, df[column.name]) for column in self._op.inputs}
        name = self._op.output.name
        values = self._workflow.transform_table(pa.table(arrays))[name].to_pandas()
        return pd.DataFrame({name: values.set_axis(df.index)})

    def column_mapping(self, col_selector: Any) -> dict[str, list[str]]:
        """Columns that the output is computed from."""
        return {self._op.output.name: list(col_selector.names)}

    def _compute_dtype(self, col_schema: Any, input_schema: Any) -> Any:
        return col_schema.with_dtype(self._op.output.dtype)

    def _compute_shape(self, col_schema: Any, input_schema: Any) -> Any:
        return col_schema.with_shape((None, (0, None)) if self._op.output.is_list else (None,))


def _to_array(column: RawColumn, values: pd.Series) -> pa.Array:
    """A column of `to_frame` as an Arrow array of the type of the raw column."""
    dtype = raw_type(column)
    if column.is_list or column.dtype == "string":
        return pa.array(values, type=dtype)
    return pa.array(values.to_numpy(), from_pandas=True).cast(dtype)


def transform(workflow: str | os.PathLike[str], table: pa.Table) -> pa.Table:
    """Applies a stored workflow to raw rows with NVTabular.

    Args:
        workflow: Folder of the fitted workflow.
        table: Table with the raw columns; other columns are ignored.

    Returns:
        The output columns, in order: int64, float32, or lists of them.
    """
    with OfflineWorkflow(FittedWorkflow.load(workflow)) as offline:
        return offline.transform(table)


def arrow_type(column: OutputColumn) -> pa.DataType:
    """Arrow type of an output column."""
    scalar = pa.int64() if column.dtype == "int64" else pa.float32()
    return pa.list_(scalar) if column.is_list else scalar


def to_table(frame: pd.DataFrame, columns: Sequence[OutputColumn]) -> pa.Table:
    """Converts a frame of NVTabular to a table with the output columns."""
    arrays = [pa.array(frame[column.name], type=arrow_type(column), from_pandas=False) for column in columns]
    return pa.table(arrays, names=[column.name for column in columns])


def _categorify(op: Categorify, folder: Path) -> Any:
    values = op.categories["value"].to_pylist()
    # NVTabular reads the ids from the index. The null key has a row of its own, because no key is null here.
    index = [*range(FIRST_KNOWN, FIRST_KNOWN + len(values)), NULL]
    null = NULL_INT if op.dtype == "int64" else ""
    path = folder / "categories.parquet"
    dtype = "int64" if op.dtype == "int64" else "object"
    pd.DataFrame({op.column: pd.Series([*values, null], dtype=dtype, index=index)}).to_parquet(path)
    categorify = nvt_ops.Categorify(vocabs={op.column: str(path)}, cat_cache=None, out_path=str(folder))
    categorify.fitted = True
    return categorify


def _normalize(column: str, mean: float, std: float) -> Any:
    normalize = nvt_ops.Normalize(out_dtype="float32")
    normalize.means, normalize.stds, normalize.fitted = {column: mean}, {column: std}, True
    return normalize


def _target_encoding(op: TargetEncoding, folder: Path) -> Any:
    """Encodes with one fold: every row gets the statistics of all train rows."""
    null = NULL_INT if op.dtype == "int64" else ""
    path = folder / "groups.parquet"
    keys = op.groups["value"].fill_null(null)
    names = [op.column, f"{op.column}_count", f"{op.column}_{op.target}_sum"]
    pa.table([keys, op.groups["count"], op.groups["sum"]], names=names).to_pandas().to_parquet(path)
    encoding = nvt_ops.TargetEncoding(
        [op.target], kfold=1, p_smooth=op.smoothing, out_dtype="float64", cat_cache=None, out_path=str(folder)
    )
    encoding.stats, encoding.means, encoding.fitted = {op.column: str(path)}, {op.target: op.target_mean}, True
    return encoding


def _column_schema(column: RawColumn) -> Any:
    dtype = "float64" if column.dtype == "float32" else column.dtype
    if column.is_list:
        return schemas.ColumnSchema(column.name, dtype=dtype, is_list=True, is_ragged=True)
    return schemas.ColumnSchema(column.name, dtype=dtype)
