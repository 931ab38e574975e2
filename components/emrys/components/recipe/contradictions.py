"""Faults of a recipe that show without the data, and that no type can tell."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from emrys.components.contracts.data_schema import TargetKind
from emrys.components.recipe.faults import Fault, unknown_name
from emrys.components.recipe.models import MODELS, option_faults
from emrys.components.recipe.recipe import Columns, DataSource, Model, Recipe, Split, TargetColumn

_FUNCTION = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
_MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*(:[A-Za-z_]\w*)?")
_WINDOW = re.compile(r"(?P<number>\d+)(?P<unit>[smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_SERVED_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


def contradictions(recipe: Recipe) -> tuple[Fault, ...]:
    """Faults of values that do not go together, or that have a form of their own."""
    return tuple(
        fault
        for faults in (
            _of_data(recipe.data),
            _of_tables(recipe),
            _of_targets(recipe.columns),
            _of_split(recipe.split),
            _of_steps(recipe),
            _of_model(recipe.model),
            _of_training(recipe),
        )
        for fault in faults
    )


def target_columns(columns: Columns) -> dict[str, TargetColumn]:
    """Definition and source of each target of the recipe, in order, those of events included."""
    targets = {}
    if columns.events is not None:
        for name, values in columns.events.targets.items():
            several = values if isinstance(values, tuple) else (values,)
            targets[name] = TargetColumn(source=columns.events.column, values=several)
    for name, said in columns.targets.items():
        target = said if isinstance(said, TargetColumn) else TargetColumn(kind=said)
        targets[name] = target if target.source else target.model_copy(update={"source": name})
    first = [name for name in columns.order if name in targets]
    return {name: targets[name] for name in dict.fromkeys([*first, *targets])}


def seconds_of(window: str) -> int | None:
    """Seconds of a time such as `7d`; None if it is not one."""
    match = _WINDOW.fullmatch(window)
    return int(match["number"]) * _SECONDS[match["unit"]] if match else None


def _of_data(data: DataSource) -> Iterator[Fault]:
    if not data.path and data.reader != "synthetic":
        yield Fault("data.path", "no data are named", "a file, a folder, a glob or a list of them")
    if len(data.delimiter) > 1:
        yield Fault("data.delimiter", "the value cannot be used", "one character", repr(data.delimiter))
    if isinstance(data.header, tuple):
        twice = [name for name in dict.fromkeys(data.header) if data.header.count(name) > 1]
        if twice or not data.header:
            yield Fault("data.header", "the names cannot be used", "a name for each column", ", ".join(twice) or "none")


def _of_tables(recipe: Recipe) -> Iterator[Fault]:
    for name in recipe.tables:
        if name not in ("items", "users"):
            yield unknown_name(f"tables.{name}", "side table", name, ["items", "users"])


def _of_targets(columns: Columns) -> Iterator[Fault]:
    targets = {} if columns.events is None else columns.events.targets
    if columns.events is not None and not targets:
        yield Fault("columns.events.targets", "no target is made of the events", "a target for some of the event types")
    for name in targets:
        if name in columns.targets:
            yield Fault(
                f"columns.targets.{name}", "the target is made of the events already", fix="Remove one of them."
            )
    if columns.feedback == "implicit" and (targets or columns.targets):
        yield Fault(
            "columns.feedback", "implicit feedback has no targets", got=", ".join([*targets, *columns.targets]),
            fix="Remove `feedback`, or `targets` and `events`.",
        )  # fmt: skip
    for name in columns.order:
        if name not in (*targets, *columns.targets):
            yield unknown_name("columns.order", "target", name, [*targets, *columns.targets])
    for name, target in columns.targets.items():
        if isinstance(target, TargetColumn):
            yield from _of_target(f"columns.targets.{name}", target)


def _of_target(key: str, target: TargetColumn) -> Iterator[Fault]:
    if target.kind is not TargetKind.BINARY:
        for name, said in (("above", target.above is not None), ("values", bool(target.values))):
            if said:
                yield Fault(f"{key}.{name}", "only a binary target has it", got=f"kind {target.kind.value}")
    elif target.above is not None and target.values:
        yield Fault(f"{key}.above", "a target is made by `above` or by `values`, not by both", fix="Remove one.")
    if target.above is not None and not math.isfinite(target.above):
        yield Fault(f"{key}.above", "the value cannot be used", "a finite number", str(target.above))


def _of_split(split: Split) -> Iterator[Fault]:
    said = split.model_fields_set
    if split.by == "column" and not split.column:
        yield Fault("split.column", "the key is missing", "a column that holds train, valid or test")
    if split.column and split.by != "column":
        yield Fault("split.column", "only `by: column` has it", got=f"by: {split.by}", fix="Write by: column.")
    if split.by == "last_per_user":
        for name in ("valid", "test"):
            value = getattr(split, name)
            if name in said and not (value >= 1 and float(value).is_integer()):
                yield Fault(f"split.{name}", "the value cannot be used", "a whole number of events", str(value))
    elif split.by not in ("column", "given"):
        wrong = [name for name in ("valid", "test") if not 0 < getattr(split, name) < 1]
        for name in wrong:
            fix = "Or split by last_per_user." if getattr(split, name) >= 1 else ""
            yield Fault(f"split.{name}", "the value cannot be used", "a share below 1", str(getattr(split, name)), fix)
        if not wrong and split.valid + split.test >= 1:
            yield Fault(
                "split.test", "nothing is left for train", "valid + test below 1", f"{split.valid + split.test:g}"
            )
    if split.label_window and seconds_of(split.label_window) is None:
        yield Fault("split.label_window", "the value cannot be used", "a time such as 7d or 12h", split.label_window)


def _of_steps(recipe: Recipe) -> Iterator[Fault]:
    if recipe.module and not _MODULE.fullmatch(recipe.module):
        yield Fault("module", "the value cannot be used", "package.module:function", repr(recipe.module))
    for name, steps in (recipe.features or {}).items():
        if not isinstance(steps, tuple):
            continue
        for i, step in enumerate(steps):
            if isinstance(step, dict) and len(step) != 1:
                yield Fault(
                    f"features.{name}.{i}", "a step is one operator", "{operator: options}", ", ".join(step) or "none"
                )


def _of_model(model: Model) -> Iterator[Fault]:
    if model.name and model.module:
        yield Fault("model.module", "a model has a name or a module, not both", fix="Remove one of them.")
    if not model.name and not model.module:
        yield Fault("model.name", "the key is missing", "the name of a model, or `module`")
    if model.module and not _FUNCTION.fullmatch(model.module):
        yield Fault("model.module", "the value cannot be used", "package.module:function", repr(model.module))
    if model.name and model.name not in MODELS:
        yield unknown_name("model.name", "model", model.name, list(MODELS))
    elif model.name:
        yield from option_faults(model.name, model.options)


def _of_training(recipe: Recipe) -> Iterator[Fault]:
    train = recipe.train
    if train.monitor and not re.fullmatch(r"val_\w+", train.monitor):
        yield Fault(
            "train.monitor", "the value cannot be used", "a metric of the valid split, such as val_loss", train.monitor
        )
    if train.tracking and "://" not in train.tracking:
        yield Fault(
            "train.tracking", "the value cannot be used", "an address such as http://mlflow:5000", train.tracking
        )
    if recipe.serve.name and not _SERVED_NAME.fullmatch(recipe.serve.name):
        yield Fault(
            "serve.name",
            "the value cannot be used",
            "letters, digits, hyphens and underscores",
            repr(recipe.serve.name),
        )
