"""Fits the feature workflow with NVTabular and converts its statistics to a `FittedWorkflow`."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from emrys.blocks.errors import DataError
from emrys.blocks.workflow import (
    FIRST_KNOWN,
    NULL_INT,
    Categorify,
    FillNormalize,
    FittedOp,
    FittedWorkflow,
    RawColumn,
    TargetEncoding,
)
from emrys.components.merlin_imports import import_without_tensorflow
from emrys.components.preprocess.config import PreprocessConfig
from emrys.components.preprocess.frames import quietly, to_collection, to_frame
from emrys.components.preprocess.offline import to_table
from emrys.components.preprocess.raw_split import RawSplit
from emrys.components.preprocess.survey import Survey

nvt = import_without_tensorflow("nvtabular")
nvt_ops = import_without_tensorflow("nvtabular.ops")
Dataset = import_without_tensorflow("merlin.io").Dataset

#: A standard deviation below this share of the mean is a rounding error.
_ROUNDING = 1e-7


class Fitting:
    """Fits the workflow on the train split.

    Args:
        train: The train split.
        survey: Facts about the train split.
        config: Settings.
        folder: An empty folder for the tables of NVTabular.
    """

    def __init__(self, train: RawSplit, survey: Survey, config: PreprocessConfig, folder: Path) -> None:
        self._train, self._survey, self._config, self._folder = train, survey, config, folder
        self._raw = {column.name: column for column in train.columns}
        self._encoder: Any = None
        with quietly():
            ops: list[FittedOp] = [*self._categorify(), *self._fill_normalize(), *self._target_encoding()]
        #: The fitted workflow.
        self.workflow = FittedWorkflow(ops, config.targets)

    def encode_train(self, table: pa.Table) -> pa.Table:
        """Target-encodes a part of the train split with out-of-fold statistics.

        NVTabular derives the fold of a row from its index in the part, so the parts must be those of the fit.

        Args:
            table: A part of the train split, as returned by `RawSplit.read`.

        Returns:
            The normalised encodings, float32; without columns if there is no target encoding.
        """
        columns = [op.output for op in self.workflow.ops if isinstance(op, TargetEncoding)]
        if self._encoder is None:
            return table.select([])
        keys = self._columns(self._config.target_encoded)
        with quietly():
            encoded = self._encoder.transform(to_frame(table, keys, [self._config.encoding_target]))
        return to_table(encoded, columns)

    def _columns(self, names: Sequence[str]) -> tuple[RawColumn, ...]:
        return tuple(self._raw[name] for name in names)

    def _fit(self, output: Any, names: Sequence[str], targets: tuple[str, ...] = ()) -> Any:
        collection = to_collection(self._train, self._columns(names), targets)
        return nvt.Workflow(output).fit(Dataset(collection))

    def _categorify(self) -> list[Categorify]:
        names = (*self._config.categorical, *self._config.categorical_lists)
        if not names:
            return []
        # `_order` handles ties, the threshold and the upper bound: NVTabular does not order ties.
        op = nvt_ops.Categorify(out_path=str(self._folder / "categories"), cat_cache=None)
        self._fit(list(names) >> op, names)
        categorified: list[Categorify] = []
        for column in self._columns(names):
            table = pq.read_table(op.categories[column.name], columns=[column.name, f"{column.name}_size"])
            categories = _order(_keyed(table, column, ["count"]), self._config)
            threshold, bound = self._config.freq_threshold, self._config.max_size
            categorified.append(
                Categorify(column.name, _key_type(column), categories, column.is_list, threshold, bound)
            )
        return [*categorified, *self._history(categorified)]

    def _history(self, categorified: Sequence[Categorify]) -> list[Categorify]:
        """Encodes histories with the ids of their items."""
        if not self._config.history:
            return []
        column = self._raw[self._config.history]
        items = next(op for op in categorified if op.column == self._config.history_of)
        if column.dtype != items.dtype:
            raise DataError(
                "the type of the history differs from the type of its items",
                path=self._train.path,
                column=column.name,
                expected=f"lists of {items.dtype}, as {items.column} is",
                got=f"lists of {column.dtype}",
            )
        return [dataclasses.replace(items, column=column.name, is_list=True, ids_of=items.column)]

    def _fill_normalize(self) -> list[FittedOp]:
        names = self._config.continuous
        if not names:
            return []
        filled = None
        for name in names:
            node = [name] >> nvt_ops.FillMissing(fill_val=self._survey.fills[name])
            filled = node if filled is None else filled + node
        op = nvt_ops.Normalize(out_dtype="float32")
        self._fit(filled >> op, names)
        return [
            FillNormalize(name, self._survey.fills[name], op.means[name], _std(op.means[name], op.stds[name]))
            for name in names
        ]

    def _target_encoding(self) -> list[FittedOp]:
        names, config = self._config.target_encoded, self._config
        if not names:
            return []
        op = nvt_ops.TargetEncoding(
            [config.encoding_target],
            kfold=config.folds,
            fold_seed=config.fold_seed,
            p_smooth=config.smoothing,
            out_dtype="float64",
            cat_cache=None,
            out_path=str(self._folder / "encodings"),
        )
        norm = nvt_ops.Normalize(out_dtype="float32")
        self._encoder = self._fit(list(names) >> op >> norm, names, (config.encoding_target,))
        encodings: list[FittedOp] = []
        for column in self._columns(names):
            name = f"TE_{column.name}_{config.encoding_target}"
            norm.stds[name] = _std(norm.means[name], norm.stds[name])
            groups = _keyed(pq.read_table(op.stats[column.name]), column, ["count", "sum"], keep_null=True)
            encodings.append(
                TargetEncoding(
                    column=column.name,
                    dtype=_key_type(column),
                    target=config.encoding_target,
                    groups=groups.sort_by("value"),
                    target_mean=op.means[config.encoding_target],
                    smoothing=float(config.smoothing),
                    mean=norm.means[name],
                    std=norm.stds[name],
                    folds=config.folds,
                    fold_seed=config.fold_seed,
                )
            )
        return encodings


def _key_type(column: RawColumn) -> Literal["int64", "string"]:
    return "int64" if column.dtype == "int64" else "string"


def _std(mean: float, std: float) -> float:
    """0 for a constant column, where the sum of squares of NVTabular gives NaN or a rounding error."""
    return std if math.isfinite(std) and std > _ROUNDING * abs(mean) else 0.0


def _keyed(table: pa.Table, column: RawColumn, names: list[str], keep_null: bool = False) -> pa.Table:
    """Converts a table of NVTabular to the columns `value` and `names`; the null key becomes null or is removed."""
    null, kind = (NULL_INT, pa.int64()) if column.dtype == "int64" else ("", pa.string())
    types = {"count": pa.int64(), "sum": pa.float64()}
    arrays = [table.column(1 + index).cast(types[name]) for index, name in enumerate(names)]
    values = table.column(0).cast(kind)
    is_null = pc.equal(values, null)
    if keep_null:
        return pa.table([pc.if_else(is_null, pa.scalar(None, kind), values), *arrays], names=["value", *names])
    return pa.table([values, *arrays], names=["value", *names]).filter(pc.invert(is_null))


def _order(categories: pa.Table, config: PreprocessConfig) -> pa.Table:
    """Sorts by descending frequency, ties by value, and applies the frequency threshold and the upper bound."""
    kept = categories.filter(pc.greater_equal(categories["count"], config.freq_threshold))
    kept = kept.sort_by([("count", "descending"), ("value", "ascending")])
    return kept if config.max_size is None else kept.slice(0, config.max_size - FIRST_KNOWN)
