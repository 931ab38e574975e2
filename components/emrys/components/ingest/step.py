"""Reads a log by its recipe, makes targets, splits, negatives and histories, checks the rows, and writes the splits."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from emrys.blocks.errors import ConfigError, DataError
from emrys.components.contracts.data_schema import DataSchema, Role, TargetKind
from emrys.components.contracts.splits import SPLITS, Splits
from emrys.components.evaluation.weighted_metrics import auc
from emrys.components.events import emit, step_events
from emrys.components.ingest import checks
from emrys.components.ingest.columns import convert_column
from emrys.components.ingest.config import IngestConfig, SplitMethod
from emrys.components.ingest.content import fingerprint
from emrys.components.ingest.events import Events, codes, first_binary, make_events, source_columns
from emrys.components.ingest.history import EventOrder, Histories
from emrys.components.ingest.negatives import draw_negatives
from emrys.components.ingest.split_table import SplitTable
from emrys.components.ingest.splitting import (
    split_at_random,
    split_by_column,
    split_by_time,
    split_groups_at_random,
    split_groups_in_order,
    split_last_per_user,
    split_per_user,
)
from emrys.components.recipe.builtin import NAMES, recipe_for
from emrys.components.recipe.evaluation import query_unit, task_of
from emrys.components.recipe.recipe import History, Recipe, Split
from emrys.components.recipe.resolve import resolve
from emrys.components.recipe.splits import split_of
from emrys.components.sources.joined_log import JoinedLog
from emrys.components.sources.source import Source

__all__ = ["IngestConfig", "SplitMethod", "run"]

Ints = npt.NDArray[np.int64]

STEP = "ingest"
#: Rows from which the roles and types of the columns are found.
HEAD_ROWS = 10_000


def run(config: IngestConfig, output: str | os.PathLike[str]) -> Splits:
    """Reads a log and writes its splits.

    Args:
        config: Settings.
        output: Folder of the artifact, which is written atomically.

    Returns:
        The artifact.

    Raises:
        DataError: if the data do not exist or cannot be used.
        RecipeError: if the recipe does not fit the data.
        EmrysError: if the data cannot be downloaded, or the disk is full.
    """
    with step_events(STEP):
        recipe = effective_recipe(config)
        path = "; ".join(recipe.data.path) if isinstance(recipe.data.path, tuple) else recipe.data.path
        emit(STEP, "progress", done=0, total=3, text=f"reading {path}")
        log = JoinedLog(recipe, config.seed)
        if config.recipe is None and config.dataset not in NAMES:
            recipe = _without_missing(recipe, log.source.schema.names)
        table, schema = _read(log, recipe)
        events = make_events(table, recipe, schema, path)
        split = split_of(recipe, schema)
        if _is_given(config, recipe, log.source):
            emit(STEP, "message", text="the data set is already split into train, valid and test")
            split = split.model_copy(update={"by": "given"})
        emit(STEP, "progress", done=1, total=3, text=f"splitting {events.table.num_rows:,} rows")
        for name in log.skipped:
            emit(STEP, "message", text=f"skipping a file without rows: {name}")
        if events.schema.unused:
            emit(STEP, "message", text=f"unused columns: {', '.join(events.schema.unused)}")
        part = _parts(split, events, config.seed, table, log.source, path)
        made = _made_splits(events, part, recipe, config.seed, log)
        _check(made, recipe, split, config, path)
        emit(STEP, "progress", done=2, total=3, text="writing train, valid and test")
        metadata = _metadata(config, recipe, split, made, events, log)
        blocks = {name: split.blocks() for name, split in made.splits.items()}
        splits = Splits.write(output, blocks, metadata, made.schema, _catalogue(log, made.schema))
        emit(STEP, "progress", done=3, total=3, text=_summary(splits))
    return splits


def effective_recipe(config: IngestConfig) -> Recipe:
    """The recipe of a configuration, with the settings that override it."""
    recipe = config.recipe or recipe_for(config.dataset, "ranking")
    by = config.split or (SplitMethod.TIME if config.recipe is None else None)
    split = {"by": by and by.value, "valid": config.valid_fraction, "test": config.test_fraction}
    data = {"rows": config.synthetic_rows, "cache_dir": config.cache_dir or None}
    features = dict(recipe.features or {})
    if config.history:
        own = {name: each for name, each in features.items() if isinstance(each, History)}
        own = own or {"history": History(history_of=recipe.columns.item_id)}
        features |= {name: each.model_copy(update={"length": config.history}) for name, each in own.items()}
    return recipe.model_copy(
        update={
            "data": recipe.data.model_copy(update=_said(data)),
            "split": recipe.split.model_copy(update=_said(split)),
            "features": features if config.history else recipe.features,
        }
    )


def _said(settings: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in settings.items() if value is not None}


def _without_missing(recipe: Recipe, names: Sequence[str]) -> Recipe:
    """The recipe of MovieLens for files with some of its columns; the target is made anew even if it is there."""
    fitting = recipe_for(str(recipe.data.path), "ranking", names)
    made = tuple(name for name in recipe.columns.targets if name in names)
    columns = fitting.columns.model_copy(update={"ignore": made})
    histories = {name: each for name, each in (recipe.features or {}).items() if isinstance(each, History)}
    return recipe.model_copy(update={"columns": columns, "features": {**(fitting.features or {}), **histories}})


@dataclasses.dataclass(frozen=True)
class _MadeSplits:
    """The splits and their schema.

    Attributes:
        splits: Rows of each split.
        schema: The data schema, with the target and the number of negatives.
        events: (R,) event of each row, by split.
        missing: Number of negatives that could not be drawn, of users that have nearly all items.
    """

    splits: Mapping[str, SplitTable]
    schema: DataSchema
    events: Mapping[str, Ints]
    missing: int = 0

    @property
    def tables(self) -> dict[str, pa.Table]:
        """Table of each split, without histories."""
        return {name: split.table for name, split in self.splits.items()}


def _read(log: JoinedLog, recipe: Recipe) -> tuple[pa.Table, DataSchema]:
    """Reads the columns that are used, and resolves the recipe.

    The types of text files may differ from those of their first rows; then it is resolved again.
    """
    head = log.head(HEAD_ROWS)
    schema = resolve(recipe, head, log.table_columns).checked()
    names = [name for name in source_columns(schema, recipe) if name in head.column_names]
    time = schema.time
    table = log.read(names, time or "", schema.column(time).unit if time else "")
    changed = [name for name in names if table.schema.field(name).type != head.schema.field(name).type]
    for name in changed:
        head = head.set_column(head.column_names.index(name), name, table[name].slice(0, head.num_rows))
    if changed:
        schema = resolve(recipe, head, log.table_columns).checked()
    return table, _with_wide_ids(schema, table)


def _with_wide_ids(schema: DataSchema, table: pa.Table) -> DataSchema:
    """The schema with texts for unsigned integers that int64 does not hold."""
    wide = {
        column.name
        for column in schema.columns
        if column.name in table.column_names
        and pa.types.is_uint64(table.schema.field(column.name).type)
        and column.dtype == "int64"
        and (pc.max(table[column.name]).as_py() or 0) >= 2**63
    }
    return dataclasses.replace(
        schema,
        columns=tuple(
            dataclasses.replace(column, dtype="string") if {column.name, column.history_of} & wide else column
            for column in schema.columns
        ),
    )


def _is_given(config: IngestConfig, recipe: Recipe, source: Source) -> bool:
    """Whether the files of the source say the split by their names, and nothing else is asked for."""
    names = sorted(part.name for part in source.parts)
    return names == sorted(SPLITS) and (recipe.split.by is None or config.recipe is None)


def _parts(split: Split, events: Events, seed: int, log: pa.Table, source: Source, path: str) -> Ints:
    """Part (0, 1 or 2 for train, valid and test) of each event."""
    method, schema = split.by, events.schema
    if method == "time":
        time = events.time
        if time is None:
            raise _needs(split, "time", path)
        return split_by_time(time, split)
    if method in ("per_user", "last_per_user", "random_user"):
        if schema.user_id is None:
            raise _needs(split, "user_id", path)
        user = events.codes(schema.user_id)
        if method == "random_user":
            return split_groups_at_random(user, split, seed)
        return split_per_user(user, split) if method == "per_user" else split_last_per_user(user, split)
    if method == "session":
        if schema.session_id is None:
            raise _needs(split, "session_id", path)
        return split_groups_in_order(events.codes(schema.session_id), split)
    if method == "column":
        return split_by_column(log[split.column].take(pa.array(events.origin)), split.column, path)
    if method == "given":
        return _given(source, path)[events.origin]
    return split_at_random(events.table.num_rows, split, seed)


def _given(source: Source, path: str) -> Ints:
    """Part of each row of the source by the name of its file."""
    names = [part.name for part in source.parts]
    wrong = [name for name in names if name not in SPLITS]
    if wrong or set(names) != set(SPLITS):
        raise DataError(
            "the files do not say their split",
            path=path,
            expected="files named train, valid and test",
            got=", ".join(names[:5]) or "no files",
            fix="Rename them, or choose another method in split.by.",
        )
    return np.repeat([SPLITS.index(part.name) for part in source.parts], [part.rows for part in source.parts])


def _needs(split: Split, role: str, path: str) -> DataError:
    return DataError(
        f"split.by {split.by} needs a {role}",
        path=path,
        fix=f"Name its column in columns.{role}, or choose another method in split.by.",
    )


def _made_splits(events: Events, part: Ints, recipe: Recipe, seed: int, log: JoinedLog) -> _MadeSplits:
    """The rows of each split, with negatives, differences and histories."""
    schema = events.schema
    rows = {name: np.flatnonzero(part == number) for number, name in enumerate(SPLITS)}
    tables = {name: events.table.take(pa.array(rows[name])) for name in SPLITS}
    missing = 0
    if recipe.split.negatives is not None:
        per_positive = recipe.split.negatives.per_positive
        positives = int(events.positive.sum())
        tables, rows = _with_negatives(events, rows, per_positive, seed, log)
        missing = len(part) + per_positive * positives - sum(table.num_rows for table in tables.values())
    derived = [column for column in schema.columns if column.history_of or column.difference_of]
    histories: dict[str, Histories] = {}
    if derived:
        user = events.user
        if user is None:
            fix = "Name a column in columns.user_id or columns.session_id, or remove the feature."
            raise ConfigError("histories need users or sessions", column=derived[0].name, fix=fix)
        session = None if schema.session_id is None else events.codes(schema.session_id)
        order = EventOrder.of(user, events.time, session)
        for column in derived:
            if column.difference_of:
                before = order.previous()
                for name in SPLITS:
                    difference = _difference(tables[name], events.table, before[rows[name]], column.difference_of)
                    if column.dtype == "float32":
                        difference = difference.cast(pa.float64())
                    tables[name] = tables[name].append_column(column.name, difference.cast(column.arrow_type))
                continue
            feature = (recipe.features or {}).get(column.name)
            every = isinstance(feature, History) and not feature.positive
            counted = np.ones(len(part), bool) if every else events.positive
            histories[column.name] = Histories.of(
                order, events.table[column.history_of], counted, column.max_length or 50
            )
    names = tuple(schema.arrow.names)
    kept = [name for name in names if name not in histories]
    return _MadeSplits(
        {name: SplitTable(tables[name].select(kept), rows[name], histories, names) for name in SPLITS},
        schema,
        rows,
        missing,
    )


def _difference(table: pa.Table, events: pa.Table, before: Ints, name: str) -> pa.ChunkedArray:
    """Value of each row minus that of the user's event before; null for the first."""
    previous = events[name].take(pa.array(before, mask=before < 0))
    wide = pa.int64() if pa.types.is_integer(table[name].type) else pa.float64()
    return pc.subtract(table[name].cast(wide), previous.cast(wide))


