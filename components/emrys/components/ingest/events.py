"""The events of a log: columns of the data schema and targets, in the order of time, without rows that do not count."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from emrys.blocks.errors import DataError
from emrys.components.contracts.data_schema import TIME_UNITS, DataColumn, DataSchema, Role, Target, TargetKind
from emrys.components.ingest.columns import convert_column
from emrys.components.ingest.targets import make_target, number_classes
from emrys.components.recipe.contradictions import seconds_of, target_columns
from emrys.components.recipe.recipe import Recipe

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclasses.dataclass(frozen=True)
class Events:
    """Rows of a log, in the order of time.

    Attributes:
        table: Raw columns, converted; targets; and further columns that histories are made of.
        schema: The data schema, with the classes of the whole log.
        origin: (R,) number of each event in the source.
        dropped: Number of rows that were left out, by reason.
    """

    table: pa.Table
    schema: DataSchema
    origin: Ints
    dropped: Mapping[str, int]

    def codes(self, name: str) -> Ints:
        """A number for each distinct value of a column."""
        return codes(self.table[name])

    @property
    def time(self) -> Ints | None:
        """Time of each event; None if there is none."""
        return None if self.schema.time is None else np.asarray(self.table[self.schema.time].to_numpy(), np.int64)

    @property
    def user(self) -> Ints | None:
        """Number of the user of each event; of the session if there are no users; None if there are no sessions."""
        name = self.schema.user_id or self.schema.session_id
        return None if name is None else self.codes(name)

    @property
    def positive(self) -> Bools:
        """Whether the first binary target of each event is positive; all events are without one."""
        name = first_binary(self.schema)
        return np.ones(self.table.num_rows, bool) if name is None else self.table[name].to_numpy() == 1


def codes(values: pa.ChunkedArray) -> Ints:
    """A number for each distinct value."""
    encoded = values.combine_chunks().dictionary_encode(null_encoding="encode")
    return np.asarray(encoded.indices.to_numpy(zero_copy_only=False), np.int64)


def first_binary(schema: DataSchema) -> str | None:
    """Name of the first binary target, or None."""
    return next((target.name for target in schema.targets if target.kind is TargetKind.BINARY), None)


def is_derived(column: DataColumn) -> bool:
    """Whether a column is made of the user's events before."""
    return bool(column.history_of or column.difference_of)


def source_columns(schema: DataSchema, recipe: Recipe) -> tuple[str, ...]:
    """Columns of the source that the splits are made of."""
    raw = (column.name for column in schema.columns if not is_derived(column))
    of = (column.history_of or column.difference_of for column in schema.columns if is_derived(column))
    targets = target_columns(recipe.columns)
    made = (targets[target.name].source for target in schema.targets if target.name in targets)
    split = [recipe.split.column] if recipe.split.by == "column" else []
    return tuple(dict.fromkeys([*raw, *of, *made, *split]))


def make_events(log: pa.Table, recipe: Recipe, schema: DataSchema, path: str) -> Events:
    """Converts the rows of a log, makes their targets, and drops the rows that do not count.

    Args:
        log: The rows, with `source_columns`.
        recipe: The recipe.
        schema: The data schema.
        path: Path of the log, for messages.

    Raises:
        DataError: if values do not fit, are missing, or no row is left.
    """
    columns = {column.name: convert_column(log[column.name], column, path) for column in _read(schema)}
    made = target_columns(recipe.columns)
    targets = {
        target.name: make_target(log[made[target.name].source], target.name, made[target.name], path)
        if target.name in made
        else pa.chunked_array([pa.repeat(pa.scalar(1, pa.int8()), log.num_rows)])  # positives alone, before negatives
        for target in schema.targets
    }
    _check_weights(columns, schema, path)
    required = [column.name for column in schema.columns if column.required and not is_derived(column)]
    kept = np.ones(log.num_rows, bool)
    dropped = {}
    for name in (*required, *targets):
        nulls = (columns[name] if name in columns else targets[name]).is_null().to_numpy(zero_copy_only=False)
        if nulls.any() and recipe.columns.nulls == "refuse":
            source = made[name].source if name in made else name
            raise DataError(
                "values are missing" if name not in made else f"values of the target {name} are missing",
                path=path,
                column=source,
                expected="a value in every row",
                got=f"{int(nulls.sum())} nulls in {log.num_rows} rows",
                fix="Set columns.nulls to drop, or correct the rows.",
            )
        kept &= ~nulls
    dropped["null"] = int((~kept).sum())
    time = columns[schema.time].fill_null(0).to_numpy() if schema.time else None
    if recipe.split.label_window:
        young = kept & _too_young(time, kept, recipe.split.label_window, schema, path)
        dropped["label_window"] = int(young.sum())
        kept &= ~young
        _check_left(kept, path, "no event is older than the label window", "Shorten split.label_window.")
    _check_left(kept, path, "no row is left", "Correct the rows with nulls, or leave their columns out of the recipe.")
    if recipe.split.min_events > 1:
        few = kept & _of_few(columns, kept, recipe, schema, path)
        dropped["min_events"] = int(few.sum())
        kept &= ~few
        least = recipe.split.min_events
        _check_left(kept, path, f"no user has {least} events", "Lower split.min_events.")
    origin = np.flatnonzero(kept)
    if time is not None:
        origin = origin[np.argsort(time[origin], kind="stable")]
    schema = _with_classes(schema, {name: targets[name].filter(pa.array(kept)) for name in targets}, path)
    values = {target.name: number_classes(targets[target.name], target.classes) if target.classes
              else targets[target.name] for target in schema.targets}  # fmt: skip
    table = pa.table({**columns, **values}).take(pa.array(origin))
    return Events(table, schema, origin, {reason: count for reason, count in dropped.items() if count})


