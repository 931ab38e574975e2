"""Features of the user's own graph of NVTabular, translated into operators of a recipe."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError

from emrys.blocks.errors import ConfigError
from emrys.components.contracts.data_schema import DataColumn, DataSchema, Role
from emrys.components.contracts.settings import suggestion
from emrys.components.merlin_imports import import_without_tensorflow
from emrys.components.recipe import operators
from emrys.components.recipe.operators import Feature, Operator, misfit

nvt = import_without_tensorflow("nvtabular")

_KEY = "module"
#: Name of the function, where the module alone is named.
FUNCTION = "features"


@dataclasses.dataclass(frozen=True)
class _Column:
    """A column inside the graph: a raw column and what was done with it."""

    raw: DataColumn
    steps: tuple[Operator, ...] = ()
    keep: int = 0
    ids_of: str = ""
    others: tuple[DataColumn, ...] = ()

    @property
    def is_number(self) -> bool:
        return all(step.numeric for step in self.steps)


_Columns = dict[str, _Column]


def own_features(module: str, schema: DataSchema) -> tuple[Feature, ...]:
    """The features of the graph that a function of the user returns.

    Args:
        module: `package.module:function`; without a function, the one of the name `features`.
        schema: Columns and targets of the data.

    Returns:
        The features, in the order of the graph's columns.

    Raises:
        ConfigError: if the function cannot be called, or the graph holds an operator without an online form.
    """
    name, _, function = module.partition(":")
    try:
        imported = importlib.import_module(name)
    except Exception as error:  # anything may go wrong in the user's code
        is_absent = isinstance(error, ModuleNotFoundError) and f"{name}.".startswith(f"{error.name}.")
        fix = "Put its folder on PYTHONPATH, or install the package; on a cluster, into the image of the step."
        problem = f"module {name} cannot be imported ({type(error).__name__}: {error})"
        raise ConfigError(problem, fix=fix if is_absent else None) from error
    build = getattr(imported, function or FUNCTION, None)
    if not callable(build):
        raise ConfigError(f"module {name} has no function {function or FUNCTION!r}", fix=f"Name it as {name}:function.")
    try:
        graph = build()
    except Exception as error:  # anything may go wrong in the user's code
        raise ConfigError(f"the function {module} failed ({type(error).__name__}: {error})") from error
    if isinstance(graph, nvt.Workflow):
        graph = graph.output_node
    if not isinstance(graph, nvt.WorkflowNode):
        got = type(graph).__name__
        raise ConfigError(f"the function {module} returned no graph", expected="a WorkflowNode of NVTabular", got=got)
    columns = _Graph(module, schema).columns(graph)
    return tuple(
        Feature(output, column.raw, column.steps, _KEY, column.keep, column.ids_of, column.others)
        for output, column in columns.items()
    )


class _Graph:
    """Translation of the nodes of a graph."""

    def __init__(self, module: str, schema: DataSchema) -> None:
        self._module, self._schema = module, schema
        self._translations: Mapping[str, Callable[[Any, _Columns], _Columns]] = {
            "Categorify": self._categorify,
            "HashBucket": lambda op, columns: self._each(op, columns, operators.Hash, buckets=op.num_buckets),
            "HashedCross": self._cross,
            "Bucketize": lambda op, columns: self._each(op, columns, operators.Bucketize, boundaries=op.boundaries),
            "FillMissing": self._fill,
            "FillMedian": self._fill,
            "Clip": lambda op, columns: self._each(op, columns, operators.Clip, min=op.min_value, max=op.max_value),
            "LogOp": lambda op, columns: self._each(op, columns, operators.Log),
            "Normalize": self._normalize,
            "NormalizeMinMax": lambda op, columns: self._each(op, columns, operators.MinMax),
            "TargetEncoding": self._target_encoding,
            "ListSlice": self._list_slice,
            "Rename": self._rename,
        }

    def columns(self, node: Any) -> _Columns:
        """The columns that a node gives."""
        kind = type(node.op).__name__
        if kind == "SelectionOp":
            return self._select(node)
        parents: _Columns = {}
        for parent in node.parents_with_dependencies if kind == "ConcatColumns" else node.parents:
            parents.update(self.columns(parent))
        if kind == "ConcatColumns" or kind in _PASSED:
            return parents
        if kind in ("SubsetColumns", "SubtractionOp"):
            keeps = kind == "SubsetColumns"
            return {name: column for name, column in parents.items() if (name in node.selector.names) == keeps}
        if kind not in self._translations:
            name = "LambdaOp" if kind == "UDF" else kind
            raise self._refused(f"{name} has no online form", "one of " + ", ".join(self._translations))
        if kind in ("HashedCross", "Categorify"):
            parents = self._with_groups(kind, node, parents)
        return self._translations[kind](node.op, parents)

    def _select(self, node: Any) -> _Columns:
        known = {column.name: column for column in self._schema.columns}
        selector = node.selector
        if getattr(selector, "all", False) or getattr(selector, "tags", None):
            raise self._refused("a selection by tags or of all columns cannot be translated", "names of columns")
        columns = {}
        for name in selector.names:
            if name not in known or known[name].role in (Role.WEIGHT, Role.EVENT, Role.SOURCE):
                raise ConfigError(
                    f"the graph of {self._module} selects a column that is no feature",
                    column=name,
                    expected=", ".join(known),
                    fix=suggestion([name], known),
                )
            columns[name] = _Column(known[name])
        return columns

    def _with_groups(self, kind: str, node: Any, columns: _Columns) -> _Columns:
        """Marks the columns of nested lists: of a cross, or with joint ids."""
        selector = node.parents[0].selector if node.parents else None
        groups = [list(group.names) for group in getattr(selector, "subgroups", [])]
        if kind == "Categorify":
            for group in groups:
                first = group[0]
                columns = {
                    name: dataclasses.replace(column, ids_of=first) if name in group[1:] else column
                    for name, column in columns.items()
                }
            return columns
        return {
            "_X_".join(group): dataclasses.replace(columns[group[0]], others=tuple(columns[n].raw for n in group[1:]))
            for group in groups or [list(columns)]
        }

    def _each(self, op: Any, columns: _Columns, kind: type[Operator], **options: Any) -> _Columns:
        """Adds an operator to each column; options may be given by column."""
        made = {}
        for name, column in columns.items():
            own = {}
            for option, value in options.items():
                if callable(value):
                    own[option] = value(name)
                else:
                    own[option] = value[name] if isinstance(value, dict) else value
            made[name] = self._add(op, name, column, kind, own)
        return made

    def _add(self, op: Any, name: str, column: _Column, kind: type[Operator], options: Mapping[str, Any]) -> _Column:
        called = type(op).__name__
        try:
            operator = kind.model_validate(options)
        except ValidationError as error:
            texts = "; ".join(each["msg"] for each in error.errors(include_url=False))
            raise self._refused(f"the options of {called} have no online form ({texts})", column=name) from None
        expected = misfit(column.raw, operator)
        if expected is not None:
            raise self._refused(f"{called} does not fit the column", expected[0], column=name)
        if column.steps and not (operator.numeric and column.is_number):
            before = column.steps[-1].name
            raise self._refused(f"{called} after {before} has no online form", "a chain of numbers", column=name)
        return dataclasses.replace(column, steps=(*column.steps, operator))

    def _categorify(self, op: Any, columns: _Columns) -> _Columns:
        if op.encode_type != "joint" or op.vocabs or op.num_buckets:
            raise self._refused("Categorify with vocabs, num_buckets or combinations has no online form")
        return self._each(
            op, columns, operators.Categorify, min_count=op.freq_threshold, max_size=_by_column(op, columns)
        )

    def _fill(self, op: Any, columns: _Columns) -> _Columns:
        if op.add_binary_cols:
            raise self._refused(f"add_binary_cols of {type(op).__name__} has no online form")
        by = "median" if type(op).__name__ == "FillMedian" else op.fill_val
        return self._each(op, columns, operators.Fill, by=by)

    def _normalize(self, op: Any, columns: _Columns) -> _Columns:
        """Normalises; target encodings are normalised already."""
        made = {}
        for name, column in columns.items():
            is_encoded = bool(column.steps) and isinstance(column.steps[-1], operators.TargetEncoding)
            made[name] = column if is_encoded else self._add(op, name, column, operators.Normalize, {})
        return made

    def _target_encoding(self, op: Any, columns: _Columns) -> _Columns:
        targets = list(op.target.selector.names) if hasattr(op.target, "selector") else list(op.target.names)
        known = [target.name for target in self._schema.targets]
        known += [name for name in self._schema.of_role(Role.SOURCE)]
        made: _Columns = {}
        for target in targets:
            if target not in known:
                raise ConfigError("TargetEncoding has an unknown target", column=target, expected=", ".join(known))
            options = {"target": target, "folds": op.kfold, "smoothing": op.p_smooth}
            for name, column in columns.items():
                made[f"TE_{name}_{target}"] = self._add(op, name, column, operators.TargetEncoding, options)
        return made

    def _cross(self, op: Any, columns: _Columns) -> _Columns:
        buckets = op.num_buckets
        made = {}
        for name, column in columns.items():
            for each in column.others:
                if misfit(each, operators.Cross(columns=(each.name,), buckets=1)) is not None:
                    raise self._refused("HashedCross does not fit the column", "int64 or string", column=each.name)
            options = {"with": [each.name for each in column.others], "buckets": _of(buckets, name)}
            made[name] = self._add(op, name, column, operators.Cross, options)
        return made

    def _list_slice(self, op: Any, columns: _Columns) -> _Columns:
        last = op.start < 0 and op.end > 2**62
        if op.pad or not (last or op.start == 0):
            raise self._refused("ListSlice with padding or from the middle has no online form")
        keep = op.start if last else op.end
        made = {}
        for name, column in columns.items():
            if not column.raw.is_list or column.raw.length is not None:
                raise self._refused("ListSlice does not fit the column", "lists of any length", column=name)
            made[name] = dataclasses.replace(column, keep=keep)
        return made

    def _rename(self, op: Any, columns: _Columns) -> _Columns:
        names = {}
        for name, column in columns.items():
            if column.steps and isinstance(column.steps[-1], operators.TargetEncoding):
                raise self._refused("Rename of a target encoding has no online form", column=name)
            if op.f:
                names[name] = op.f(name)
            else:
                names[name] = name + op.postfix if op.postfix else op.name
        return {
            names[name]: dataclasses.replace(column, ids_of=names.get(column.ids_of, column.ids_of))
            for name, column in columns.items()
        }

    def _refused(self, problem: str, expected: str | None = None, column: str | None = None) -> ConfigError:
        return ConfigError(
            f"the graph of {self._module} cannot be served: {problem}",
            expected=expected,
            column=column,
            fix="Use other operators, or compute the column before the recipe reads it.",
        )


#: Operators that do not change values.
_PASSED = frozenset(
    {
        *("AddMetadata", "AddTags", "AddProperties", "ValueCount"),
        *("TagAsUserID", "TagAsItemID", "TagAsUserFeatures", "TagAsItemFeatures"),
    }
)


def _of(value: Any, name: str) -> Any:
    return value[name] if isinstance(value, dict) else value


def _by_column(op: Any, columns: _Columns) -> dict[str, int | None]:
    """Maximum number of ids of each column; NVTabular says 0 for none."""
    return {name: _of(op.max_size, name) or None for name in columns}