def _with_negatives(
    events: Events, rows: Mapping[str, Ints], per_positive: int, seed: int, log: JoinedLog
) -> tuple[dict[str, pa.Table], dict[str, Ints]]:
    """The rows of each split, each positive followed by its negatives."""
    schema, user = events.schema, events.user
    if schema.item_id is None or any(target.kind is not TargetKind.BINARY for target in schema.targets):
        fix = "Name columns.item_id, and use binary targets alone; or remove split.negatives."
        raise ConfigError("split.negatives needs an item id and binary targets", fix=fix)
    owner = np.zeros(events.table.num_rows, np.int64) if user is None else user
    items, item = _items(events, log)
    positive = events.positive
    owned = (owner[positive], item[positive])
    tables, made = {}, {}
    for number, (name, own) in enumerate(rows.items()):
        origin, drawn = draw_negatives(own[positive[own]], owner, owned, items.num_rows, per_positive, seed + number)
        negatives = _replaced(events.table.take(pa.array(origin)), items.take(pa.array(drawn)), schema)
        every = np.concatenate([own, origin])
        order = np.argsort(every, kind="stable")
        both = pa.concat_tables([events.table.take(pa.array(own)), negatives])
        tables[name], made[name] = both.take(pa.array(order)), every[order]
    return tables, made


