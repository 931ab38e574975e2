"""The data schema of a recipe: what it says about the columns, and what is inferred from the first rows."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from emrys.components.contracts.data_schema import (
    TIME_UNITS,
    DataColumn,
    DataSchema,
    Role,
    Target,
    TargetKind,
    ValueType,
)
from emrys.components.recipe import inference
from emrys.components.recipe.column_names import expand_name, expand_names
from emrys.components.recipe.contradictions import target_columns
from emrys.components.recipe.faults import Fault, RecipeError, nearest, unknown_name
from emrys.components.recipe.inference import NUMBERS, Kind, Profile
from emrys.components.recipe.models import MODELS
from emrys.components.recipe.recipe import Difference, History, Recipe, TargetColumn, TimeColumn
from emrys.components.recipe.splits import POSITIVE, split_faults, split_of

_MAX_CLASSES = 1_000
_NUMERIC_STEPS = frozenset({"fill", "clip", "log", "normalize", "min_max", "bucketize"})
_KEY_STEPS = frozenset({"categorify", "hash", "cross", "vectors", "target_encoding", "count_by"})


@dataclasses.dataclass(frozen=True)
class Resolved:
    """Data schema and faults of a recipe for a log.

    Args:
        schema: The data schema; parts with a fault are left out.
        faults: All faults that show in the first rows.
        notes: What is no fault, and yet worth knowing.
    """

    schema: DataSchema
    faults: tuple[Fault, ...] = ()
    notes: tuple[str, ...] = ()

    def checked(self) -> DataSchema:
        """The data schema.

        Raises:
            RecipeError: if there are faults; it lists all of them.
        """
        if self.faults:
            raise RecipeError(self.faults)
        return self.schema


def resolve(
    recipe: Recipe, head: pa.Table, tables: Mapping[str, Sequence[str]] | None = None, *, whole: bool = False
) -> Resolved:
    """Resolves a recipe against the first rows of a log.

    Args:
        recipe: The recipe.
        head: The first rows, with the columns of the side tables.
        tables: Columns that come from each side table, `items` and `users`. Default: none.
        whole: Whether these are all rows, so that a split that leaves nothing shows.
    """
    return _Resolver(recipe, head, tables or {}, whole).resolved()


class _Resolver:
    def __init__(self, recipe: Recipe, head: pa.Table, tables: Mapping[str, Sequence[str]], whole: bool) -> None:
        self._recipe = recipe
        self._columns = recipe.columns
        self._head, self._whole = head, whole
        self._tables = tables
        self._names: tuple[str, ...] = tuple(head.column_names)
        self._profiles = {name: inference.profile_of(name, head[name]) for name in dict.fromkeys(self._names)}
        self._roles: dict[str, Role] = {}
        self._keys: dict[str, str] = {}
        self._measures: dict[str, bool] = {}
        self._targets: list[Target] = []
        self._unused: dict[str, str] = {}
        self._inferred: dict[str, list[str]] = {}
        self._faults: list[Fault] = []
        self._notes: list[str] = []
        self._stand_ins: list[DataColumn] = []
        #: Columns that only targets are made of, under the target's own name.
        self._only_targets: set[str] = set()

    def resolved(self) -> Resolved:
        for name in self._profiles:
            if self._names.count(name) > 1:
                self._faults.append(Fault("data", "two columns have one name", got=repr(name), fix="Rename one."))
        self._say_single_roles()
        self._say_targets()
        self._say_features()
        self._infer_ids()
        self._infer_targets()
        self._infer_features()
        columns = [column for name in self._profiles for column in self._column(name)]
        columns += [each for each in self._stand_ins if each.name not in self._profiles]
        columns += self._made_columns(columns)
        self._check_nulls()
        schema = DataSchema(
            tuple(columns),
            tuple(self._targets),
            {name: self._unused[name] for name in self._profiles if name in self._unused},
            {name: "; ".join(reasons) for name, reasons in self._inferred.items()},
            0 if self._recipe.split.negatives is None else self._recipe.split.negatives.per_positive,
        )
        if self._recipe.split.by is None:
            self._notes.append(f"split by {split_of(self._recipe, schema).by}, as the columns allow")
        missing = frozenset(role for role in Role if self._has_fault(role))
        self._faults += split_faults(self._recipe, schema, self._profiles, missing=missing, whole=self._whole)
        return Resolved(schema, tuple(dict.fromkeys(self._faults)), tuple(self._notes))

    # Roles that the recipe says.

    def _say_single_roles(self) -> None:
        columns = self._columns
        for role, name in (
            (Role.USER_ID, columns.user_id),
            (Role.ITEM_ID, columns.item_id),
            (Role.SESSION_ID, columns.session_id),
            (Role.WEIGHT, columns.weight),
        ):
            if name:
                self._say(f"columns.{role.value}", name, role)
        if isinstance(columns.time, TimeColumn):
            self._say("columns.time.column", columns.time.column, Role.TIME)
        elif columns.time:
            self._say("columns.time", columns.time, Role.TIME)
        if columns.events is not None:
            self._say("columns.events.column", columns.events.column, Role.EVENT)
        split = self._recipe.split
        if split.by == "column" and split.column and self._known("split.column", split.column):
            self._unused[split.column] = "it says the split"

    def _say(self, key: str, name: str, role: Role) -> None:
        """Gives a column a role, if it has none yet and has values that fit.

        In place of a column that does not exist stands the one of the nearest name, so that no faults follow from it.
        """
        if not self._known(key, name):
            near = nearest(name, self._names)
            if near is not None and near not in self._roles:
                self._roles[near], self._keys[near] = role, key
            elif role not in (Role.USER, Role.ITEM, Role.CONTEXT):
                self._stand_ins.append(DataColumn(name, "string", role))
            return
        if name in self._roles:
            problem = f"the column has the role of {self._keys[name]} already"
            self._faults.append(Fault(key, problem, got=repr(name), fix="Remove one of them."))
            return
        profile = self._profiles[name]
        expected = _misfit(role, profile)
        if expected:
            got = f"{profile.type} in {name!r}"
            self._faults.append(Fault(key, "the column does not fit", expected, got))
            if role is Role.WEIGHT:
                return  # the column may have another role
        self._roles[name], self._keys[name] = role, key

    def _known(self, key: str, name: str) -> bool:
        if name in self._profiles:
            return True
        self._faults.append(unknown_name(key, "column", name, self._names))
        return False

    def _say_targets(self) -> None:
        events = set() if self._columns.events is None else set(self._columns.events.targets)
        for name, target in target_columns(self._columns).items():
            key = f"columns.events.targets.{name}" if name in events else f"columns.targets.{name}"
            if target.source not in self._profiles:
                if name not in events:  # the fault of the events' column is reported
                    key = key if target.source == name else f"{key}.from"
                    fault = unknown_name(key, "column", target.source, self._names)
                    fix = f"{fault.fix} Or say `from:`, the column that it is made of." if target.source == name else ""
                    self._faults.append(dataclasses.replace(fault, fix=(fix or fault.fix).strip()))
                self._targets.append(self._target(name, target))
                continue
            self._add_target(key, name, target)

    def _add_target(self, key: str, name: str, target: TargetColumn) -> None:
        source = target.source
        role = self._roles.get(source)
        if role not in (None, Role.EVENT, Role.SOURCE):
            problem = f"the column has the role of {self._keys[source]} already"
            self._faults.append(Fault(key, problem, got=repr(source), fix="Remove one of them."))
            return
        if name != source and name in self._profiles and name not in self._columns.ignore:
            self._faults.append(
                Fault(key, "the log has a column of this name", got=repr(name), fix="Rename the target.")
            )
            return
        fault = _target_fault(key, name, target, self._profiles[source])
        if fault is not None:
            self._faults.append(fault)
        if name == source:
            self._only_targets.add(source)
        elif role is None and source not in self._only_targets:
            self._roles[source], self._keys[source] = Role.SOURCE, key
        self._targets.append(self._target(name, target))
        if fault is None:
            self._note_single_class(name, target)

    def _target(self, name: str, target: TargetColumn) -> Target:
        classes: tuple[str | int, ...] = ()
        if target.kind is TargetKind.CLASSES:
            profile = self._profiles.get(target.source)
            can_be = profile is not None and (profile.can_be_key or profile.kind is Kind.BOOLEAN)
            values = profile.unique() if profile is not None and can_be else []
            classes = tuple(value if isinstance(value, str) else int(value) for value in values)
        model = self._recipe.model
        return Target(
            name,
            target.kind,
            "" if target.source == name else target.source,
            classes,
            model.tasks.get(name, 1.0),
            model.sample_space.get(name, ""),
        )

    def _note_single_class(self, name: str, target: TargetColumn) -> None:
        profile = self._profiles[target.source]
        if target.kind is TargetKind.BINARY:
            positives = _positives(profile, target)
            known = profile.rows - profile.nulls
            if known and positives in (0, known):
                text = f"every one of the first {known:,} rows is {'positive' if positives else 'negative'}"
                if self._whole:
                    key = f"columns.targets.{name}"
                    self._faults.append(Fault(key, "the target has one class", "positives and negatives", text))
                else:
                    self._notes.append(f"{name}: {text}")
        elif profile.distinct == 1:
            self._notes.append(f"{name}: the first {profile.rows:,} rows have one value")

    def _say_features(self) -> None:
        columns = self._columns
        for name in self._expanded("columns.ignore", columns.ignore):
            if name in self._roles or name in self._only_targets:
                role = self._keys.get(name, "a target")
                self._faults.append(Fault("columns.ignore", f"the column has the role of {role}", got=repr(name)))
            else:
                self._unused[name] = "the recipe ignores it"
        for key, names, role in (
            ("user", columns.user, Role.USER),
            ("item", columns.item, Role.ITEM),
            ("context", columns.context, Role.CONTEXT),
        ):
            for name in self._expanded(f"columns.{key}", names):
                if self._is_free(f"columns.{key}", name):
                    self._say(f"columns.{key}", name, role)
        for key, names, continuous in (
            ("categorical", columns.categorical, False),
            ("continuous", columns.continuous, True),
        ):
            for name in self._expanded(f"columns.{key}", names):
                self._say_measure(f"columns.{key}", name, continuous)

    def _expanded(self, key: str, names: Sequence[str]) -> tuple[str, ...]:
        found, faults = expand_names(key, names, self._names)
        self._faults += faults
        return found

    def _is_free(self, key: str, name: str) -> bool:
        problem = ""
        if name in self._only_targets or self._roles.get(name) in (Role.SOURCE, Role.EVENT):
            problem = "a target is made of the column, which is no feature then"
        elif name in self._unused:
            problem = f"the column is no feature: {self._unused[name]}"
        if problem:
            self._faults.append(Fault(key, problem, got=repr(name), fix="Remove it here."))
        return not problem

    def _say_measure(self, key: str, name: str, continuous: bool) -> None:
        if not self._is_free(key, name):
            return
        profile = self._profiles[name]
        if name in self._measures:
            self._faults.append(Fault(key, "the column is categorical too", got=repr(name), fix="Name it once."))
            return
        kind = profile.element if profile.kind is Kind.LIST else profile.kind
        fits = kind in NUMBERS if continuous else profile.can_be_key or kind in (Kind.INTEGER, Kind.TEXT, Kind.BOOLEAN)
        if not fits and kind is not Kind.NOTHING:
            fix = "Name it under columns.categorical." if continuous and profile.can_be_key else ""
            if not continuous and kind in NUMBERS:
                fix = "Name it under columns.continuous, or bucketize it."
            expected = "numbers" if continuous else "texts or whole numbers"
            self._faults.append(Fault(key, "the column does not fit", expected, f"{profile.type} in {name!r}", fix))
        self._measures[name] = continuous

    # What is inferred.

    def _free(self) -> dict[str, Profile]:
        taken = {*self._roles, *self._unused, *self._only_targets}
        return {name: profile for name, profile in self._profiles.items() if name not in taken}

    def _infer(self, name: str, role: Role, reason: str) -> None:
        self._roles[name], self._keys[name] = role, f"an inferred {role.value}"
        self._inferred.setdefault(name, []).append(f"{role.value}, {reason}")

    def _infer_ids(self) -> None:
        for role in (Role.USER_ID, Role.ITEM_ID, Role.SESSION_ID):
            found = inference.infer_id(role, self._free()) if not self._has(role) else None
            if found is not None:
                self._infer(found[0], role, found[1])
        time = inference.infer_time(self._free()) if self._columns.time is None else None
        if time is not None:
            self._infer(time[0], Role.TIME, time[1])

    def _has(self, role: Role) -> bool:
        said = getattr(self._columns, role.value, "")
        return bool(said) or role in self._roles.values()

    def _infer_targets(self) -> None:
        recipe = self._recipe
        if self._targets or self._columns.targets or self._columns.events is not None:
            return
        # Of a misspelt model, the one that is meant.
        kind = MODELS.get(recipe.model.name) or MODELS.get(nearest(recipe.model.name, MODELS) or "")
        is_ranking = kind is None or kind.task == "ranking"
        if self._columns.feedback == "implicit" or (not is_ranking and self._columns.feedback != "explicit"):
            if is_ranking and kind is not None:
                self._add_negatives()
            elif self._columns.feedback != "implicit":
                self._notes.append("no target is named: every row counts as a positive")
            return
        name = inference.infer_target(self._free())
        if name is None:
            binary = [each.name for each in self._free().values() if _is_binary(each)]
            fix = f"Such as targets: {{{binary[0]}: binary}}." if binary else "Or say feedback: implicit."
            problem = "no target is named, and none is found by its name"
            self._faults.append(Fault("columns.targets", problem, "a column that the model predicts", "none", fix))
            return
        profile = self._profiles[name]
        said = TargetColumn(kind=TargetKind.BINARY if _is_binary(profile) else TargetKind.REGRESSION, source=name)
        self._inferred[name] = [f"{said.kind.value} target, by its name and {profile.distinct} values"]
        self._add_target(f"columns.targets.{name}", name, said)

    def _add_negatives(self) -> None:
        if self._recipe.split.negatives is None:
            problem = f"{self._recipe.model.name} ranks, and a log of positives alone has nothing to rank against"
            fix = "Add split.negatives: {per_positive: 4}, name a target, or take a retrieval model such as two-tower."
            self._faults.append(Fault("columns.feedback", problem, fix=fix))
        else:
            self._targets.append(Target(POSITIVE, TargetKind.BINARY))

    def _has_fault(self, role: Role) -> bool:
        key = f"columns.{role.value}"
        return any(fault.key == key or fault.key.startswith(f"{key}.") for fault in self._faults)

    def _infer_features(self) -> None:
        recipe = self._recipe
        named = {*self._measures, *self._named_in_features()}
        of_tables = {
            name: (Role.USER if table == "users" else Role.ITEM, table)
            for table, names in self._tables.items()
            for name in names
        }
        ids: dict[Role, Profile] = {}
        for name, role in self._roles.items():
            if role in (Role.USER_ID, Role.ITEM_ID) and name in self._profiles:
                ids[role] = self._profiles[name]
        made = {name for name, steps in (recipe.features or {}).items() if isinstance(steps, (History, Difference))}
        for name, profile in self._free().items():
            said = name in named
            reason = "" if said else _reason_to_leave_out(profile)
            if name in made and not said:
                reason = "a feature of the recipe has its name"
            elif not said and not reason and recipe.features is not None and name not in of_tables:
                reason = "the recipe names its features, and not this column"
            if reason and name not in of_tables:
                self._unused[name] = reason
            elif profile.kind in (Kind.OTHER, Kind.NOTHING):
                self._unused[name] = f"its type {profile.type} cannot be used"
            elif name in of_tables:
                role, table = of_tables[name]
                self._infer(name, role, f"as a column of the table {table}")
            else:
                self._infer(name, *inference.feature_role(profile, ids))

    def _named_in_features(self) -> Iterator[str]:
        """Columns that the sections `features`, `evaluate` and `validate` name."""
        for pattern, steps in (self._recipe.features or {}).items():
            if isinstance(steps, History):
                yield steps.history_of
            elif isinstance(steps, Difference):
                yield steps.difference_of
            else:
                yield from expand_name("", pattern, self._names)[0]
                yield from (name for step in steps if isinstance(step, dict) for name in _columns_of(step))
        yield from self._recipe.evaluate.slices or ()

    # Columns of the schema.

    def _column(self, name: str) -> Iterator[DataColumn]:
        role = self._roles.get(name)
        if role is None or name in self._only_targets:
            return
        profile = self._profiles[name]
        continuous = role in (Role.USER, Role.ITEM, Role.CONTEXT) and self._is_continuous(profile)
        is_key = role in (Role.USER_ID, Role.ITEM_ID, Role.SESSION_ID) or (name in self._measures and not continuous)
        unit = self._unit(profile) if role is Role.TIME or profile.kind in (Kind.DATE, Kind.DATETIME) else ""
        yield DataColumn(
            name,
            "int64" if unit else _value_type(profile, is_key=is_key),
            role,
            profile.kind is Kind.LIST,
            profile.length if continuous else None,
            unit,
            continuous=continuous,
        )

    def _is_continuous(self, profile: Profile) -> bool:
        name = profile.name
        if name in self._measures:
            return self._measures[name]
        if profile.kind in (Kind.DATE, Kind.DATETIME):
            return False
        first = self._first_step(name)
        if first in _NUMERIC_STEPS | _KEY_STEPS and profile.kind is Kind.INTEGER:
            continuous, reason = first in _NUMERIC_STEPS, f"as its first operator is {first}"
            reason = f"{'an amount' if continuous else 'categorical'}, {reason}"
        else:
            continuous, reason = inference.is_continuous(profile)
        self._inferred.setdefault(name, []).append(reason)
        return continuous

    def _first_step(self, name: str) -> str:
        """Name of the first operator of a column; empty for none."""
        for pattern, steps in (self._recipe.features or {}).items():
            if isinstance(steps, tuple) and steps and name in expand_name("", pattern, self._names)[0]:
                first = steps[0]
                return first if isinstance(first, str) else str(next(iter(first), ""))
        return ""

    def _unit(self, profile: Profile) -> str:
        """Unit of a time, said or inferred."""
        time = self._columns.time
        is_time = self._roles.get(profile.name) is Role.TIME
        said = time.unit if isinstance(time, TimeColumn) and is_time else ""
        if profile.kind is Kind.DATETIME:
            found, reason = str(profile.values.type.unit), f"by its type {profile.type}"
        elif profile.kind is Kind.DATE:
            found, reason = "s", f"by its type {profile.type}"
        elif profile.kind is Kind.TEXT:
            found, reason = inference.text_time_unit(profile) or "s", "texts that are read as date-times"
        else:
            found, reason = inference.number_unit(profile), "by the size of the numbers"
            if said and _latest(profile) > inference.LATEST * TIME_UNITS[said]:
                problem = f"in {said} the times are past the year 3000"
                fix = f"Write unit: {found}, or leave it out."
                self._faults.append(Fault("columns.time.unit", problem, found, said, fix))
        if not said:
            self._inferred.setdefault(profile.name, []).append(f"unit {found}, {reason}")
        return said or found

    def _made_columns(self, columns: Sequence[DataColumn]) -> list[DataColumn]:
        """Histories and differences, sorted by name: a pipeline passes the mappings of a recipe in any order."""
        made = []
        by_name = {column.name: column for column in columns}
        for name, steps in sorted((self._recipe.features or {}).items()):
            if not isinstance(steps, (History, Difference)):
                continue
            is_history = isinstance(steps, History)
            of, option = (
                (steps.history_of, "history_of")
                if isinstance(steps, History)
                else (steps.difference_of, "difference_of")
            )
            key = f"features.{name}.{option}"
            if of not in by_name:
                if of in self._profiles:
                    reason = self._unused.get(of, "a target is made of it")
                    self._faults.append(Fault(key, f"the column is no feature: {reason}", got=repr(of)))
                continue  # part of the features' own check
            source = by_name[of]
            if name in by_name or any(target.name == name for target in self._targets):
                fix = "Give the feature another name."
                self._faults.append(Fault(f"features.{name}", "a column has this name", got=repr(name), fix=fix))
                continue
            if not any(role in self._roles.values() for role in (Role.USER_ID, Role.SESSION_ID)):
                problem = "earlier events of whom? The log has neither a user id nor a session id"
                self._faults.append(Fault(f"features.{name}", problem, fix="Name one under columns."))
            if source.is_list or (not is_history and source.dtype == "string"):
                expected = "single numbers" if not is_history else "single values"
                got = f"lists in {of!r}" if source.is_list else f"texts in {of!r}"
                self._faults.append(Fault(key, "the column does not fit", expected, got))
                continue
            if isinstance(steps, History):
                made.append(
                    DataColumn(
                        name, source.dtype, Role.HISTORY, True, history_of=of, max_length=steps.length,
                        continuous=source.continuous,
                    )
                )  # fmt: skip
            else:
                made.append(DataColumn(name, "float32", Role.CONTEXT, continuous=True, difference_of=of))
        return made

    # Checks of the whole.

    def _check_nulls(self) -> None:
        if self._columns.nulls != "refuse":
            return
        required = (Role.USER_ID, Role.ITEM_ID, Role.SESSION_ID, Role.TIME, Role.WEIGHT, Role.EVENT, Role.SOURCE)
        names = [name for name, role in self._roles.items() if role in required]
        for name in [*names, *sorted(self._only_targets)]:
            profile = self._profiles[name]
            if 0 < profile.nulls < profile.rows:
                key = self._keys.get(name, f"columns.targets.{name}")
                key = key if "." in key else f"columns.{self._roles[name].value}"
                got = f"{profile.nulls:,} nulls in the first {profile.rows:,} rows of {name!r}"
                fix = "Set columns.nulls: drop to leave such rows out."
                self._faults.append(Fault(key, "values are missing", "a value in every row", got, fix))


def _misfit(role: Role, profile: Profile) -> str:
    """Expected values of a role that a column does not have; empty if it fits."""
    if profile.kind is Kind.NOTHING:
        return "values"
    if role in (Role.USER_ID, Role.ITEM_ID, Role.SESSION_ID):
        return "" if profile.can_be_key else "whole numbers or texts"
    if role is Role.TIME:
        times = (Kind.INTEGER, Kind.FLOAT, Kind.DECIMAL, Kind.DATE, Kind.DATETIME)
        is_text = profile.kind is Kind.TEXT and inference.text_time_unit(profile) is not None
        return "" if is_text or profile.kind in times else "numbers since 1970, dates or date-times"
    if role is Role.WEIGHT:
        if profile.kind not in NUMBERS:
            return "numbers"
        return "" if not np.any(profile.numbers < 0) else "weights of at least 0"
    if role is Role.EVENT:
        return "" if profile.kind in (Kind.TEXT, Kind.INTEGER) else "texts or whole numbers"
    return "" if profile.kind is not Kind.OTHER else "numbers, texts or lists of them"


def _is_binary(profile: Profile) -> bool:
    if profile.kind is Kind.BOOLEAN:
        return True
    return profile.kind in NUMBERS and profile.distinct > 0 and bool(np.isin(profile.numbers, (0, 1)).all())


def _target_fault(key: str, name: str, target: TargetColumn, profile: Profile) -> Fault | None:
    """Reason that a target cannot be made of a column; None if it can be."""
    got = f"{profile.type} in {profile.name!r}"
    if profile.kind is Kind.NOTHING or profile.rows == profile.nulls:
        return Fault(key, "the target has no values", got=f"{profile.rows:,} nulls in {profile.name!r}")
    if target.kind is TargetKind.REGRESSION:
        return None if profile.kind in NUMBERS else Fault(key, "a regression needs numbers", "numbers", got)
    if target.kind is TargetKind.CLASSES:
        if not (profile.can_be_key or profile.kind is Kind.BOOLEAN):
            fix = "Write kind: regression." if profile.kind in NUMBERS else ""
            return Fault(key, "classes need names or codes", "texts or whole numbers", got, fix)
        if profile.distinct > _MAX_CLASSES:
            many = f"{profile.distinct:,} values in the first {profile.rows:,} rows"
            return Fault(key, "there are too many classes", f"{_MAX_CLASSES:,} at most", many)
        return None
    if target.above is not None:
        fix = "Say values: the values that are positive."
        return None if profile.kind in NUMBERS else Fault(f"{key}.above", "it needs numbers", "numbers", got, fix)
    return _values_fault(key, target, profile) if target.values else _zero_one_fault(key, profile)


def _values_fault(key: str, target: TargetColumn, profile: Profile) -> Fault | None:
    """A value that is not among the first rows, where one that is there is almost equal."""
    seen = [str(value) for value in profile.values.drop_null().unique().to_pylist()]
    for value in target.values:
        near = nearest(str(value), seen) if str(value) not in seen else None
        if near is not None and profile.kind is Kind.TEXT:
            known = ", ".join(repr(each) for each in seen[:8])
            return Fault(key, f"{profile.name!r} has no such value", known, repr(value), f"Did you mean {near!r}?")
    return None


def _zero_one_fault(key: str, profile: Profile) -> Fault | None:
    if _is_binary(profile):
        return None
    if profile.kind is Kind.TEXT and profile.distinct:
        values = ", ".join(map(str, profile.unique()[:5]))
        fix = "Write {kind: binary, values: […]} with those that are positive."
        return Fault(key, "a binary target needs 0 and 1", "0 and 1, or booleans", f"the texts {values}", fix)
    if profile.kind not in NUMBERS:
        got = f"{profile.type} in {profile.name!r}"
        return Fault(key, "a binary target needs 0 and 1", "0 and 1, or booleans", got)
    numbers = sorted(set(profile.numbers))
    middle = numbers[(len(numbers) - 1) // 2]
    values = ", ".join(f"{value:g}" for value in numbers[:5]) + (" …" if len(numbers) > 5 else "")
    fix = f"Write {{kind: binary, above: {middle:g}}}, or another kind."
    return Fault(key, "a binary target needs 0 and 1", "0 and 1", f"{values} in {profile.name!r}", fix)


def _positives(profile: Profile, target: TargetColumn) -> int:
    if target.values:
        positive = {str(value) for value in target.values}
        return sum(str(value) in positive for value in profile.values.drop_null().to_pylist())
    return int((profile.numbers > (target.above if target.above is not None else 0)).sum())


def _value_type(profile: Profile, *, is_key: bool) -> ValueType:
    kind = profile.element if profile.kind is Kind.LIST else profile.kind
    if kind is Kind.TEXT:
        return "string"
    if kind in (Kind.FLOAT, Kind.DECIMAL):
        return "int64" if is_key and profile.is_whole else "float32"
    return "string" if profile.is_unsigned_beyond else "int64"


def _reason_to_leave_out(profile: Profile) -> str:
    """The reason why a column that the recipe does not name is no feature; empty if it may be one."""
    if profile.kind is Kind.NOTHING:
        return f"the first {profile.rows:,} rows have no value"
    if profile.kind is Kind.OTHER or (profile.kind is Kind.LIST and profile.element not in (*NUMBERS, Kind.TEXT)):
        return f"its type {profile.type} cannot be used"
    if profile.kind in (Kind.DATE, Kind.DATETIME) or inference.text_time_unit(profile) is not None:
        return "a date that is not the time of the event; name it in features with hour, weekday or month to use it"
    if inference.is_row_id(profile):
        return "another value in every row"
    return "free text" if inference.is_free_text(profile) else ""


def _columns_of(step: Mapping[str, Any]) -> Iterator[str]:
    """Other columns that an operator reads."""
    for operator, options in step.items():
        if operator == "mean_by":
            yield str(options.get("column", "") if isinstance(options, Mapping) else options)
        elif operator == "cross" and isinstance(options, Mapping):
            others = options.get("with", ())
            yield from map(str, others if isinstance(others, list | tuple) else ())


def _latest(profile: Profile) -> float:
    return float(np.max(profile.numbers)) if len(profile.numbers) else 0.0
