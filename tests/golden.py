"""Reads the golden cases: what the released library computes for stated inputs.

A test takes the cases of one name and is run once a case:

    @pytest.mark.parametrize("case", golden.cases("interactions", "ElementwiseSum"))
    def test_golden(case):
        layer = mm.ElementwiseSum(**case.args)
        golden.assert_close(layer(golden.tensors(case.inputs)), case.outputs["output"])

`where=` chooses among the cases of one name:
`golden.cases("conventions", "Registry", where=lambda case: case.raises)`. The cases are in `data/golden`, whose README
says which release made them.

Cases differ in how they name things in `args`, `inputs` and `outputs`, so that is up to each test. This reader knows
how tensors and schemas are written: `tensor`, `tensors`, `array`, `schema`, `describe_column`, `assert_close`.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from merlin.schema import ColumnSchema, Schema, Tags

FOLDER = Path(__file__).resolve().parent / "data" / "golden"

RTOL = 1e-5
ATOL = 1e-6

#: The cases that tests have asked for so far: file and place in it.
ASKED_FOR: set[tuple[str, int]] = set()


@dataclass(frozen=True)
class Case:
    """One golden case; what it does not state is empty."""

    file: str
    index: int  #: Place in the file, from 0.
    name: str
    args: dict[str, Any] = field(default_factory=dict)
    inputs: Any = field(default_factory=dict)
    weights: Any = field(default_factory=dict)
    call: str = ""
    outputs: Any = field(default_factory=dict)
    note: str = ""

    @property
    def id(self) -> str:
        """Name and place, such as `Registry-31`."""
        return f"{self.name}-{self.index}"

    @property
    def raises(self) -> str | None:
        """Name of the exception that the call has to raise, "Exception" where any will do, None where it must not."""
        found = self.outputs.get("raises") if isinstance(self.outputs, dict) else None
        return "Exception" if found is True else found or None


@functools.cache
def read(file: str) -> tuple[Case, ...]:
    """All cases of a file ("losses", "conventions", ...), in order."""
    known = Case.__dataclass_fields__
    found = json.loads((FOLDER / f"{file}.json").read_text(encoding="utf-8"))
    return tuple(
        Case(file=file, index=index, **{key: value for key, value in case.items() if key in known})
        for index, case in enumerate(found)
    )


def cases(file: str, *names: str, where: Callable[[Case], Any] | None = None) -> list[Any]:
    """The cases of some names (all without one) for `pytest.mark.parametrize`, with ids such as `Registry-31`.

    Fails where no case fits: a test without cases would pass unseen.
    """
    found = [case for case in read(file) if (not names or case.name in names) and (where is None or where(case))]
    missing = set(names) - {case.name for case in found}
    if missing or not found:
        raise LookupError(f"{file}.json holds no such case: {', '.join(sorted(missing)) or 'none is chosen'}")
    ASKED_FOR.update((file, case.index) for case in found)
    return [pytest.param(case, id=case.id) for case in found]


def files() -> list[str]:
    """Names of all files of cases."""
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def array(description: Mapping[str, Any]) -> np.ndarray:
    """A dense tensor's description as a NumPy array; texts become objects."""
    dtype = "object" if description["dtype"] == "string" else description["dtype"]
    # "nan", "inf" and "-inf" stand for themselves: NumPy reads them as numbers.
    values = np.array(description["values"], dtype=object).reshape([size or 0 for size in description["shape"]])
    return values.astype(dtype)


def tensor(description: Mapping[str, Any]) -> Any:
    """A description as a `tf.Tensor`, `tf.RaggedTensor` or `tf.SparseTensor`."""
    import tensorflow as tf

    dtype = tf.as_dtype(description["dtype"])
    if description.get("sparse"):
        flat = array({**description, "shape": [len(description["values"])]})
        indices = np.reshape(description["indices"], (-1, len(description["shape"]))).astype("int64")
        return tf.SparseTensor(indices, tf.constant(flat, dtype), description["shape"])
    if description.get("ragged"):
        shape = description.get("flat_values_shape", [len(description["values"])])
        flat = tf.constant(array({**description, "shape": shape}), dtype)
        return tf.RaggedTensor.from_row_lengths(flat, tf.constant(description["row_lengths"], "int64"))
    return tf.constant(array(description), dtype)


def is_tensor(value: Any) -> bool:
    """Tells whether something describes a tensor."""
    return isinstance(value, Mapping) and {"dtype", "shape", "values"} <= value.keys()


def tensors(value: Any) -> Any:
    """Replaces each description of a tensor within dictionaries and lists by the tensor; the rest stays as it is."""
    if is_tensor(value):
        return tensor(value)
    if isinstance(value, Mapping):
        return {key: tensors(item) for key, item in value.items()}
    if isinstance(value, list):
        return [tensors(item) for item in value]
    return value


def schema(description: Any) -> Schema:
    """Builds a schema.

    Args:
        description: Columns by name, possibly under "columns", or a list of columns with their names; a column is a
            list of tags, or a dictionary with any of `tags`, `dtype`, `domain` or `domain_max`, `value_count`, `list`,
            `dims`, `properties`. Or text: "SMALL", "SMALL minus click", "SMALL without targets", "SMALL without click
            and rating", "SMALL, categorical columns". A column without a dtype is float32 if it is continuous or an
            embedding, otherwise int64.
    """
    if isinstance(description, str):
        return _small(description)
    if isinstance(description, Mapping) and "columns" in description:
        description = description["columns"]
    if isinstance(description, Mapping):
        return Schema([_column(name, column) for name, column in description.items()])
    return Schema([_column(column["name"], column) for column in description])