def _items(events: Events, log: JoinedLog) -> tuple[pa.Table, Ints]:
    """Items with their features, those of the events and those of the table of items, and the item of each event.

    The features are those of the table, otherwise of the item's last event.
    """
    schema = events.schema
    key = schema.item_id or ""
    features = schema.of_role(Role.ITEM)
    catalogue = _catalogue(log, schema)
    listed = pa.table({key: events.table[key].slice(0, 0)}) if catalogue is None else catalogue
    number = codes(pa.chunked_array([*events.table[key].chunks, *listed[key].chunks]))
    count = int(number.max(initial=-1)) + 1
    own, theirs = number[: events.table.num_rows], number[events.table.num_rows :]
    last, row = np.full(count, -1, np.int64), np.full(count, -1, np.int64)
    last[own], row[theirs] = np.arange(len(own)), np.arange(len(theirs))
    of_events, of_list = (pa.array(each, mask=each < 0) for each in (last, row))

    def values(name: str) -> pa.ChunkedArray:
        seen = events.table[name].take(of_events)
        return pc.coalesce(listed[name].take(of_list), seen) if name in listed.column_names else seen

    return pa.table({name: values(name) for name in (key, *features) if name in events.table.column_names}), own


def _replaced(table: pa.Table, items: pa.Table, schema: DataSchema) -> pa.Table:
    """Rows with other items, whose targets are 0, and whose event is none."""
    for i, name in enumerate(table.column_names):
        field = table.schema.field(name)
        if name in items.column_names:
            table = table.set_column(i, field, items[name])
        elif any(target.name == name for target in schema.targets):
            table = table.set_column(i, field, pa.chunked_array([pa.repeat(pa.scalar(0, field.type), len(table))]))
        elif name in schema.of_role(Role.EVENT, Role.SOURCE):
            table = table.set_column(i, field, pa.chunked_array([pa.nulls(len(table), field.type)]))
    return table


