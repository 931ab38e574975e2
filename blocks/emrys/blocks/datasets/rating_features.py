"""Features of a rating log for ranking: ids and target encodings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from emrys.blocks.workflow import Categorify, FittedOp, FittedWorkflow, TargetEncoding
from emrys.blocks.workflow.fill_normalize import normalise

if TYPE_CHECKING:  # Merlin imports TensorFlow if it is installed
    from merlin.io import Dataset
    from merlin.schema import Schema

_IDS: dict[str, Literal["int64", "string"]] = {
    "userId": "int64",
    "movieId": "int64",
    "title": "string",
    "genres": "string",
    "gender": "string",
    "age": "int64",
    "occupation": "string",
    "zipcode": "string",
}
_LISTS = ("genres",)
_ENCODED = ("age", "gender", "occupation", "zipcode", "movieId", "userId")
_ITEM_COLUMNS = ("movieId", "title", "genres")
_TARGET = "rating"
#: Lower bounds of the age groups of MovieLens 1M; the first group is 1.
_AGES = (18, 25, 35, 45, 50, 56)


class RatingFeatures:
    """Fits the features of ratings on a train split, and computes them.

    Every column except the rating becomes an id, by descending frequency after 0 for padding, 1 for null and 2 for
    unseen values; ages are grouped as in MovieLens 1M. There are six target encodings, `TE_<column>_rating`: the
    smoothed mean rating of the rows of a value, standardized. Train rows are encoded out of fold, all others from the
    whole train split.

    Args:
        train: Rows with the columns of `LOG_SCHEMA`.
        folds: Number of folds of the train split. Default: 5.
        smoothing: Weight of the overall mean in an encoding, in rows. Default: 5.
        seed: Seed of the folds. Default: 42.
    """

    def __init__(self, train: pa.Table, *, folds: int = 5, smoothing: float = 5.0, seed: int = 42) -> None:
        self._train = _group_ages(train)
        self._rating: npt.NDArray[np.float64] = self._train[_TARGET].to_numpy().astype(np.float64)
        self._folds, self._smoothing, self._seed = folds, smoothing, seed
        self._fold = np.random.default_rng(seed).integers(0, folds, train.num_rows)
        ops: list[FittedOp] = [self._categories(column) for column in _IDS]
        self._encodings = {column: self._out_of_fold(column) for column in _ENCODED}
        ops += [self._encoding(column) for column in _ENCODED]
        #: The fitted workflow.
        self.workflow = FittedWorkflow(ops, ["rating_binary", _TARGET])

    def train(self) -> Dataset:
        """The train split: ids, out-of-fold encodings, `rating_binary` and `rating`."""
        features = self._transform(self._train)
        for op in self.workflow.ops:
            if isinstance(op, TargetEncoding):
                values = normalise(self._encodings[op.column], op.mean, op.std)
                position = features.column_names.index(op.output.name)
                features = features.set_column(position, op.output.name, pa.array(values))
        return self._dataset(features)

    def transform(self, table: pa.Table) -> Dataset:
        """The features of other rows with the columns of `LOG_SCHEMA`, encoded from the whole train split."""
        return self._dataset(self._transform(_group_ages(table)))

    def _transform(self, table: pa.Table) -> pa.Table:
        features = self.workflow.transform_table(table)
        positives = pc.greater(table[_TARGET], 3).cast(pa.int32())
        return features.append_column("rating_binary", positives).append_column(_TARGET, table[_TARGET])

    def _dataset(self, table: pa.Table) -> Dataset:
        from merlin.io import Dataset

        return Dataset(table.to_pandas(), schema=self.schema())

    def schema(self) -> Schema:
        """The schema: tags, domains and types of the columns."""
        from merlin.schema import ColumnSchema, Schema, Tags

        columns = []
        for column in self.workflow.output_columns:
            kind = Tags.CATEGORICAL if column.cardinality else Tags.CONTINUOUS
            side = Tags.ITEM if column.source in _ITEM_COLUMNS else Tags.USER
            ids = {"userId": [Tags.USER_ID], "movieId": [Tags.ITEM_ID]}.get(column.name, [])
            properties: dict[str, Any] = {}
            if column.cardinality:
                properties["domain"] = {"name": column.name, "min": 0, "max": column.cardinality - 1}
            if column.is_list:
                properties["value_count"] = {"min": 0, "max": None}
            lists = {"is_list": True, "is_ragged": True} if column.is_list else {}
            columns.append(
                ColumnSchema(column.name, dtype=column.dtype, tags=[kind, side, *ids], properties=properties, **lists)
            )
        columns.append(ColumnSchema("rating_binary", dtype="int32", tags=[Tags.TARGET, Tags.BINARY_CLASSIFICATION]))
        columns.append(ColumnSchema(_TARGET, dtype="float32", tags=[Tags.TARGET, Tags.REGRESSION]))
        return Schema(columns)

    def _categories(self, column: str) -> Categorify:
        values = self._train[column].combine_chunks()
        is_list = column in _LISTS
        counted = pc.value_counts(pc.list_flatten(values) if is_list else values)
        categories = pa.table({"value": counted.field("values"), "count": counted.field("counts")})
        categories = categories.filter(pc.is_valid(categories["value"]))
        categories = categories.sort_by([("count", "descending"), ("value", "ascending")])
        return Categorify(column, _IDS[column], categories, is_list)

    def _encoding(self, column: str) -> TargetEncoding:
        values, index = self._values(column)
        groups = pa.table(
            {
                "value": values,
                "count": np.bincount(index, minlength=len(values)),
                "sum": np.bincount(index, weights=self._rating, minlength=len(values)),
            }
        )
        encodings = self._encodings[column]
        return TargetEncoding(
            column=column,
            dtype=_IDS[column],
            target=_TARGET,
            groups=groups,
            target_mean=float(self._rating.mean()),
            smoothing=self._smoothing,
            mean=float(encodings.mean()),
            std=float(encodings.std()),
            folds=self._folds,
            fold_seed=self._seed,
        )

    def _out_of_fold(self, column: str) -> npt.NDArray[np.float64]:
        """The out-of-fold encoding of every train row."""
        values, index = self._values(column)
        shape = (len(values), self._folds)
        at = index * self._folds + self._fold
        count = np.bincount(at, minlength=shape[0] * shape[1]).reshape(shape)
        total = np.bincount(at, weights=self._rating, minlength=shape[0] * shape[1]).reshape(shape)
        others_count = count.sum(axis=1, keepdims=True) - count
        others_total = total.sum(axis=1, keepdims=True) - total
        # The overall mean of the other folds.
        mean = (total.sum() - total.sum(axis=0)) / np.maximum(count.sum() - count.sum(axis=0), 1)
        encoded = (others_total + self._smoothing * mean) / (others_count + self._smoothing)
        encodings: npt.NDArray[np.float64] = encoded[index, self._fold]
        return encodings

    def _values(self, column: str) -> tuple[pa.Array, npt.NDArray[np.int64]]:
        """The unique values of a column, including null, and the index of the value of each row."""
        encoded = self._train[column].combine_chunks().dictionary_encode(null_encoding="encode")
        return encoded.dictionary, encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)


def _group_ages(table: pa.Table) -> pa.Table:
    ages = table["age"].combine_chunks()
    groups = np.array([1, *_AGES])[np.searchsorted(_AGES, ages.fill_null(0).to_numpy(), side="right")]
    grouped = pa.array(groups, pa.int64(), mask=ages.is_null().to_numpy(zero_copy_only=False))
    return table.set_column(table.column_names.index("age"), "age", grouped)
