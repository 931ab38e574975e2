"""Hashed crosses of categorical features, and the hash of TensorFlow that they use."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Unpack

import keras
import numpy as np
import tensorflow as tf
from merlin.schema import Schema

from emrys.blocks.core.block import block_registry
from emrys.blocks.core.calling import Shape
from emrys.blocks.core.parallel import ParallelBlock
from emrys.blocks.core.serializing import to_config
from emrys.blocks.core.tabular import LayersAroundArguments, TabularBlock
from emrys.blocks.errors import ConfigError, SchemaError
from emrys.blocks.schema.functions import column_cardinality
from emrys.blocks.transforms.one_hot import multi_hot, one_hot

_MODES = ("one_hot", "multi_hot", "int")


@block_registry.register("hashed_cross")
@keras.saving.register_keras_serializable("emrys")
class HashedCross(TabularBlock):
    """Crosses columns: every combination of their values is hashed to a bin, `hash(v_1, …, v_F) mod num_bins`.

    The bins depend only on the values and the order of the columns in the schema, so that they are the same in a saved
    model. For lists every combination of their elements is crossed.

    Args:
        schema: The columns, two or more, hashed in this order.
        num_bins: Number of bins; required unless `infer_num_bins` is True. Default: None.
        sparse: Whether vectors are `tf.SparseTensor`s. Default: False.
        output_mode: `"one_hot"`: a 1 at the bin of each combination. `"multi_hot"`: for lists, one vector with a 1 at
            the bin of every combination. `"int"`: the bins themselves. Default: `"one_hot"`.
        output_name: Name of the result. Default: `cross_<column>_<column>…`, in alphabetical order.
        infer_num_bins: Whether, without `num_bins`, the number of bins is that of the combinations. Default: False.
        max_num_bins: Maximum of the inferred number of bins. Default: 100000.
        is_input: See `TabularBlock`. Default: True.
        **kwargs: The other arguments of `TabularBlock`, such as `aggregation`.

    Input shape:
        Dictionary by column name: ids or strings, (B, 1), lists (B, L) or (B, L, 1), or, except in mode `"one_hot"`,
        ragged lists.

    Output shape:
        Dictionary with one tensor. `"one_hot"`: (B, num_bins), for lists (B, combinations, num_bins). `"multi_hot"`:
        (B, num_bins). `"int"`: (B, combinations), int64.

    Raises:
        SchemaError: if there are fewer than two columns, or bins are inferred and a column has no domain; when called,
            if a column is missing.
        ConfigError: if the number of bins or the mode is unknown.

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> from merlin.schema import Schema
        >>> schema = Schema([mm.create_categorical_column("country", 20), mm.create_categorical_column("genre", 20)])
        >>> cross = mm.HashedCross(schema, num_bins=1000, output_mode="int")
        >>> cross({"country": np.array([[1]]), "genre": np.array([[2]])})["cross_country_genre"].numpy().tolist()
        [[357]]
    """

    def __init__(
        self,
        schema: Schema,
        num_bins: int | None = None,
        sparse: bool = False,
        output_mode: str = "one_hot",
        output_name: str | None = None,
        infer_num_bins: bool = False,
        max_num_bins: int = 100000,
        is_input: bool = True,
        **kwargs: Unpack[LayersAroundArguments],
    ) -> None:
        super().__init__(is_input=is_input, **kwargs)
        if output_mode not in _MODES:
            raise ConfigError(
                "HashedCross: output_mode", expected=f"one of {', '.join(map(repr, _MODES))}", got=repr(output_mode)
            )
        if len(schema) < 2:
            raise SchemaError(
                "HashedCross has too few columns",
                expected="two or more",
                got=", ".join(schema.column_names) or "none",
            )
        if num_bins is None and infer_num_bins:
            num_bins = min(math.prod(self._cardinalities(schema)), max_num_bins)
        if not isinstance(num_bins, int) or num_bins < 1:
            raise ConfigError(
                "HashedCross: num_bins",
                expected="a whole number above 0",
                got=repr(num_bins),
                fix="Set num_bins= or infer_num_bins=True.",
            )
        self.num_bins = num_bins
        self.sparse = sparse
        self.output_mode = output_mode
        self.output_name = output_name or f"cross_{'_'.join(sorted(schema.column_names))}"
        self._columns = schema

    def _cardinalities(self, schema: Schema) -> list[int]:
        sizes = {column.name: column_cardinality(column) for column in schema}
        unknown = [name for name, size in sizes.items() if size is None]
        if unknown:
            raise SchemaError(
                "HashedCross cannot infer the number of bins",
                column=unknown[0],
                expected="a domain with a maximum",
                fix="Set num_bins=.",
            )
        return [size for size in sizes.values() if size is not None]

    @property
    def schema(self) -> Schema:
        """The columns that are crossed."""
        return self._columns

    def transform(self, inputs: tf.Tensor | Mapping[str, tf.Tensor], **kwargs: object) -> dict[str, Any]:
        """Crosses the columns."""
        self._check_names(inputs)
        values = [_as_lists(inputs[name]) for name in self._columns.column_names]
        if any(isinstance(value, tf.RaggedTensor) for value in values):
            return {self.output_name: self._cross_ragged(values)}
        bins = hashed_bins(_combinations(values), self.num_bins)
        if self.output_mode == "int":
            return {self.output_name: bins}
        if self.output_mode == "multi_hot":
            batch, length = tf.shape(bins, "int64")[0], tf.shape(bins, "int64")[1]
            rows = tf.range(batch * length) // length
            return {self.output_name: self._multi_hot(rows, tf.reshape(bins, (-1,)), batch)}
        single = bins.shape[1] == 1
        vectors = one_hot(bins[:, 0] if single else bins, self.num_bins, self.sparse, self.compute_dtype)
        return {self.output_name: vectors}

    def _cross_ragged(self, values: list[Any]) -> Any:
        lists = [
            value if isinstance(value, tf.RaggedTensor) else tf.RaggedTensor.from_tensor(value) for value in values
        ]
        bins = tf.ragged.cross_hashed([_int64(value) for value in lists], num_buckets=self.num_bins)
        if self.output_mode == "int":
            return bins
        if self.output_mode == "multi_hot":
            return self._multi_hot(tf.cast(bins.value_rowids(), "int64"), bins.values, bins.nrows())
        raise ConfigError(
            f"{self.name}: ragged lists cannot be one-hot", got="a ragged tensor", fix="Use output_mode='multi_hot'."
        )

    def _multi_hot(self, rows: Any, bins: Any, batch: Any) -> Any:
        ones = tf.ones_like(bins, self.compute_dtype)
        return multi_hot(rows, bins, ones, batch, self.num_bins, count=False, sparse=self.sparse)

    def _check_names(self, inputs: Any) -> None:
        names = list(inputs) if isinstance(inputs, dict) else []
        missing = [name for name in self._columns.column_names if name not in names]
        if missing:
            raise SchemaError(
                f"{self.name}: a feature is missing",
                column=missing[0],
                expected="it in the batch",
                got=", ".join(names) or "no features by name",
            )

    def transform_shape(self, shape: Shape) -> Shape:
        """Shape of the crosses, by their name."""
        self._check_names(shape)
        each = [shape[name] for name in self._columns.column_names]
        lengths = [sizes[1] if len(sizes) > 1 else 1 for sizes in each]
        combinations = None if None in lengths else math.prod(lengths)
        if self.output_mode == "int":
            return {self.output_name: (each[0][0], combinations)}
        if self.output_mode == "multi_hot" or combinations == 1:
            return {self.output_name: (each[0][0], self.num_bins)}
        return {self.output_name: (each[0][0], combinations, self.num_bins)}

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "schema": to_config(self._columns),
            "num_bins": self.num_bins,
            "sparse": self.sparse,
            "output_mode": self.output_mode,
            "output_name": self.output_name,
        }


def _as_lists(value: Any) -> Any:
    """A column as (B, L)."""
    if len(value.shape) > 2:
        return tf.squeeze(value, axis=2)
    return value[:, tf.newaxis] if len(value.shape) == 1 else value


def _int64(value: Any) -> Any:
    return value if value.dtype == tf.string else tf.cast(value, "int64")


def _combinations(values: list[Any]) -> list[Any]:
    """All combinations of the elements of lists (B, L_f): one (B, product of all L_f) per column.

    The last column varies fastest.
    """
    if all(value.shape[1] == 1 for value in values):
        return values
    batch = tf.shape(values[0])[0]
    lengths = [value.shape[1] or tf.shape(value)[1] for value in values]
    expanded = []
    for axis, value in enumerate(values):
        shape = [1] * len(values)
        shape[axis] = lengths[axis]
        full = tf.broadcast_to(tf.reshape(value, [batch, *shape]), [batch, *lengths])
        expanded.append(tf.reshape(full, [batch, math.prod(lengths)]))
    return expanded


_START = np.uint64(0xDECAFCAFFE)
_FACTOR = np.uint64(0xC6A4A7935BD1E995)
_SHIFT = np.uint64(47)


def hashed_bins(values: list[tf.Tensor], num_bins: int) -> Any:
    """The bin of each combination, equal to that of `tf.sparse.cross_hashed` with its default key.

    That operation neither runs on a GPU nor compiles with XLA.

    Args:
        values: One tensor per column, all of one shape, in the order of hashing: integers, or strings, which are
            replaced by their 64-bit FarmHash fingerprint.
        num_bins: Number of bins.

    Returns:
        int64, of the same shape, from 0 to `num_bins` - 1.
    """
    factor = tf.constant(_FACTOR)
    state = tf.fill(tf.shape(values[0]), tf.constant(_START))
    for value in values:
        mixed = _fold(_unsigned(value) * factor) * factor
        state = tf.bitwise.bitwise_xor(tf.bitwise.bitwise_xor(state, factor), mixed)
        state = _fold(_fold(state * factor) * factor)
    return _modulo(state, num_bins)


def _fold(numbers: Any) -> Any:
    return tf.bitwise.bitwise_xor(numbers, tf.bitwise.right_shift(numbers, tf.constant(_SHIFT)))


def _modulo(numbers: Any, divisor: int) -> Any:
    # Not every device divides unsigned numbers: the upper 63 bits and the last one are divided separately.
    upper = tf.cast(tf.bitwise.right_shift(numbers, tf.constant(1, tf.uint64)), "int64")
    last = tf.cast(tf.bitwise.bitwise_and(numbers, tf.constant(1, tf.uint64)), "int64")
    return ((upper % divisor) * 2 + last) % divisor


def _unsigned(values: Any) -> Any:
    if values.dtype != tf.string:
        return tf.bitcast(tf.cast(values, "int64"), tf.uint64)
    prints = tf.fingerprint(tf.reshape(values, (-1,)))
    return tf.reshape(tf.bitcast(prints, tf.uint64), tf.shape(values))


def HashedCrossAll(  # noqa: N802 - named like a class, as in Merlin Models
    schema: Schema,
    num_bins: int | None = None,
    infer_num_bins: bool = False,
    max_num_bins: int = 100000,
    max_level: int = 2,
    sparse: bool = False,
    output_mode: str = "one_hot",
    ignore_combinations: Iterable[Sequence[str]] | None = None,
) -> ParallelBlock:
    """Creates a `HashedCross` of every pair of columns, and with `max_level` 3 of every triple.

    Args:
        schema: The columns. Each cross hashes its columns in this order.
        num_bins: Number of bins of each cross; required unless `infer_num_bins` is True. Default: None.
        infer_num_bins: Whether, without `num_bins`, a cross has as many bins as combinations. Default: False.
        max_num_bins: Maximum of the inferred number of bins. Default: 100000.
        max_level: Maximum number of columns of a cross, 2 or 3. Default: 2.
        sparse: See `HashedCross`. Default: False.
        output_mode: See `HashedCross`. Default: `"one_hot"`.
        ignore_combinations: Sets of columns that are not crossed; their order does not matter. Default: none.

    Returns:
        A block of the crosses by name.

    Raises:
        ConfigError: if `max_level` is neither 2 nor 3, or a combination has an unknown column.
        SchemaError: if there are no combinations to cross.

    Example:
        >>> import emrys.blocks as mm
        >>> from merlin.schema import Schema
        >>> schema = Schema([mm.create_categorical_column(name, 9) for name in ("a", "b", "c")])
        >>> list(mm.HashedCrossAll(schema, num_bins=50, ignore_combinations=[["c", "a"]]).parallel_dict)
        ['cross_a_b', 'cross_b_c']
    """
    if max_level not in (2, 3):
        raise ConfigError("HashedCrossAll: max_level", expected="2 or 3", got=repr(max_level))
    ignored = {frozenset(combination) for combination in ignore_combinations or ()}
    unknown = sorted(set().union(*ignored) - set(schema.column_names))
    if unknown:
        raise ConfigError(
            "HashedCrossAll: ignore_combinations",
            column=unknown[0],
            expected=f"columns of {', '.join(schema.column_names)}",
        )
    crosses: dict[str, HashedCross] = {}
    for level in range(2, max_level + 1):
        for names in itertools.combinations(schema.column_names, level):
            if frozenset(names) not in ignored:
                cross = HashedCross(
                    Schema([schema[name] for name in names]),
                    num_bins=num_bins,
                    sparse=sparse,
                    output_mode=output_mode,
                    infer_num_bins=infer_num_bins,
                    max_num_bins=max_num_bins,
                )
                crosses[cross.output_name] = cross
    if not crosses:
        raise SchemaError(
            "HashedCrossAll has no columns to cross",
            expected="two columns or more",
            got=", ".join(schema.column_names) or "an empty schema",
        )
    return ParallelBlock(crosses, is_input=True)