def _read(schema: DataSchema) -> Sequence[DataColumn]:
    """The columns that are converted: raw ones, and those that histories and differences are made of."""
    raw = [column for column in schema.columns if not is_derived(column)]
    known = {column.name for column in raw} | {target.name for target in schema.targets}
    for column in schema.columns:
        of = column.history_of or column.difference_of
        if of and of not in known:
            raw.append(DataColumn(of, column.dtype, Role.CONTEXT))
            known.add(of)
    return raw


def _check_weights(columns: Mapping[str, pa.ChunkedArray], schema: DataSchema, path: str) -> None:
    if schema.weight is None:
        return
    least = pc.min(columns[schema.weight]).as_py()
    finite = pc.all(pc.is_finite(columns[schema.weight].cast(pa.float64())), min_count=0).as_py()
    if (least is not None and least < 0) or not finite:
        raise DataError(
            "a weight cannot be used",
            path=path,
            column=schema.weight,
            expected="finite numbers of at least 0",
            got=str(least),
            fix="Correct the weights, or remove columns.weight.",
        )


def _too_young(time: Ints | None, kept: Bools, window: str, schema: DataSchema, path: str) -> Bools:
    """Events whose label may still arrive: those within the window before the last event."""
    seconds = seconds_of(window)
    if time is None or schema.time is None or seconds is None:
        raise DataError(
            "split.label_window needs a time of the events", path=path, fix="Name it in columns.time, or remove it."
        )
    ticks = seconds * TIME_UNITS[schema.column(schema.time).unit or "s"]
    last = time[kept].max(initial=0)
    young: Bools = time > last - ticks
    return young


def _of_few(
    columns: Mapping[str, pa.ChunkedArray], kept: Bools, recipe: Recipe, schema: DataSchema, path: str
) -> Bools:
    """Events of users, or of sessions in a log without users, that have too few of them."""
    name = schema.user_id or schema.session_id
    if name is None:
        fix = "Name a column in columns.user_id or columns.session_id, or remove split.min_events."
        raise DataError("split.min_events needs users or sessions", path=path, fix=fix)
    numbers = codes(columns[name])
    counts = np.bincount(numbers[kept], minlength=numbers.max(initial=0) + 1)
    few: Bools = counts[numbers] < recipe.split.min_events
    return few


def _check_left(kept: Bools, path: str, problem: str, fix: str) -> None:
    if not kept.any():
        raise DataError(problem, path=path, expected="at least one row", got=f"none of {len(kept)}", fix=fix)


def _with_classes(schema: DataSchema, values: Mapping[str, pa.ChunkedArray], path: str) -> DataSchema:
    """The schema with the classes of each target, sorted."""
    targets: list[Target] = []
    for target in schema.targets:
        if target.kind is TargetKind.CLASSES:
            found = tuple(sorted(pc.unique(values[target.name]).to_pylist()))
            if len(found) > 1000:
                raise DataError(
                    "the target has too many classes", path=path, column=target.name, expected="at most 1,000",
                    got=f"{len(found):,}", fix="Predict it as the item of a retrieval model, or say kind: regression.",
                )  # fmt: skip
            target = dataclasses.replace(target, classes=found)
        targets.append(target)
    return dataclasses.replace(schema, targets=tuple(targets))