def _catalogue(log: JoinedLog, schema: DataSchema) -> pa.Table | None:
    """The table of items: item id and features; None if there is none."""
    items = log.items([column.name for column in schema.columns if column.role is Role.ITEM])
    if items is None or items.column_names[0] != schema.item_id:
        return None
    return pa.table(
        {name: convert_column(items[name], schema.column(name), log.source.path) for name in items.column_names}
    )


def _check(made: _MadeSplits, recipe: Recipe, split: Split, config: IngestConfig, path: str) -> None:
    schema, tables, method = made.schema, made.tables, str(split.by)
    retrieval = task_of(recipe, schema) == "retrieval"
    checks.check_rows(tables, method, path)
    if schema.time is not None and (
        method == "time" or (method == "given" and not config.recipe and recipe.split.by in ("time", None))
    ):
        checks.check_order(tables, schema.time, path)
    checks.check_targets(tables, schema, retrieval, path)
    checks.check_features(tables["train"], schema, path)
    if retrieval and schema.user_id is not None and query_unit(recipe, schema) == "user":
        checks.check_users(tables, schema.user_id, path)


def _metadata(
    config: IngestConfig, recipe: Recipe, split: Split, made: _MadeSplits, events: Events, log: JoinedLog
) -> dict[str, Any]:
    schema, tables = made.schema, made.tables
    target, best = first_binary(schema), None
    if log.source.probability is not None and target is not None and not schema.negatives:
        best = {
            name: auc(log.source.probability[events.origin[made.events[name]]], tables[name][target].to_numpy())
            for name in SPLITS
        }
    settings = {field.name: getattr(config, field.name) for field in dataclasses.fields(config)}
    metadata = {
        "config": {**settings, "recipe": recipe.model_dump(mode="json", by_alias=True, exclude_unset=True)},
        "dataset": recipe.data.path if isinstance(recipe.data.path, str) else list(recipe.data.path),
        "split": split.by,
        "seed": config.seed,
        "columns": list(schema.arrow.names),
        "rows": {name: tables[name].num_rows for name in SPLITS},
        "positives": {
            target.name: {name: pc.sum(tables[name][target.name]).as_py() for name in SPLITS}
            for target in schema.targets
            if target.kind is TargetKind.BINARY
        },
        "content": fingerprint(made.splits),
        "best_auc": best,
        "joined": log.counts,
        "skipped": list(log.skipped),
        "dropped": {**events.dropped, **({"negatives": made.missing} if made.missing else {})},
        "unused": dict(schema.unused),
    }
    if schema.time is not None:
        ranges = {name: pc.min_max(tables[name][schema.time]).as_py() for name in SPLITS}
        metadata["time_range"] = {name: [each["min"], each["max"]] for name, each in ranges.items()}
    return metadata


def _summary(splits: Splits) -> str:
    counts = splits.metadata["rows"]
    return ", ".join(f"{name} {counts[name]:,}" for name in SPLITS) + " rows"
