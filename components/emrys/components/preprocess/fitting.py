"""Fits the features of a recipe with NVTabular and converts their statistics to a `FittedWorkflow`."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from emrys.blocks.errors import DataError
from emrys.blocks.workflow import (
    FIRST_KNOWN,
    NULL_INT,
    Bucketize,
    Categorify,
    Cross,
    DatePart,
    FittedOp,
    FittedWorkflow,
    GroupCount,
    GroupMean,
    HashBucket,
    ListLength,
    RawColumn,
    TargetEncoding,
    Vectors,
)
from emrys.blocks.workflow.date_part import RANGES, Part, date_numbers
from emrys.components.contracts.data_schema import Role
from emrys.components.merlin_imports import import_without_tensorflow
from emrys.components.preprocess.config import PreprocessConfig
from emrys.components.preprocess.frames import quietly, to_collection, to_frame
from emrys.components.preprocess.number_fitting import fit_numbers, standard_deviation
from emrys.components.preprocess.offline import to_table
from emrys.components.preprocess.raw_split import RawSplit, raw_column
from emrys.components.recipe import operators
from emrys.components.recipe.operators import Feature

nvt = import_without_tensorflow("nvtabular")
nvt_ops = import_without_tensorflow("nvtabular.ops")
Dataset = import_without_tensorflow("merlin.io").Dataset

KeyType = Literal["int64", "string"]


@dataclasses.dataclass(frozen=True)
class _Encoder:
    """A fitted workflow of NVTabular that encodes train rows out of fold."""

    workflow: Any
    keys: tuple[RawColumn, ...]
    target: str


class Fitting:
    """Fits the workflow on the train split.

    Args:
        train: The train split.
        plan: The features.
        targets: Columns that are copied as targets.
        config: Settings.
        folder: An empty folder for the tables of NVTabular.
        catalogue: Ids of items that get an id of their own, however many rows they have. Default: none.
    """

    def __init__(
        self,
        train: RawSplit,
        plan: Sequence[Feature],
        targets: Sequence[str],
        config: PreprocessConfig,
        folder: Path,
        catalogue: pa.ChunkedArray | None = None,
    ) -> None:
        self._train, self._config, self._folder = train, config, folder
        self._catalogue = catalogue
        self._plan = [_overridden(feature, config) for feature in plan]
        self._encoders: list[_Encoder] = []
        with quietly():
            fitted: dict[str, FittedOp] = {
                **self._categorify(),
                **fit_numbers(train, [feature for feature in self._plan if feature.is_number]),
                **self._target_encoding(),
            }
            for feature in self._plan:
                if feature.output not in fitted:
                    fitted[feature.output] = self._other(feature)
        #: The fitted workflow.
        self.workflow = FittedWorkflow([fitted[feature.output] for feature in self._plan], targets)

    def encode_train(self, table: pa.Table) -> pa.Table:
        """Target-encodes a part of the train split with out-of-fold statistics.

        NVTabular derives the fold of a row from its index in the part, so the parts must be those of the fit.

        Args:
            table: A part of the train split, as returned by `RawSplit.read`.

        Returns:
            The normalised encodings, float32; without columns if there is no target encoding.
        """
        encoded = table.select([])
        columns = {op.output.name: op.output for op in self.workflow.ops if isinstance(op, TargetEncoding)}
        for encoder in self._encoders:
            with quietly():
                frame = encoder.workflow.transform(to_frame(table, encoder.keys, [encoder.target]))
            part = to_table(frame, [columns[f"TE_{key.name}_{encoder.target}"] for key in encoder.keys])
            for name in part.column_names:
                encoded = encoded.append_column(name, part[name]) if encoded.num_columns else part.select([name])
        return encoded

    def _fit(self, output: Any, columns: tuple[RawColumn, ...], targets: tuple[str, ...] = ()) -> Any:
        collection = to_collection(self._train, columns, targets)
        return nvt.Workflow(output).fit(Dataset(collection))

    def _categorify(self) -> dict[str, FittedOp]:
        features = [feature for feature in self._plan if isinstance(feature.operator, operators.Categorify)]
        own = [feature for feature in features if not _borrows(feature)]
        columns = tuple({feature.column.name: raw_column(feature.column) for feature in own}.values())
        counts: dict[str, pa.Table] = {}
        if columns:
            # `_order` handles ties, the threshold and the upper bound: NVTabular does not order ties.
            op = nvt_ops.Categorify(out_path=str(self._folder / "categories"), cat_cache=None)
            self._fit([column.name for column in columns] >> op, columns)
            for column in columns:
                table = pq.read_table(op.categories[column.name], columns=[column.name, f"{column.name}_size"])
                counts[column.name] = _keyed(table, column, ["count"])
        categories: dict[str, pa.Table] = {}
        for feature in own:
            if not feature.ids_of:
                members = [other for other in own if feature.output in (other.output, other.ids_of)]
                merged = _merged([counts[member.column.name] for member in members])
                listed = self._catalogue if feature.column.role is Role.ITEM_ID else None
                categories[feature.output] = _order(merged, cast(operators.Categorify, feature.operator), listed)
        fitted: dict[str, FittedOp] = {}
        for feature in features:
            options = cast(operators.Categorify, feature.operator)
            fitted[feature.output] = Categorify(
                feature.column.name,
                _key_type(feature),
                categories[feature.ids_of or feature.output],
                feature.column.is_list,
                options.min_count,
                options.max_size,
                feature.ids_of,
                feature.keep,
                _name(feature),
            )
        return fitted

    def _target_encoding(self) -> dict[str, FittedOp]:
        groups: dict[operators.TargetEncoding, list[Feature]] = {}
        for feature in self._plan:
            if isinstance(feature.operator, operators.TargetEncoding):
                groups.setdefault(feature.operator, []).append(feature)
        fitted: dict[str, FittedOp] = {}
        for number, (options, features) in enumerate(groups.items()):
            fitted.update(self._encode(options, features, self._folder / f"encodings-{number}"))
        return fitted

    def _encode(
        self, options: operators.TargetEncoding, features: Sequence[Feature], folder: Path
    ) -> dict[str, FittedOp]:
        """Fits the target encodings with the same options."""
        op = nvt_ops.TargetEncoding(
            [options.target],
            kfold=options.folds,
            fold_seed=self._config.fold_seed,
            p_smooth=options.smoothing,
            out_dtype="float64",
            cat_cache=None,
            out_path=str(folder),
        )
        norm = nvt_ops.Normalize(out_dtype="float32")
        keys = tuple(raw_column(feature.column) for feature in features)
        workflow = self._fit([key.name for key in keys] >> op >> norm, keys, (options.target,))
        self._encoders.append(_Encoder(workflow, keys, options.target))
        fitted: dict[str, FittedOp] = {}
        for feature, key in zip(features, keys, strict=True):
            norm.stds[feature.output] = standard_deviation(norm.means[feature.output], norm.stds[feature.output])
            table = _keyed(pq.read_table(op.stats[key.name]), key, ["count", "sum"], keep_null=True)
            fitted[feature.output] = TargetEncoding(
                column=key.name,
                dtype=_key_type(feature),
                target=options.target,
                groups=table.sort_by("value"),
                target_mean=op.means[options.target],
                smoothing=float(options.smoothing),
                mean=norm.means[feature.output],
                std=norm.stds[feature.output],
                folds=options.folds,
                fold_seed=self._config.fold_seed,
            )
        return fitted

    def _other(self, feature: Feature) -> FittedOp:
        """The step of a feature that needs at most one column of statistics."""
        column, operator = feature.column, feature.operator
        if isinstance(operator, operators.Hash):
            key_type = _key_type(feature)
            return HashBucket(column.name, key_type, operator.buckets, column.is_list, feature.keep, _name(feature))
        if isinstance(operator, operators.Bucketize):
            number_type: Literal["int64", "float32"] = "int64" if column.dtype == "int64" else "float32"
            return Bucketize(column.name, number_type, operator.boundaries, _name(feature))
        if isinstance(operator, operators.Cross):
            crossed = tuple(raw_column(each) for each in (column, *feature.others))
            return Cross(crossed, operator.buckets, feature.output)
        if isinstance(operator, operators.Vectors):
            return self._vectors(feature, operator)
        if isinstance(operator, operators.CountBy):
            return self._group_count(feature)
        if isinstance(operator, operators.MeanBy):
            return self._group_mean(feature)
        if isinstance(operator, operators.Length):
            return self._length(feature)
        return self._date_part(feature)

    def _group_count(self, feature: Feature) -> FittedOp:
        name = feature.column.name
        parts = [pc.value_counts(self._values(part, name)) for part in range(len(self._train.parts))]
        tables = [pa.table({"value": part.field("values"), "count": part.field("counts")}) for part in parts]
        groups = _merged(tables).sort_by("value")
        counts = groups["count"].to_numpy()
        mean, std = _moments(np.log1p(counts), counts)
        return GroupCount(name, _key_type(feature), groups, mean, std)

    def _group_mean(self, feature: Feature) -> FittedOp:
        """Means of the numbers that are there; `JoinGroupby` of NVTabular divides by all rows instead."""
        name, of = feature.column.name, feature.others[0].name
        tables = []
        for part in range(len(self._train.parts)):
            table = self._train.read(part, [name, of])
            table = pa.table({"value": table[name], "sum": pc.cast(table[of], "float64"), "count": table[of]})
            sums = table.group_by("value").aggregate([("sum", "sum"), ("count", "count")])
            tables.append(pa.table({"value": sums["value"], "sum": sums["sum_sum"], "count": sums["count_count"]}))
        groups = _merged(tables, ["sum"])
        groups = groups.filter(pc.greater(groups["count"], 0)).sort_by("value")
        counts, sums = groups["count"].to_numpy(), groups["sum"].to_numpy()
        means = sums / counts
        mean, std = _moments(means, counts)
        table = pa.table({"value": groups["value"], "mean": means})
        return GroupMean(name, _key_type(feature), of, table, float(sums.sum() / counts.sum()), mean, std)

    def _length(self, feature: Feature) -> FittedOp:
        name = feature.column.name
        parts = [pc.list_value_length(self._values(part, name)) for part in range(len(self._train.parts))]
        lengths = np.concatenate([part.to_numpy() for part in parts]).astype(np.float64)
        mean, std = _moments(lengths, np.ones(len(lengths), dtype=np.int64))
        return ListLength(name, feature.column.dtype, mean, std)

    def _date_part(self, feature: Feature) -> FittedOp:
        part = cast(Part, cast(operators.Operator, feature.operator).name)
        name, unit = feature.column.name, feature.column.unit
        if part in RANGES:
            return DatePart(name, part, unit, *RANGES[part])
        years: list[int] = []
        for number in range(len(self._train.parts)):
            ends = pc.min_max(self._values(number, name)).as_py()
            if ends["min"] is not None:
                years += date_numbers("year", unit, np.array([ends["min"], ends["max"]])).tolist()
        if max(years) - min(years) > _MOST_YEARS:
            raise DataError(
                "the times span too many years",
                path=self._train.path,
                column=name,
                expected=f"at most {_MOST_YEARS}",
                got=f"{min(years)} to {max(years)}",
                fix=f"Check the unit of the time, which is {unit!r}.",
            )
        return DatePart(name, part, unit, min(years), max(years))

    def _vectors(self, feature: Feature, options: operators.Vectors) -> FittedOp:
        column = feature.column
        key = options.key or column.name
        try:
            table = pq.read_table(options.path, columns=list(dict.fromkeys((key, options.column))))
        except (pa.ArrowException, OSError) as error:
            raise DataError(f"the vectors cannot be read ({error})", path=options.path, column=options.column) from None
        for name in (key, options.column):
            if name not in table.column_names:
                raise DataError("the file of vectors has no such column", path=options.path, column=name)
        try:
            keys = table[key].cast(pa.int64() if column.dtype == "int64" else pa.string())
            lists = table[options.column].cast(pa.list_(pa.float32()))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise DataError(
                f"the vectors are of the wrong type ({error})",
                path=options.path,
                column=options.column,
                expected=f"keys of {column.dtype}, and lists of numbers",
                got=f"{table[key].type} and {table[options.column].type}",
            ) from None
        known = pa.table({"value": keys, "vector": lists}).filter(pc.and_(pc.is_valid(keys), pc.is_valid(lists)))
        lengths = pc.unique(pc.list_value_length(known["vector"])).to_pylist()
        try:
            if len(lengths) != 1:
                raise ValueError(f"the vectors have the lengths {sorted(lengths)}; expected one length")
            return Vectors(column.name, _key_type(feature), known, lengths[0], feature.output)
        except ValueError as error:
            raise DataError(str(error), path=options.path, column=options.column) from None

    def _values(self, part: int, name: str) -> pa.ChunkedArray:
        return self._train.read(part, [name])[name]


#: A column of times in another unit would have thousands of years.
_MOST_YEARS = 200


def _overridden(feature: Feature, config: PreprocessConfig) -> Feature:
    """The feature with the options that the settings override."""
    changes: dict[str, Any] = {}
    if isinstance(feature.operator, operators.Categorify):
        changes = {"min_count": config.freq_threshold, "max_size": config.max_size}
    elif isinstance(feature.operator, operators.TargetEncoding):
        changes = {"folds": config.folds, "smoothing": config.smoothing}
    changes = {name: value for name, value in changes.items() if value is not None}
    if not changes or feature.operator is None:
        return feature
    return dataclasses.replace(feature, steps=(feature.operator.model_copy(update=changes),))


def _borrows(feature: Feature) -> bool:
    """Whether the ids are those of another output, to which the values of this one do not contribute."""
    return bool(feature.column.history_of and feature.ids_of)


def _key_type(feature: Feature) -> KeyType:
    return "int64" if feature.column.dtype == "int64" else "string"


def _name(feature: Feature) -> str:
    """Name of the output, empty if it is that of the column."""
    return "" if feature.output == feature.column.name else feature.output


def _moments(values: np.ndarray[Any, Any], counts: np.ndarray[Any, Any]) -> tuple[float, float]:
    """Mean and standard deviation of values that stand in so many rows."""
    rows = int(counts.sum())
    mean = float((values * counts).sum() / rows)
    variance = float((counts * (values - mean) ** 2).sum() / max(rows - 1, 1))
    return mean, standard_deviation(mean, math.sqrt(variance))


def _merged(tables: Sequence[pa.Table], others: Sequence[str] = ()) -> pa.Table:
    """Adds the counts, and other sums, of equal values."""
    if len(tables) == 1:
        return tables[0]
    names = ["count", *others]
    sums = pa.concat_tables(tables).group_by("value").aggregate([(name, "sum") for name in names])
    return pa.table({"value": sums["value"], **{name: sums[f"{name}_sum"] for name in names}})


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


def _order(categories: pa.Table, options: operators.Categorify, listed: pa.ChunkedArray | None) -> pa.Table:
    """Sorts by descending frequency, ties by value, and applies the frequency threshold and the upper bound.

    Values of `listed` are kept below the threshold, and added if they are missing.
    """
    often = pc.greater_equal(categories["count"], options.min_count)
    if listed is not None:
        values = pc.drop_null(pc.unique(listed)).cast(categories["value"].type)
        often = pc.or_(often, pc.is_in(categories["value"], value_set=values))
        added = values.filter(pc.invert(pc.is_in(values, value_set=categories["value"])))
        zeros = pa.array(np.zeros(len(added), dtype=np.int64))
        kept = pa.concat_tables([categories.filter(often), pa.table({"value": added, "count": zeros})])
    else:
        kept = categories.filter(often)
    kept = kept.sort_by([("count", "descending"), ("value", "ascending")])
    return kept if options.max_size is None else kept.slice(0, options.max_size - FIRST_KNOWN)
