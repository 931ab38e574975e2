"""Columns of a loader (selection, types, conversion from Arrow) and their batches (cutting, transforms).

Passing single batches from a Python generator to TensorFlow is slow, because each batch has many tensors (about 40).
So the generator yields blocks of many batches, one block ahead, whose memory TensorFlow uses without a copy. Blocks are
cut into batches in C++: by `from_tensor_slices` in a graph, by `tf.unstack` for eager tensors. Only ragged columns have
a cost per batch.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import keras
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import tensorflow as tf
from merlin.schema import ColumnSchema, Schema, Tags

from emrys.blocks.core.calling import build_layer, call_layer
from emrys.blocks.core.prediction import Prediction
from emrys.blocks.errors import ConfigError, DataError, SchemaError
from emrys.blocks.loader.table_operator import TableOperator, is_table_operator

#: `(features, targets)`: tensors, or ragged tensors, by name.
Batch: TypeAlias = "tuple[dict[str, Any], dict[str, Any]]"


#: Several batches: arrays with one entry per batch, for features and for targets, by name; and the elements of the
#: ragged columns, by name.
Block: TypeAlias = "tuple[dict[str, Any], dict[str, Any], dict[str, Any]]"


def blocks_dataset(
    columns: Sequence[LoaderColumn],
    blocks: Callable[[], Iterable[tuple[pa.RecordBatch, int]]],
    batch_size: int | None,
) -> tf.data.Dataset:
    """The rows of an epoch as a data set of blocks; reading starts with the iteration.

    Args:
        columns: The columns of the rows.
        blocks: Starts an epoch; yields rows and the number of rows of a batch.
        batch_size: Rows of every batch, if they are all equal; None otherwise.
    """

    def generate() -> Iterator[Block]:
        for rows, size in blocks():
            yield _block(columns, rows, size)

    return tf.data.Dataset.from_generator(generate, output_signature=_signature(columns, batch_size)).prefetch(1)


def batches_dataset(blocks: tf.data.Dataset, steps: int) -> tf.data.Dataset:
    """Cuts blocks into batches, in a graph.

    Args:
        blocks: The result of `blocks_dataset`.
        steps: Number of batches in an epoch.
    """

    def cut(features: dict[str, Any], targets: dict[str, Any], elements: dict[str, Any]) -> tf.data.Dataset:
        batches = tf.data.Dataset.from_tensor_slices((features, targets))
        if not elements:
            return batches
        return batches.map(lambda x, y: (_with_lists(x, elements), _with_lists(y, elements)))

    options = tf.data.Options()
    # Workers read different rows already (global_rank); TensorFlow must not shard them again.
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
    return blocks.flat_map(cut).apply(tf.data.experimental.assert_cardinality(steps)).with_options(options)


def eager_batches(block: Block) -> Iterator[Batch]:
    """Cuts a block of eager tensors into batches."""
    features, targets, elements = block
    unstacked = [{name: tf.unstack(tensor) for name, tensor in part.items()} for part in (features, targets)]
    count = len(next(iter(unstacked[0].values())))
    for at in range(count):
        x, y = ({name: tensors[at] for name, tensors in part.items()} for part in unstacked)
        yield (_with_lists(x, elements), _with_lists(y, elements)) if elements else (x, y)


def single_batch(columns: Sequence[LoaderColumn], rows: pa.RecordBatch) -> Batch:
    """Converts all the rows to one batch of eager tensors."""
    return next(eager_batches(tf.nest.map_structure(tf.constant, _block(columns, rows, rows.num_rows))))


def _signature(columns: Sequence[LoaderColumn], batch_size: int | None) -> Block:
    parts: Block = ({}, {}, {})
    for column in columns:
        part = parts[1 if column.is_target else 0]
        if column.is_ragged:
            part[_start(column.name)] = tf.TensorSpec((None,), tf.int64)
            part[_splits(column.name)] = tf.TensorSpec((None, None if batch_size is None else batch_size + 1), tf.int64)
            parts[2][column.name] = tf.TensorSpec((None, *column.inner_shape), column.dtype)
        else:
            shape = (None, batch_size, column.length or 1, *column.inner_shape)
            part[column.name] = tf.TensorSpec(shape, column.dtype)
    return parts


def _block(columns: Sequence[LoaderColumn], rows: pa.RecordBatch, size: int) -> Block:
    parts: Block = ({}, {}, {})
    for column, array in zip(columns, rows.columns, strict=True):
        part = parts[1 if column.is_target else 0]
        if column.is_ragged:
            offsets = array.offsets.to_numpy().astype(np.int64)
            starts = offsets[:-1:size]
            splits = np.zeros((len(starts), size + 1), np.int64)
            np.subtract(offsets[1:].reshape(-1, size), starts[:, None], out=splits[:, 1:])
            part[_start(column.name)], part[_splits(column.name)] = starts - offsets[0], splits
            parts[2][column.name] = element_values(array, column).reshape(-1, *column.inner_shape)
        else:
            values = element_values(array, column) if column.is_list else array.to_numpy()
            part[column.name] = values.reshape(-1, size, column.length or 1, *column.inner_shape)
    return parts


def element_values(array: pa.Array, column: LoaderColumn) -> np.ndarray[Any, Any]:
    """The numbers of a converted list column, one after the other."""
    elements = array.flatten()
    return (elements if column.vector is None else elements.flatten()).to_numpy(zero_copy_only=False)


def _with_lists(part: dict[str, Any], elements: dict[str, Any]) -> dict[str, Any]:
    """Replaces the start and splits of ragged columns by ragged tensors (B, None)."""
    tensors = {}
    for key, value in part.items():
        if key.startswith(_start("")):
            name = key.removeprefix(_start(""))
            splits = part[_splits(name)]
            values = elements[name][value : value + splits[-1]]
            tensors[name] = tf.RaggedTensor.from_row_splits(values, splits, validate=False)
        elif not key.startswith(_splits("")):
            tensors[key] = value
    return tensors


# Keys that cannot be column names: those do not begin with a control character.
def _start(name: str) -> str:
    return f"\x00start/{name}"


def _splits(name: str) -> str:
    return f"\x00splits/{name}"


#: A layer, or a function of `(features, targets)`, or of `(features, targets, sample_weight)` if there are weights.
Transform: TypeAlias = "keras.layers.Layer | Callable[..., Any]"


EXPECTED = "features by name, (features, targets), (features, targets, sample_weight), or a Prediction"


def as_transforms(argument: str, value: object) -> list[Transform]:
    """One or several transforms as a list; operators of Merlin's graphs are wrapped.

    Raises:
        ConfigError: if one of them is not callable.
    """
    transforms = [] if value is None else list(value) if isinstance(value, list | tuple) else [value]
    transforms = [TableOperator(each) if is_table_operator(each) else each for each in transforms]
    for transform in transforms:
        if not callable(transform):
            raise ConfigError(f"Loader: {argument}", expected="layers or functions", got=type(transform).__name__)
    return transforms


def transform_batches(dataset: tf.data.Dataset, transforms: Sequence[Transform]) -> tf.data.Dataset:
    """Applies transforms to batches, in a graph, one batch ahead.

    Raises:
        ConfigError: if a transform does not return a batch.
    """
    for transform in transforms:
        if isinstance(transform, keras.layers.Layer) and not transform.built:
            # Variables cannot be created inside `Dataset.map`.
            build_layer(transform, {name: tuple(spec.shape) for name, spec in dataset.element_spec[0].items()})
        # Sequential calls: a layer's random state is reproducible only that way.
        dataset = dataset.map(_as_function(transform))
    return dataset.prefetch(1) if transforms else dataset


def apply_transform(
    transform: Transform,
    features: Mapping[str, tf.Tensor] | None,
    targets: tf.Tensor | Mapping[str, tf.Tensor] | None,
    weights: tf.Tensor | Mapping[str, tf.Tensor] | None = None,
    *,
    name: str | None = None,
) -> tuple[Any, ...]:
    """Applies one transform to a batch; returns `(features, targets)` or `(features, targets, weights)`.

    Args:
        transform: The layer or function.
        features: Features by name.
        targets: Targets by name.
        weights: Sample weights, if an earlier transform returned some.
        name: Name of the transform, for errors. Default: its own.

    Raises:
        ConfigError: if it does not return a batch.
    """
    if isinstance(transform, keras.layers.Layer):
        # Noise and masks of a loader are meant to apply; evaluation uses a loader without them.
        result = call_layer(transform, features, targets=targets, features=features, training=True)
    else:
        result = transform(*_copies(features, targets, *([] if weights is None else [weights])))
    if isinstance(result, Prediction):
        changed = (result.outputs, result.targets, result.sample_weight)
        result = tuple(new if new is not None else old for new, old in zip(changed, (features, targets, weights)))  # noqa: B905
    if isinstance(result, dict):
        result = (result, targets, weights)
    if not isinstance(result, tuple) or len(result) not in (2, 3):
        name = name or getattr(transform, "name", None) or getattr(transform, "__name__", type(transform).__name__)
        raise ConfigError(
            f"Loader: the transform {name!r} must return a batch", expected=EXPECTED, got=type(result).__name__
        )
    batch = (*result, weights)[:3]
    return batch if batch[2] is not None else batch[:2]


def _copies(*batch: Any) -> list[Any]:
    """The parts of a batch, whose dictionaries a function may change."""
    return [dict(part) if isinstance(part, dict) else part for part in batch]


def transformed_schema(schema: Schema, transforms: Sequence[Transform]) -> Schema:
    """The schema of batches after the transforms.

    Raises:
        SchemaError: if a transform has no method `compute_output_schema`.
    """
    for transform in transforms:
        compute = getattr(transform, "compute_output_schema", None)
        if compute is None:
            name = getattr(transform, "__name__", type(transform).__name__)
            raise SchemaError(
                f"the schema after the transform {name!r} is unknown",
                fix="Add a method compute_output_schema(schema) to it.",
            )
        schema = compute(schema)
    return schema


def _as_function(transform: Transform) -> Callable[..., tuple[Any, ...]]:

    def on_copies(*batch: Any) -> Any:
        return transform(*_copies(*batch))

    # AutoGraph only for the user's functions, which can have an `if` on tensors: elsewhere it hides errors.
    traced = tf.function(on_copies) if inspect.isroutine(transform) else transform

    @tf.autograph.experimental.do_not_convert
    def run(*batch: Any) -> tuple[Any, ...]:
        return apply_transform(traced, *batch, name=getattr(transform, "__name__", None))

    return run


@dataclass(frozen=True)
class LoaderColumn:
    """One column of the batches.

    Args:
        name: Name in the data and in the batch.
        dtype: Type in the batch.
        stored: Type in the data.
        is_target: Whether it belongs to the targets.
        is_list: Whether a row holds a list.
        length: For a list: None gives ragged tensors, a number gives dense ones of that length.
        exact: Whether a list of another length than `length` is an error; otherwise it is truncated at the end or
            padded with zeros on the right.
        vector: For a list of lists, a list of vectors: D, the length of each vector, 0 until it is known. None for
            numbers and lists of numbers.
    """

    name: str
    dtype: np.dtype[Any]
    stored: np.dtype[Any]
    is_target: bool = False
    is_list: bool = False
    length: int | None = None
    exact: bool = False
    vector: int | None = None

    @property
    def inner_shape(self) -> tuple[int, ...]:
        """Shape of the elements of a list: (D,) for vectors, () for numbers."""
        return () if self.vector is None else (self.vector,)

    @property
    def is_ragged(self) -> bool:
        """Whether the batch holds a ragged tensor."""
        return self.is_list and self.length is None

    def as_stored(self) -> LoaderColumn:
        """The same column with the type that it has in the data."""
        return replace(self, dtype=self.stored)


def element_type(arrow_type: pa.DataType) -> tuple[pa.DataType, bool]:
    """The type of the elements of a list or dictionary type; for lists of lists that of the numbers in them.

    Returns:
        The type of one value, and whether the type is a list.
    """
    is_list = _is_list_type(arrow_type)
    value = arrow_type.value_type if is_list else arrow_type
    value = value.value_type if _is_list_type(value) else value
    return (value.value_type if pa.types.is_dictionary(value) else value), is_list


def _is_list_type(arrow_type: pa.DataType) -> bool:
    return bool(
        pa.types.is_list(arrow_type) or pa.types.is_large_list(arrow_type) or pa.types.is_fixed_size_list(arrow_type)
    )


def is_nested(arrow_type: pa.DataType | None) -> bool:
    """Whether a type is a list of lists."""
    return arrow_type is not None and _is_list_type(arrow_type) and _is_list_type(arrow_type.value_type)


def numpy_type(arrow_type: pa.DataType) -> np.dtype[Any] | None:
    """The NumPy type of one value, or None if it is neither a number nor a boolean."""
    value, _ = element_type(arrow_type)
    if pa.types.is_boolean(value) or pa.types.is_integer(value) or pa.types.is_floating(value):
        return np.dtype(value.to_pandas_dtype())
    return None


def expected_type(column: LoaderColumn, arrow_type: pa.DataType) -> str | None:
    """Checks whether a column can be converted from an Arrow type.

    Returns:
        None if the type fits, else the expected type, for an error message.
    """
    stored = numpy_type(arrow_type)
    _, is_list = element_type(arrow_type)
    kind = "floats or integers" if column.dtype.kind == "f" else "integers"
    expected = f"lists of {kind}" if column.is_list else kind
    expected = expected if column.vector is None else f"lists of {expected}"
    if stored is None or is_list != column.is_list or is_nested(arrow_type) != (column.vector is not None):
        return expected
    # Converting a float to an integer would silently drop its fraction.
    return expected if stored.kind == "f" and column.dtype.kind != "f" else None


FILL_NULLS = "Fill the nulls when the data is preprocessed."


def convert(batch: pa.RecordBatch, columns: Sequence[LoaderColumn], path: str, place: str) -> pa.RecordBatch:
    """Converts columns to the types of the tensors; without a copy if the types are equal.

    Args:
        batch: At least one row.
        columns: The columns of the result: numbers without nulls, lists of them, or lists of one length.
        path: File of the batch, for errors.
        place: Position in the file, for errors.

    Raises:
        DataError: if a column is missing, holds nulls, has an unsupported type, numbers out of range, or lists
            of a wrong length.
    """
    converted: dict[str, pa.Array] = {}
    for column in columns:
        position = batch.schema.get_field_index(column.name)
        if position < 0:
            raise missing_column(column.name, path, batch.schema.names)
        array = batch.column(position)
        expected = expected_type(column, array.type)
        if expected is not None:
            raise wrong_type(column.name, path, expected, array.type)
        try:
            converted[column.name] = _list_column(array, column) if column.is_list else _numbers(array, column.dtype)
        except _UnfitError as error:
            raise DataError(
                error.problem, path=path, column=column.name, expected=error.expected,
                got=f"{error.got} in {place}", fix=error.fix,
            ) from None  # fmt: skip
    return pa.RecordBatch.from_pydict(converted)


def missing_column(name: str, path: str, present: Sequence[str]) -> DataError:
    """The error for a column that is not in the data."""
    return DataError("the column is missing", path=path, column=name, expected=f"one of {', '.join(present)}")


def wrong_type(name: str, path: str, expected: str, arrow_type: pa.DataType) -> DataError:
    """The error for a column whose type cannot be converted."""
    return DataError("the type does not fit", path=path, column=name, expected=expected, got=str(arrow_type))


def null_values(name: str, path: str, count: int, place: str) -> DataError:
    """The error for a column with nulls."""
    return DataError(
        "the column has nulls", path=path, column=name, expected="a value in every row",
        got=f"{count} nulls in {place}", fix=FILL_NULLS,
    )  # fmt: skip


class _UnfitError(Exception):
    def __init__(self, problem: str, expected: str, got: str, fix: str | None = None) -> None:
        super().__init__(problem)
        self.problem, self.expected, self.got, self.fix = problem, expected, got, fix


def _numbers(array: pa.Array, dtype: np.dtype[Any], expected: str = "a value in every row") -> pa.Array:
    if array.null_count:
        raise _UnfitError("the column has nulls", expected, f"{array.null_count} nulls", FILL_NULLS)
    wanted = pa.from_numpy_dtype(dtype)
    if array.type == wanted:
        return array
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    try:
        # Only narrowing of integers is checked; floats may lose digits.
        return array.cast(wanted, safe=dtype.kind in "iu")
    except pa.ArrowInvalid as error:
        raise _UnfitError("a number is out of range", str(dtype), str(error)) from error


def _list_column(array: pa.Array, column: LoaderColumn) -> pa.Array:
    if array.null_count:
        expected = "a list, possibly an empty one, in every row"
        raise _UnfitError("the column has nulls", expected, f"{array.null_count} nulls", FILL_NULLS)
    lengths = pc.list_value_length(array).to_numpy().astype(np.int64)
    # `flatten` respects the offset of a sliced array; `values` does not.
    elements = _elements(array.flatten(), column)
    if column.length is None:
        offsets = np.zeros(len(array) + 1, np.int32)
        np.cumsum(lengths, out=offsets[1:])
        return pa.ListArray.from_arrays(pa.array(offsets), elements)
    wrong = np.flatnonzero(lengths != column.length)
    if len(wrong) and column.exact:
        got = f"one of {lengths[wrong[0]]}"
        raise _UnfitError("the lists differ in length", f"lists of {column.length}", got)
    if len(wrong):
        numbers = elements if column.vector is None else elements.flatten()
        numbers = numbers.to_numpy(zero_copy_only=False).reshape(-1, *column.inner_shape)
        elements = _vectors(_padded(numbers, lengths, column.length), column)
    return pa.FixedSizeListArray.from_arrays(elements, column.length)


def _elements(elements: pa.Array, column: LoaderColumn) -> pa.Array:
    """The elements of all lists: numbers, or vectors of one length."""
    expected = "a value at every position of every list"
    if column.vector is None:
        return _numbers(elements, column.dtype, expected)
    if elements.null_count:
        raise _UnfitError("the column has nulls", expected, f"{elements.null_count} nulls", FILL_NULLS)
    lengths = pc.list_value_length(elements).to_numpy(zero_copy_only=False)
    wrong = np.flatnonzero(lengths != column.vector)
    if len(wrong):
        got = f"one of {lengths[wrong[0]]}"
        raise _UnfitError("the vectors in the lists differ in length", f"vectors of {column.vector}", got)
    return _vectors(_numbers(elements.flatten(), column.dtype, expected), column)


def _vectors(numbers: pa.Array, column: LoaderColumn) -> pa.Array:
    return numbers if column.vector is None else pa.FixedSizeListArray.from_arrays(numbers, column.vector)


def _padded(elements: Any, lengths: Any, length: int) -> pa.Array:
    """Truncates lists at the end, or pads them with zeros on the right, to one length."""
    starts = np.cumsum(lengths) - lengths
    inside = np.arange(length) < np.minimum(lengths, length)[:, None]
    dense = np.zeros((*inside.shape, *elements.shape[1:]), elements.dtype)
    dense[inside] = elements[(starts[:, None] + np.arange(length))[inside]]
    return pa.array(dense.reshape(-1))


#: Tags that make a column a target.
TARGET_TAGS = (Tags.TARGET, Tags.BINARY_CLASSIFICATION, Tags.REGRESSION, Tags.MULTI_CLASS_CLASSIFICATION)


#: Tags of targets that are ids, which float32 represents exactly only up to 2**24.
ID_TAGS = (Tags.CATEGORICAL, Tags.MULTI_CLASS_CLASSIFICATION)


@dataclass(frozen=True)
class ColumnSelection:
    """The columns that a caller requests of a loader.

    Args:
        features: Names of the features; None for all columns that are neither targets nor tagged as targets.
        categorical: Of the features, those that must be integers.
        continuous: Of the features, those that are converted to float32 whatever their type is.
        targets: Names of the targets; None for the columns that the schema tags as targets.
        list_names: List columns that the next two apply to; None for all.
        list_length: Length to which lists are truncated or padded, for all or by name.
        as_dense: Whether lists are padded to `list_length`, or else to the maximum length in the schema.
    """

    features: Sequence[str] | None = None
    categorical: Sequence[str] = ()
    continuous: Sequence[str] = ()
    targets: Sequence[str] | None = None
    list_names: Sequence[str] | None = None
    list_length: int | Mapping[str, int] | None = None
    as_dense: bool = False

    def columns(self, schema: Schema, arrow_schema: pa.Schema) -> tuple[LoaderColumn, ...]:
        """The columns of the batches: features, then targets, each in the order of the schema.

        Args:
            schema: Names, tags, types and list lengths; an unknown type is taken from the data.
            arrow_schema: Types in the data.

        Raises:
            SchemaError: if a name is not in the schema.
            ConfigError: if the arguments contradict each other or the schema.
        """
        chosen = set(self.features or ())
        tagged = [column.name for column in schema if any(tag in column.tags for tag in TARGET_TAGS)]
        if self.targets is None:
            targets = [name for name in tagged if name not in chosen]
        else:
            targets = list(dict.fromkeys(self.targets))
        # A target that was not requested is no feature either: it would leak the label.
        features = [name for name in schema.column_names if name not in {*targets, *tagged}]
        if self.features is not None:
            features = [name for name in schema.column_names if name in chosen]
        for name in (*(self.features or ()), *targets):
            if name not in schema.column_names:
                raise SchemaError("the column is not in the schema", column=name,
                                  expected=f"one of {', '.join(schema.column_names)}")  # fmt: skip
        both = sorted(set(features) & set(targets))
        if both:
            raise ConfigError(f"a column is requested as a feature and as a target: {', '.join(both)}")
        if not features:
            raise ConfigError("no feature column is left; request some, or remove them from label_names")
        selected = [self._column(schema[name], arrow_schema, False) for name in features]
        return tuple(selected + [self._column(schema[name], arrow_schema, True) for name in targets])

    def _column(self, column: ColumnSchema, arrow_schema: pa.Schema, is_target: bool) -> LoaderColumn:
        position = arrow_schema.get_field_index(column.name)
        arrow_type = arrow_schema.field(position).type if position >= 0 else None
        stored = numpy_type(arrow_type) if arrow_type is not None else None
        declared = _declared_type(column) or stored or np.dtype(np.int64)
        is_list = bool(column.is_list) or (_declared_type(column) is None and _is_list(arrow_type))
        length, exact = self._length(column, is_list)
        return LoaderColumn(
            name=column.name, dtype=self._type(column, declared, is_target), stored=stored or declared,
            is_target=is_target, is_list=is_list, length=length, exact=exact,
            vector=_vector_size(column, arrow_type),
        )  # fmt: skip

    def _type(self, column: ColumnSchema, declared: np.dtype[Any], is_target: bool) -> np.dtype[Any]:
        if column.name in self.categorical and declared.kind == "f":
            raise ConfigError(f"cat_names has {column.name!r}, which is {declared}; expected integers")
        ids = declared.kind != "f" and any(tag in column.tags for tag in ID_TAGS)
        if declared.kind == "f" or column.name in self.continuous or (is_target and not ids):
            return np.dtype(np.float32)
        return np.dtype(np.int32) if declared == np.int32 else np.dtype(np.int64)

    def _length(self, column: ColumnSchema, is_list: bool) -> tuple[int | None, bool]:
        """Length of the dense lists (None if ragged), and whether lists of another length are an error."""
        if not is_list:
            return None, False
        count = column.value_count
        longest = int(count.max) if count is not None and count.max else None
        fixed = longest is not None and count.min == count.max
        if self.list_names is None or column.name in self.list_names:
            length = self.list_length.get(column.name) if isinstance(self.list_length, Mapping) else self.list_length
            if length is not None:
                return length, False
            if self.as_dense and longest is None:
                raise ConfigError(
                    f"sparse_as_dense=True needs a length for {column.name!r}; pass it in sparse_max, or set the"
                    " maximum of value_count in the schema"
                )
            if self.as_dense:
                return longest, fixed
        return (longest, True) if fixed else (None, False)


def _vector_size(column: ColumnSchema, arrow_type: pa.DataType | None) -> int | None:
    """The length of the vectors of a list of lists; 0 if neither the schema nor the type says it."""
    if not is_nested(arrow_type) or arrow_type is None:
        return None
    if pa.types.is_fixed_size_list(arrow_type.value_type):
        return int(arrow_type.value_type.list_size)
    inner = (column.shape.dims or ())[2:]
    return int(inner[0].max) if inner and inner[0].max and inner[0].min == inner[0].max else 0


def schema_from_arrow(arrow_schema: pa.Schema) -> Schema:
    """A schema without tags, with the names and types of the data; types other than numbers stay unknown."""
    return Schema([
        ColumnSchema(field.name, dtype=numpy_type(field.type), is_list=_is_list(field.type), is_ragged=_ragged(field))
        for field in arrow_schema
    ])  # fmt: skip


def _ragged(field: pa.Field) -> bool | None:
    return True if _is_list(field.type) else None


def _is_list(arrow_type: pa.DataType | None) -> bool:
    return arrow_type is not None and element_type(arrow_type)[1]


def _declared_type(column: ColumnSchema) -> np.dtype[Any] | None:
    if not (column.dtype.is_integer or column.dtype.is_float):
        return None
    return np.dtype(column.dtype.to_numpy)