def _small(text: str) -> Schema:
    (case,) = [case for case in read("conventions") if case.name == "small schema"]
    small = schema(case.outputs["SMALL"])
    match = re.fullmatch(r"SMALL(?: (?:minus|without) (?P<names>[\w ]+?))?(?P<kind>, categorical columns)?", text)
    if match is None:
        raise ValueError(f"not a schema that this reader knows: {text!r}")
    names = match["names"].split(" and ") if match["names"] else []
    if names == ["targets"]:
        names = ["click", "rating"]
    if set(names) - set(small.column_names):
        raise ValueError(f"not a schema that this reader knows: {text!r}")
    small = small.excluding_by_name(names)
    return small.select_by_tag(Tags.CATEGORICAL) if match["kind"] else small


def _column(name: str, description: Any) -> ColumnSchema:
    if isinstance(description, list):
        description = {"tags": description}
    if not isinstance(description, Mapping):
        raise ValueError(f"not a column that this reader knows: {description!r}")
    tags = description.get("tags", [])
    properties = dict(description.get("properties", {}))
    if "domain_max" in description:
        properties["domain"] = {"name": name, "min": 0, "max": description["domain_max"]}
    for key in ("domain", "value_count"):
        if key in description:
            properties[key] = dict(description[key])
    dims = tuple(tuple(dim) for dim in description.get("dims") or ())
    if dims:
        properties.pop("value_count", None)
    is_list = bool(description.get("list")) and not dims and "value_count" not in properties
    return ColumnSchema(
        name,
        tags=tags,
        properties=properties,
        dtype=description.get("dtype") or ("float32" if {"continuous", "embedding"} & set(tags) else "int64"),
        dims=dims or None,
        **({"is_list": True} if is_list else {}),
    )


def describe_column(column: ColumnSchema) -> dict[str, Any]:
    """A column as the cases write one: name, dtype, tags, properties, is_list, is_ragged, dims, int_domain."""
    dims = [[dim.min, dim.max] for dim in column.shape.dims] if column.shape.dims else None
    domain = column.int_domain
    return {
        "name": column.name,
        "dtype": column.dtype.name,
        "tags": sorted(tag.value if isinstance(tag, Tags) else tag for tag in column.tags),
        "properties": column.properties,
        "is_list": column.is_list,
        "is_ragged": column.is_ragged,
        "dims": dims,
        "int_domain": None if domain is None else {"min": domain.min, "max": domain.max, "name": domain.name},
    }


def assert_close(actual: Any, expected: Any, *, dtype: bool = False) -> None:
    """Fails unless a result is what a case states, to `RTOL` and `ATOL`.

    Args:
        actual: Tensors, arrays or numbers, possibly in dictionaries and lists.
        expected: As a case writes it, of the same structure; a description of a tensor stands for the tensor. A ragged
            tensor has to be ragged, a sparse one sparse.
        dtype: Whether dtypes have to agree too.
    """
    _assert_close(actual, expected, dtype, "result")


def _assert_close(actual: Any, expected: Any, dtype: bool, where: str) -> None:
    if is_tensor(expected):
        _assert_tensor(actual, expected, dtype, where)
    elif isinstance(expected, Mapping):
        assert isinstance(actual, Mapping), f"{where}: a {type(actual).__name__} instead of a dictionary"
        assert sorted(actual) == sorted(expected), where
        for key, value in expected.items():
            _assert_close(actual[key], value, dtype, f"{where}[{key!r}]")
    elif isinstance(expected, list):
        assert len(actual) == len(expected), where
        for index, value in enumerate(expected):
            _assert_close(actual[index], value, dtype, f"{where}[{index}]")
    elif isinstance(expected, bool) or expected is None:
        assert actual == expected, where
    elif isinstance(expected, (int, float)) or expected in ("nan", "inf", "-inf"):
        np.testing.assert_allclose(_numpy(actual), float(expected), RTOL, ATOL, err_msg=where)
    else:
        assert actual == expected, where


def _assert_tensor(actual: Any, expected: Mapping[str, Any], dtype: bool, where: str) -> None:
    import tensorflow as tf

    wanted = tensor(expected)
    if dtype:
        got = tf.as_dtype(actual.dtype)
        assert got == wanted.dtype, f"{where}: {got.name} instead of {wanted.dtype.name}"
    for kind in (tf.RaggedTensor, tf.SparseTensor):
        assert isinstance(actual, kind) == isinstance(wanted, kind), f"{where}: a {type(actual).__name__}"
    if isinstance(wanted, tf.RaggedTensor):
        assert actual.row_lengths().numpy().tolist() == wanted.row_lengths().numpy().tolist(), where
        _assert_array(actual.flat_values, wanted.flat_values, where)
    elif isinstance(wanted, tf.SparseTensor):
        assert actual.shape.as_list() == wanted.shape.as_list(), where
        assert actual.indices.numpy().tolist() == wanted.indices.numpy().tolist(), where
        _assert_array(actual.values, wanted.values, where)
    else:
        _assert_array(actual, wanted, where)


def _assert_array(actual: Any, wanted: Any, where: str) -> None:
    actual, wanted = _numpy(actual), _numpy(wanted)
    assert actual.shape == wanted.shape, f"{where}: shape {actual.shape} instead of {wanted.shape}"
    if wanted.dtype.kind in "OSUb":
        np.testing.assert_array_equal(actual, wanted, err_msg=where)
    else:
        np.testing.assert_allclose(actual.astype("float64"), wanted.astype("float64"), RTOL, ATOL, err_msg=where)


def _numpy(value: Any) -> np.ndarray:
    return value.numpy() if hasattr(value, "numpy") else np.asarray(value)
