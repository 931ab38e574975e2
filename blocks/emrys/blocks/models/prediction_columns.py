"""Predictions as additional columns of a data set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
from merlin.schema import ColumnSchema, Schema

from emrys.blocks.errors import ConfigError
from emrys.blocks.loader import Loader

if TYPE_CHECKING:
    from merlin.io import Dataset

    from emrys.blocks.models.model import Model as BaseModel


def with_predictions(model: BaseModel, dataset: Dataset, batch_size: int, options: Mapping[str, Any]) -> Dataset:
    """Returns a data set with columns for the predictions of a model; see `Model.batch_predict`."""
    from merlin.io import Dataset as DatasetClass  # imported here: it starts Dask

    if not isinstance(dataset, DatasetClass):
        raise ConfigError("batch_predict: dataset", expected="a merlin.io.Dataset", got=type(dataset).__name__)
    names = [output.task_name for output in model.model_outputs]
    schema = (model.input_schema or dataset.schema).select_by_name(dataset.schema.column_names)

    def predict(part: pd.DataFrame) -> pd.DataFrame:
        part = part.reset_index(drop=True)
        if len(part) == 0:
            return part.assign(**{name: pd.Series(dtype="float32") for name in names})
        rows = Loader(_table(part, schema), batch_size, schema=schema, shuffle=False)
        outputs = model.predict(rows, **options)
        columns = outputs if isinstance(outputs, Mapping) else {names[0]: outputs}
        return part.assign(**{name: _column(values) for name, values in columns.items()})

    parts = dataset.to_ddf()
    first = predict(parts.partitions[0].head(1, npartitions=1))
    added = [
        ColumnSchema(name, dtype="float32", is_list=first[name].dtype == object) for name in first if name in names
    ]
    return DatasetClass(parts.map_partitions(predict, meta=first.iloc[:0]), schema=Schema([*dataset.schema, *added]))


def _table(part: pd.DataFrame, schema: Schema) -> pa.Table:
    """The columns of the schema; list columns get an explicit type, since all lists may be empty."""
    types = {
        column.name: pa.list_(pa.from_numpy_dtype(column.dtype.to("numpy"))) if column.is_list else None
        for column in schema
    }
    return pa.table({name: pa.array(part[name], type=kind) for name, kind in types.items()})


def _column(values: Any) -> Any:
    values = np.asarray(values, "float32")
    if values.ndim == 1 or values.shape[1] == 1:
        return values.reshape(-1)
    return list(values)
