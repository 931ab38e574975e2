"""Operators of features: their options, and the features that a recipe asks for."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

import pydantic
from pydantic import Field

from emrys.components.contracts.data_schema import DataColumn, DataSchema, Role, TargetKind
from emrys.components.recipe.column_names import expand_name, expand_names, is_pattern
from emrys.components.recipe.faults import Fault, RecipeError, unknown_name
from emrys.components.recipe.recipe import Difference, FeatureSteps, History, Recipe, Section

_DATES = ("hour", "weekday", "day", "month", "year")
_NO_FEATURES = (Role.WEIGHT, Role.EVENT, Role.SOURCE)


class Operator(Section):
    """Base of the options of an operator.

    Attributes:
        name: Name in a recipe.
        value: Option that `{name: value}` sets, if the value is no mapping; empty for none.
        numeric: Whether it is a step of a chain of numbers.
    """

    name: ClassVar[str]
    value: ClassVar[str] = ""
    numeric: ClassVar[bool] = False


class Categorify(Operator):
    """Ids by falling frequency, after 0 for padding, 1 for null and 2 for unseen values."""

    name: ClassVar[str] = "categorify"

    min_count: Annotated[int, Field(ge=0, description="Values in fewer train rows count as unseen.")] = 0
    max_size: Annotated[int | None, Field(ge=4, description="Maximum number of ids, the reserved ones included.")] = (
        None
    )
    domain: Annotated[str, Field(description="Name that several columns share, which then share their ids.")] = ""


class Hash(Operator):
    """Ids of hashed values, without a table of values."""

    name: ClassVar[str] = "hash"
    value: ClassVar[str] = "buckets"

    buckets: Annotated[int, Field(ge=1, description="Number of buckets.")]


class Bucketize(Operator):
    """Ids of the ranges between boundaries."""

    name: ClassVar[str] = "bucketize"
    value: ClassVar[str] = "boundaries"

    boundaries: Annotated[tuple[float, ...], Field(min_length=1, description="Ends of the ranges, ascending.")]

    @pydantic.field_validator("boundaries")
    @classmethod
    def _ascend(cls, boundaries: tuple[float, ...]) -> tuple[float, ...]:
        ordered = all(low < high for low, high in itertools.pairwise(boundaries))
        if not ordered or not all(map(math.isfinite, boundaries)):
            raise ValueError("ascending finite numbers")
        return boundaries


class Fill(Operator):
    """Replacement of missing numbers."""

    name: ClassVar[str] = "fill"
    value: ClassVar[str] = "by"
    numeric: ClassVar[bool] = True

    by: Annotated[
        Annotated[float, Field(allow_inf_nan=False)] | Literal["mean", "median"],
        Field(description="A number, or mean or median of the train split."),
    ]


class Clip(Operator):
    """Limits of numbers."""

    name: ClassVar[str] = "clip"
    numeric: ClassVar[bool] = True

    min: Annotated[float | None, Field(allow_inf_nan=False, description="Lower end.")] = None
    max: Annotated[float | None, Field(allow_inf_nan=False, description="Upper end.")] = None

    @pydantic.model_validator(mode="after")
    def _limit(self) -> Clip:
        if self.min is None and self.max is None:
            raise ValueError("min, max or both")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError("min to be at most max")
        return self


class Log(Operator):
    """`log(1 + x)`."""

    name: ClassVar[str] = "log"
    numeric: ClassVar[bool] = True


class Normalize(Operator):
    """Mean 0 and standard deviation 1 in the train split."""

    name: ClassVar[str] = "normalize"
    numeric: ClassVar[bool] = True


class MinMax(Operator):
    """0 to 1 in the train split."""

    name: ClassVar[str] = "min_max"
    numeric: ClassVar[bool] = True


class TargetEncoding(Operator):
    """Smoothed mean of a target in the rows of the value, out of fold in the train split."""

    name: ClassVar[str] = "target_encoding"
    value: ClassVar[str] = "target"

    target: Annotated[str, Field(description="Target, or number that one is made of; empty for the first.")] = ""
    folds: Annotated[int, Field(ge=1, description="Folds of the train split; 1 for none.")] = 5
    smoothing: Annotated[
        float, Field(ge=0, allow_inf_nan=False, description="Weight of the overall mean, in rows.")
    ] = 5.0


class CountBy(Operator):
    """Logarithm of the number of train rows of the value, normalised."""

    name: ClassVar[str] = "count_by"


class MeanBy(Operator):
    """Mean of another column in the train rows of the value, normalised."""

    name: ClassVar[str] = "mean_by"
    value: ClassVar[str] = "column"

    column: Annotated[str, Field(min_length=1, description="Column of numbers.")]


class Hour(Operator):
    """Hour of a time, in UTC."""

    name: ClassVar[str] = "hour"


class Weekday(Operator):
    """Day of the week of a time, in UTC; Monday is first."""

    name: ClassVar[str] = "weekday"


class Day(Operator):
    """Day of the month of a time, in UTC."""

    name: ClassVar[str] = "day"


class Month(Operator):
    """Month of a time, in UTC."""

    name: ClassVar[str] = "month"


class Year(Operator):
    """Year of a time, in UTC; those outside of the train split are unseen."""

    name: ClassVar[str] = "year"


class Cross(Operator):
    """Ids of hashed combinations of values."""

    name: ClassVar[str] = "cross"

    columns: Annotated[tuple[str, ...], Field(alias="with", min_length=1, description="The other columns.")]
    buckets: Annotated[int, Field(ge=1, description="Number of buckets.")]


class Slice(Operator):
    """The first or the last elements of lists, for the operators after it; or, where it is last, for the one before."""

    name: ClassVar[str] = "slice"
    value: ClassVar[str] = "first"

    first: Annotated[int | None, Field(ge=1, description="Number of elements from the start.")] = None
    last: Annotated[int | None, Field(ge=1, description="Number of elements from the end.")] = None

    @pydantic.model_validator(mode="after")
    def _one(self) -> Slice:
        if (self.first is None) == (self.last is None):
            raise ValueError("first or last")
        return self

    @property
    def keep(self) -> int:
        """Number of elements, negative for the last ones."""
        return self.first or -(self.last or 0)


class Length(Operator):
    """Number of elements of a list, normalised."""

    name: ClassVar[str] = "length"


class Vectors(Operator):
    """Pretrained vector of the value, from a Parquet file; zeros for values without one."""

    name: ClassVar[str] = "vectors"

    path: Annotated[str, Field(min_length=1, description="Parquet file with a row for each value.")]
    column: Annotated[str, Field(min_length=1, description="Column of the vectors, lists of equal length.")]
    key: Annotated[str, Field(description="Column of the values; empty: named as the column of the log.")] = ""


#: The operators by name.
OPERATORS: Mapping[str, type[Operator]] = {
    operator.name: operator
    for operator in (
        *(Categorify, Hash, Bucketize, Fill, Clip, Log, Normalize, MinMax, TargetEncoding, CountBy, MeanBy),
        *(Hour, Weekday, Day, Month, Year, Cross, Slice, Length, Vectors),
    )
}
#: Suffix of the output of an operator that does not come first among those whose output has the column's name.
_SUFFIXES = {"categorify": "_id", "hash": "_hash", "bucketize": "_bucket", "": "_number"}


@dataclasses.dataclass(frozen=True)
class Feature:
    """An output column that a recipe asks for.

    Args:
        output: Name of the output.
        column: Raw column.
        steps: A chain of numeric operators, which may be empty; or one other operator.
        key: Dotted key in the recipe.
        keep: For lists: the number of elements that are kept, the last ones if it is negative; 0 for all.
        ids_of: For `categorify`: the output whose ids it shares, if it is not this one.
        others: For `cross`: the other raw columns.
    """

    output: str
    column: DataColumn
    steps: tuple[Operator, ...]
    key: str
    keep: int = 0
    ids_of: str = ""
    others: tuple[DataColumn, ...] = ()

    @property
    def is_number(self) -> bool:
        """Whether it is a chain of numbers."""
        return all(step.numeric for step in self.steps)

    @property
    def operator(self) -> Operator | None:
        """The operator, if it is not a chain of numbers."""
        return None if self.is_number else self.steps[0]


def feature_plan(recipe: Recipe, schema: DataSchema) -> tuple[Feature, ...]:
    """The features of a recipe.

    A column that `features` names has the operators that stand there, none if the list is empty. Of the other columns,
    those that `columns` names have suggested operators; and without `features`, all columns of features have. With
    `module`, only the columns that `features` names have operators: the others are those of the module.

    Args:
        recipe: The recipe.
        schema: Columns and targets of the data.

    Returns:
        The features, in the order of the data: a pipeline passes the mappings of a recipe in any order.

    Raises:
        RecipeError: if there are faults; it lists all of them.
    """
    plan = _Plan(recipe, schema)
    if plan.faults:
        raise RecipeError(plan.faults)
    return tuple(sorted(plan.features, key=lambda feature: plan.places[feature.column.name]))


def check_features(recipe: Recipe, schema: DataSchema) -> list[Fault]:
    """All faults of the features of a recipe."""
    return _Plan(recipe, schema).faults


def unused_columns(recipe: Recipe, schema: DataSchema) -> tuple[str, ...]:
    """Columns of features that no feature of the recipe reads."""
    used = set()
    for feature in _Plan(recipe, schema).features:
        used.update({feature.column.name, *(column.name for column in feature.others)})
    return tuple(column.name for column in schema.features if column.name not in used)


def suggested_steps(column: DataColumn) -> FeatureSteps:
    """Operators for a column, by its role and type, as a recipe spells them."""
    if column.role in (Role.USER_ID, Role.ITEM_ID):
        return ("categorify",)
    if column.continuous or column.dtype == "float32":
        if column.length is not None:
            return ({"fill": 0},)
        return ("normalize",) if column.is_list else ({"fill": "median"}, "normalize")
    if column.role is Role.HISTORY:
        return ("categorify",)
    return ({"categorify": {"min_count": 2}},)


#: Names of columns that NVTabular's Categorify and TargetEncoding make themselves.
_TAKEN = frozenset({"labels", "order", "__tmp__", "__fold__"})


class _Plan:
    """Features and faults of a recipe."""

    def __init__(self, recipe: Recipe, schema: DataSchema) -> None:
        self.faults: list[Fault] = []
        self.features: list[Feature] = []
        self._recipe, self._schema = recipe, schema
        self._columns = {column.name: column for column in schema.columns}
        self._add_made_columns()
        self.places = {name: place for place, name in enumerate(self._columns)}
        steps = self._steps_by_column()
        for name, (key, column_steps) in steps.items():
            self._add_column(self._columns[name], key, column_steps)
        self._add_histories(steps)
        self._share_domains()
        self._check_outputs()

    def _add_made_columns(self) -> None:
        """Adds the columns that ingest makes, where the schema is that of the source alone."""
        for name, made in sorted((self._recipe.features or {}).items()):
            if not isinstance(made, (History, Difference)):
                continue
            is_history = isinstance(made, History)
            of = made.history_of if isinstance(made, History) else made.difference_of
            key = f"features.{name}.{'history_of' if is_history else 'difference_of'}"
            if of not in self._columns:
                self.faults.append(unknown_name(key, "column", of, list(self._columns)))
            elif name not in self._columns and is_history:
                source = self._columns[of]
                self._columns[name] = DataColumn(
                    name, source.dtype, Role.HISTORY, True, history_of=of, continuous=source.continuous
                )
            elif name not in self._columns:
                self._columns[name] = DataColumn(name, "float32", Role.CONTEXT, continuous=True, difference_of=of)

    def _steps_by_column(self) -> dict[str, tuple[str, FeatureSteps]]:
        """Key and steps of each column, those that the recipe names first."""
        exact: dict[str, tuple[str, FeatureSteps]] = {}
        matched: dict[str, tuple[str, FeatureSteps]] = {}
        order: list[str] = []
        for pattern, steps in (self._recipe.features or {}).items():
            key = f"features.{pattern}"
            if isinstance(steps, (History, Difference)):
                if pattern in self._columns and isinstance(steps, Difference):
                    exact[pattern] = (key, suggested_steps(self._columns[pattern]))
                    order.append(pattern)
                continue
            several = is_pattern(pattern) and pattern not in self._columns
            if pattern in {target.name for target in self._schema.targets}:
                self.faults.append(Fault(key, "a target is no feature", got=pattern, fix="Remove it from `features`."))
                continue
            known = [each.name for each in self._columns.values() if not several or each.role not in _NO_FEATURES]
            names, fault = expand_name(key, pattern, known)
            if fault is not None:
                self.faults.append(fault)
            target = matched if several else exact
            for name in names:
                if name in target:
                    fix = f"Name the column in one of {target[name][0]} and {key}."
                    self.faults.append(Fault(key, "the column has operators already", got=name, fix=fix))
                target[name] = (key, steps)
                order.append(name)
        chosen = {name: exact.get(name) or matched[name] for name in dict.fromkeys(order)}
        for column in self._suggested():
            if column.name not in chosen and column.role is not Role.HISTORY:
                chosen[column.name] = (f"features.{column.name}", suggested_steps(column))
        return chosen

    def _suggested(self) -> Iterator[DataColumn]:
        """Columns that have suggested operators, if they have no others."""
        if self._recipe.module:
            return
        said = self._recipe.columns
        names = (*said.user, *said.item, *said.context, *said.categorical, *said.continuous)
        named = {*expand_names("columns", names, list(self._columns))[0], said.user_id, said.item_id}
        # Nor need the ids be said, if they are inferred.
        named.update(set(self._schema.of_role(Role.USER_ID, Role.ITEM_ID)) & self._schema.inferred.keys())
        for column in self._schema.features:
            if self._recipe.features is None or column.name in named:
                yield column

    def _add_column(self, column: DataColumn, key: str, steps: FeatureSteps) -> None:
        """Adds the features of a column."""
        if column.role in _NO_FEATURES and steps:
            what = {Role.WEIGHT: "the weight of the rows", Role.EVENT: "the type of the event"}
            problem = f"{what.get(column.role, 'a source of a target')} is no feature"
            self.faults.append(Fault(key, problem, got=column.name, fix="Remove it from `features`."))
            return
        made: list[Feature] = []
        chain: list[Operator] = []
        place = chain_keep = 0
        for step_key, operator, keep in self._sliced(column, key, steps):
            if operator.numeric:
                place = place if chain else len(made)
                chain.append(operator)
                chain_keep = keep
            else:
                feature = self._feature(step_key, column, operator)
                if feature is not None:
                    made.append(dataclasses.replace(feature, keep=keep))
        if chain:
            made.insert(place, Feature(column.name, column, tuple(chain), key, chain_keep))
        self.features += _named(made)

    def _sliced(self, column: DataColumn, key: str, steps: FeatureSteps) -> list[tuple[str, Operator, int]]:
        """Key and operator of each step but slices, and the number of elements of lists that it keeps."""
        operators: list[tuple[str, Operator, int]] = []
        keep, is_last = 0, False
        for i, step in enumerate(steps):
            step_key = f"{key}.{i}"
            operator = self._operator(step_key, step)
            if operator is None or not self._fits(step_key, column, operator):
                continue
            is_last = isinstance(operator, Slice)
            if isinstance(operator, Slice):
                keep = operator.keep
            else:
                operators.append((step_key, operator, 0 if isinstance(operator, Length) else keep))
        if is_last and operators:
            operators[-1] = (*operators[-1][:2], keep)
        elif is_last:
            self.faults.append(Fault(key, "a slice alone is no feature", fix="Add an operator, such as categorify."))
        return operators

    def _feature(self, key: str, column: DataColumn, operator: Operator) -> Feature | None:
        """The feature of an operator that is not numeric; None with a fault if it cannot be."""
        if isinstance(operator, TargetEncoding):
            target = self._target(key, operator)
            if target is None:
                return None
            operator = operator.model_copy(update={"target": target})
        others: tuple[DataColumn, ...] = ()
        if isinstance(operator, (MeanBy, Cross)):
            names = (operator.column,) if isinstance(operator, MeanBy) else operator.columns
            option = "column" if isinstance(operator, MeanBy) else "with"
            found = [self._other(f"{key}.{operator.name}.{option}", column, operator, name) for name in names]
            others = tuple(each for each in found if each is not None)
            if len(others) < len(found):
                return None
        return Feature(_output(column, operator), column, (operator,), key, others=others)

    def _other(self, key: str, column: DataColumn, operator: Operator, name: str) -> DataColumn | None:
        """Another column that an operator reads; None with a fault if it does not fit."""
        other = self._columns.get(name)
        if other is None:
            self.faults.append(unknown_name(key, "column", name, list(self._columns)))
        elif other.role in _NO_FEATURES:
            got = f"{name}, {other.role.value}"
            self.faults.append(Fault(key, "the column is no feature", got=got, fix="Use target_encoding for targets."))
        elif other == column:
            self.faults.append(Fault(key, "the column is that of the feature itself", "another column", name))
        elif isinstance(operator, Cross) and not _is_key(other):
            self.faults.append(
                Fault(key, "the column cannot be crossed", "a single int64 or string", f"{name}, {_type(other)}")
            )
        elif isinstance(operator, MeanBy) and (other.is_list or other.dtype == "string"):
            self.faults.append(Fault(key, "the column holds no numbers", "single numbers", f"{name}, {_type(other)}"))
        else:
            return other
        return None

    def _target(self, key: str, operator: TargetEncoding) -> str | None:
        """Name of the column whose mean is taken."""
        kinds = {target.name: target.kind for target in self._schema.targets}
        known = [name for name, kind in kinds.items() if kind is not TargetKind.CLASSES]
        sources = {target.source for target in self._schema.targets}
        known += [c.name for c in self._schema.columns if c.name in sources and c.dtype != "string" and not c.is_list]
        if operator.target in known:
            return operator.target
        if not operator.target and known:
            return known[0]
        if not known:
            got = "classes alone" if kinds else "none"
            self.faults.append(
                Fault(
                    key, "there is no target to take the mean of", "binary or regression", got, "Remove the operator."
                )
            )
        else:
            self.faults.append(unknown_name(f"{key}.target_encoding.target", "target", operator.target, known))
        return None

    def _operator(self, key: str, step: str | dict[str, Any]) -> Operator | None:
        """The operator of a step, or None with a fault."""
        if isinstance(step, dict) and len(step) != 1:
            got = ", ".join(step) or "none"
            self.faults.append(Fault(key, "a step is one operator", "{operator: options}", got))
            return None
        name, options = (step, None) if isinstance(step, str) else next(iter(step.items()))
        if name not in OPERATORS:
            self.faults.append(unknown_name(key, "operator", str(name), list(OPERATORS)))
            return None
        kind = OPERATORS[name]
        if options is None:
            options = {}
        elif not isinstance(options, Mapping):
            if not kind.value:
                known = ", ".join(_options(kind)) or "no options"
                self.faults.append(Fault(f"{key}.{name}", "the options cannot be used", known, repr(options)))
                return None
            options = {kind.value: options}
        try:
            return kind.model_validate(dict(options))
        except pydantic.ValidationError as error:
            self.faults += _option_faults(f"{key}.{name}", kind, error)
            return None

    def _fits(self, key: str, column: DataColumn, operator: Operator) -> bool:
        """Whether an operator fits the type of a column; if not, there is a fault."""
        expected = misfit(column, operator)
        if expected is None:
            return True
        self.faults.append(
            Fault(f"{key}.{operator.name}", "the operator does not fit the column", expected[0],
                  f"{column.name}, {_type(column)}", expected[1])
        )  # fmt: skip
        return False

    def _add_histories(self, steps: Mapping[str, tuple[str, FeatureSteps]]) -> None:
        """Adds the histories, with the operators of the column whose values they hold."""
        for column in self._columns.values():
            if column.role is not Role.HISTORY or column.name in steps:
                continue
            if self._recipe.features is None and self._recipe.module:
                continue
            if self._recipe.features is not None and column.name not in self._recipe.features:
                continue
            key = f"features.{column.name}"
            source = [feature for feature in self.features if feature.column.name == column.history_of]
            ids = [feature for feature in source if isinstance(feature.operator, (Categorify, Hash))]
            numbers = [feature for feature in source if feature.is_number and column.dtype != "string"]
            if ids and not column.continuous:
                same = ids[0].output if isinstance(ids[0].operator, Categorify) else ""
                self.features.append(Feature(column.name, column, ids[0].steps, key, ids_of=same))
            elif numbers:
                chain = tuple(step for step in numbers[0].steps if not isinstance(step, Fill))
                self.features.append(Feature(column.name, column, chain, key))
            else:
                self._add_column(column, key, suggested_steps(column))

    def _share_domains(self) -> None:
        """Names the output whose ids the others of a domain share: the id of the item or user, or else the first."""
        domains: dict[str, list[int]] = {}
        for place, feature in enumerate(self.features):
            if isinstance(feature.operator, Categorify) and feature.operator.domain and not feature.ids_of:
                domains.setdefault(feature.operator.domain, []).append(place)
        shared: dict[str, str] = {}
        ranks = {Role.ITEM_ID: 0, Role.USER_ID: 1}
        for domain, places in domains.items():
            members = [self.features[place] for place in places]
            first = min(members, key=lambda each: (ranks.get(each.column.role, 2), self.places[each.column.name]))
            for place, feature in zip(places, members, strict=True):
                if feature.column.dtype != first.column.dtype:
                    got = f"{feature.column.name} {feature.column.dtype}"
                    expected = f"{first.column.dtype}, as {first.column.name}"
                    problem = f"the columns of domain {domain!r} differ in type"
                    self.faults.append(Fault(feature.key, problem, expected, got))
                elif feature.operator != first.operator:
                    problem = f"the columns of domain {domain!r} differ in min_count or max_size"
                    self.faults.append(Fault(feature.key, problem, f"the options of {first.key}"))
                if feature is not first:
                    shared[feature.output] = first.output
                    self.features[place] = dataclasses.replace(feature, ids_of=first.output)
        for place, feature in enumerate(self.features):
            if feature.ids_of in shared:  # a history of a column that shares its ids
                self.features[place] = dataclasses.replace(feature, ids_of=shared[feature.ids_of])

    def _check_outputs(self) -> None:
        kept = {target.name for target in self._schema.targets} | {self._schema.weight}
        seen: dict[str, str] = {}
        for feature in self.features:
            if feature.output in kept:
                self.faults.append(
                    Fault(feature.key, "the output has the name of a target or weight", got=feature.output)
                )
            elif feature.output in seen:
                fix = f"Remove one of {seen[feature.output]} and {feature.key}, or rename a column."
                self.faults.append(Fault(feature.key, "two outputs have the same name", got=feature.output, fix=fix))
            seen.setdefault(feature.output, feature.key)
        for feature in self.features:
            if feature.column.name in _TAKEN and isinstance(feature.operator, Categorify | TargetEncoding):
                fix = "Rename the column in the data, or hash it."
                self.faults.append(
                    Fault(feature.key, "NVTabular has a column of this name itself", got=feature.column.name, fix=fix)
                )
        if not self.features and not self.faults and not self._recipe.module:
            self.faults.append(Fault("features", "the recipe has no feature", fix="Name columns with operators."))


def _named(features: list[Feature]) -> list[Feature]:
    """Gives suffixes to all but the first of the features that have the name of their column."""
    named: list[Feature] = []
    taken = False
    for feature in features:
        if feature.output == feature.column.name:
            if taken:
                suffix = _SUFFIXES["" if feature.operator is None else feature.operator.name]
                feature = dataclasses.replace(feature, output=feature.output + suffix)
            taken = True
        named.append(feature)
    return named


def _output(column: DataColumn, operator: Operator) -> str:
    """Name of the output of an operator that is not numeric."""
    if isinstance(operator, TargetEncoding):
        return f"TE_{column.name}_{operator.target}"
    if isinstance(operator, Cross):
        return "_x_".join([column.name, *operator.columns])
    if isinstance(operator, MeanBy):
        return f"{column.name}_mean_{operator.column}"
    if isinstance(operator, Vectors):
        return f"{column.name}_{operator.column}"
    if isinstance(operator, CountBy):
        return f"{column.name}_count"
    return f"{column.name}_{operator.name}" if operator.name in (*_DATES, "length") else column.name


def _is_key(column: DataColumn) -> bool:
    return not column.is_list and column.dtype != "float32"


def _type(column: DataColumn) -> str:
    if not column.is_list:
        return column.dtype
    return f"lists of {column.dtype}" if column.length is None else f"vectors of {column.length} {column.dtype}"


def misfit(column: DataColumn, operator: Operator) -> tuple[str, str] | None:
    """Type that an operator needs and what to change, if the column has another; else None."""
    as_name = "Use categorify or hash." if column.dtype != "float32" else "Use bucketize, or normalize."
    if operator.numeric or isinstance(operator, Bucketize):
        if column.dtype == "string" or (column.is_list and isinstance(operator, Bucketize)):
            return ("numbers", as_name)
    elif isinstance(operator, (Categorify, Hash)):
        if column.dtype == "float32":
            return ("int64 or string", as_name)
    elif isinstance(operator, (TargetEncoding, CountBy, MeanBy, Cross, Vectors)):
        if not _is_key(column):
            return ("a single int64 or string", "Use another operator." if column.is_list else as_name)
    elif isinstance(operator, (Slice, Length)):
        if not column.is_list or column.length is not None:
            return ("lists of any length", "Remove the operator.")
    elif not column.unit or column.is_list:
        return ("a time", "Name the column under columns.time.")
    return None


def _options(kind: type[Operator]) -> list[str]:
    return [field.alias or name for name, field in kind.model_fields.items()]


def _option_faults(key: str, kind: type[Operator], error: pydantic.ValidationError) -> Iterator[Fault]:
    """One fault for each option that cannot be used."""
    places: dict[str, list[str]] = {}
    known = _options(kind)
    for each in error.errors(include_url=False):
        option = str(each["loc"][0]) if each["loc"] else ""
        place = f"{key}.{option}" if option else key
        if each["type"] == "extra_forbidden":
            if known:
                yield unknown_name(place, "option", option, known)
            else:
                yield Fault(place, "the operator has no options", fix=f"Write {kind.name} alone.")
        elif each["type"] == "missing":
            yield Fault(place, "the option is missing", fix=f"Write {{{kind.name}: {{{option}: …}}}}.")
        else:
            text = each["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
            text = text.replace("greater than or equal to", "at least")
            places.setdefault(f"{place}|{each['input']!r:.60}", []).append(text)
    for place, texts in places.items():
        name, _, got = place.partition("|")
        yield Fault(name, "the value cannot be used", " or ".join(dict.fromkeys(texts)), got)
