"""Metrics, baselines and the gate of a recipe, by the kind of the target."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from emrys.components.contracts.data_schema import DataSchema, TargetKind
from emrys.components.contracts.measured_rows import NEW
from emrys.components.recipe.faults import Fault, one_of, unknown_name
from emrys.components.recipe.models import MODELS, model_targets
from emrys.components.recipe.recipe import Recipe

#: Kinds of evaluations: the kinds of targets, and retrieval.
Kind = Literal["binary", "regression", "classes", "retrieval"]
Unit = Literal["user", "session", "row"]
#: Kind of the evaluation of a target.
KINDS: Mapping[TargetKind, Kind] = {
    TargetKind.BINARY: "binary",
    TargetKind.REGRESSION: "regression",
    TargetKind.CLASSES: "classes",
}

#: Metrics by kind; those of `_RANKED` have a length of the list, `ndcg@10` or `ndcg_at_10`.
_METRICS: dict[str, tuple[str, ...]] = {
    "binary": (
        "auc",
        "log_loss",
        "brier",
        "calibration_error",
        "normalized_entropy",
        "auc_by_user",
        "ndcg",
        "mrr",
        "recall",
    ),
    "regression": ("rmse", "mae", "mse"),
    "classes": ("accuracy", "log_loss"),
    "retrieval": ("ndcg", "recall", "mrr", "coverage", "novelty"),
}
#: Metrics of retrieval, each at a length of the list.
RETRIEVAL_METRICS = _METRICS["retrieval"]
_RANKED = frozenset({"ndcg", "mrr", "recall", "coverage", "novelty"})
#: Metrics of a binary target that need a user.
_OF_USERS = frozenset({"auc_by_user", "ndcg", "mrr", "recall"})
#: Baselines by kind.
_BASELINES: dict[str, tuple[str, ...]] = {
    "binary": ("mean_baseline", "popularity", "constant"),
    "regression": ("mean_baseline", "constant"),
    "classes": ("constant",),
    "retrieval": ("popularity", "last_item"),
}
#: Metrics of which there are figures for new users and new items.
COLD_METRICS: dict[str, tuple[str, ...]] = {
    "binary": ("auc", "log_loss"),
    "regression": ("rmse", "mae"),
    "classes": ("accuracy", "log_loss"),
    "retrieval": (),
}
#: Metrics of scores that need not be probabilities.
_OF_ORDER = frozenset({"auc", "auc_by_user", "ndcg", "mrr", "recall"})
#: Keys of a gate that are no metrics.
_GATE_KEYS = ("better_than", "slice_margin")


def metric_name(text: str) -> str:
    """The name of a metric in evaluations: `ndcg_at_10` for `ndcg@10`."""
    return re.sub(r"\s*@\s*", "_at_", text.strip())


def metric_parts(name: str) -> tuple[str, int | None]:
    """Name and length of the list of a metric: (`ndcg`, 10) for `ndcg_at_10`, (`auc`, None) for `auc`."""
    match = re.fullmatch(r"(.+)_at_([1-9]\d*)", metric_name(name))
    return (match[1], int(match[2])) if match else (metric_name(name), None)


def metrics_of(
    kind: Kind, asked: Sequence[str], schema: DataSchema, k: int = 10, recall_k: int | None = None
) -> tuple[str, ...]:
    """Metrics that are measured for a target, or for retrieval; the first is the main one.

    Args:
        kind: Kind of the target, or `retrieval`.
        asked: Metrics of the recipe, for all targets; those of other kinds are ignored. Empty for the default.
        schema: The data schema.
        k: Length of the list by default.
        recall_k: Length of the list for recall by default; None for `k`.
    """
    if asked:
        fitting = [name for name in map(metric_name, asked) if metric_parts(name)[0] in _METRICS[kind]]
        return tuple(dict.fromkeys(name for name in fitting if _fits(name, kind, schema)))
    lengths = {"recall": recall_k or k}
    names = [name for name in _METRICS[kind] if _fits(name, kind, schema)]
    return tuple(f"{name}_at_{lengths.get(name, k)}" if name in _RANKED else name for name in names)


def baselines_of(kind: Kind, asked: Sequence[str] | None, schema: DataSchema) -> tuple[str, ...]:
    """Baselines of a target, or of retrieval.

    Args:
        kind: Kind of the target, or `retrieval`.
        asked: Baselines of the recipe, for all targets; those that a kind lacks are ignored. None for the default.
        schema: The data schema.
    """
    has_user, has_item = schema.user_id is not None, schema.item_id is not None
    there = {"mean_baseline": has_user or has_item, "popularity": has_item}
    known = [name for name in _BASELINES[kind] if kind == "retrieval" or there.get(name, True)]
    return tuple(known if asked is None else [name for name in dict.fromkeys(asked) if name in known])


def task_of(recipe: Recipe, schema: DataSchema) -> Literal["ranking", "retrieval"]:
    """Task of the recipe's model; of a model of the user's own, retrieval if there is no target."""
    if recipe.model.name in MODELS:
        return MODELS[recipe.model.name].task
    return "retrieval" if schema.is_implicit else "ranking"


def unit_of(asked: str, schema: DataSchema) -> Unit:
    """Unit that the bootstrap resamples: that of the recipe, otherwise users, sessions or rows, as there are."""
    if asked in ("user", "session", "row"):
        return asked  # type: ignore[return-value] # one of the literals
    return "user" if schema.user_id else "session" if schema.session_id else "row"


def session_asks(recipe: Recipe) -> bool:
    """Whether in an evaluation of retrieval the session asks, rather than the user, where there are both."""
    kind = MODELS.get(recipe.model.name)
    return recipe.split.by == "session" or (kind is not None and kind.sessions)


def query_unit(recipe: Recipe, schema: DataSchema) -> Literal["user", "session"]:
    """Who asks in an evaluation of retrieval: the session where it should, and without users; otherwise the user."""
    if schema.session_id is None:
        return "user"
    return "session" if session_asks(recipe) or schema.user_id is None else "user"


@dataclasses.dataclass(frozen=True)
class GateSettings:
    """Minimum values of a gate.

    Args:
        promote: Whether a model may pass at all.
        thresholds: Minimum by metric, or maximum if lower is better.
        comparisons: Pairs of a metric and a baseline that the model must beat at the lower confidence bound.
        metrics: Main metric of each target, by which the model is compared with the one in production.
        slice_margin: Minimum lift in every slice; None if slices are not compared.
    """

    promote: bool
    thresholds: Mapping[str, float]
    comparisons: tuple[tuple[str, str], ...]
    metrics: tuple[str, ...]
    slice_margin: float | None = None


def gate_settings(recipe: Recipe, schema: DataSchema, k: int = 10, recall_k: int = 50) -> GateSettings:
    """Settings of the gate.

    Without `gate` the model must beat each baseline by the main metric of each target. `gate: none` never promotes. A
    mapping is taken as it stands, and nothing is added: `{auc: 0.7}` compares with no baseline. A metric without a
    target means each of the targets that have it.

    Args:
        recipe: The recipe, without faults of `check_evaluation`.
        schema: The data schema.
        k: Length of the lists in the evaluation, if the recipe names no metrics.
        recall_k: Length of the list for recall in an evaluation of retrieval, if the recipe names no metrics.
    """
    measured = _measured(recipe, schema, k, recall_k)
    main = tuple(each.names[0] for each in measured if each.names)
    if recipe.gate == "none":
        return GateSettings(False, {}, (), main)
    if recipe.gate is None:
        return GateSettings(True, {}, tuple(pair for each in measured for pair in each.comparisons()), main)
    gate = dict(recipe.gate)
    thresholds = {
        name: float(value) for key, value in gate.items() if key not in _GATE_KEYS for name in _expanded(key, measured)
    }
    better = _names(gate.get("better_than"))
    comparisons = tuple(pair for each in measured for pair in each.comparisons() if pair[1] in better)
    margin = gate.get("slice_margin")
    return GateSettings(True, thresholds, comparisons, main, None if margin is None else float(margin))


def check_evaluation(recipe: Recipe, schema: DataSchema) -> list[Fault]:
    """Faults of the sections `evaluate` and `gate`.

    Args:
        recipe: The recipe.
        schema: The data schema that it gives.
    """
    kinds = _kinds(recipe, schema)
    faults = [
        *(fault for name in recipe.evaluate.metrics for fault in _metric_faults(name, kinds, schema)),
        *_unmeasured_targets(recipe, kinds, schema),
        *_baseline_faults("evaluate.baselines", recipe.evaluate.baselines or (), kinds, schema),
        *_unit_faults(recipe, schema),
        *_slice_faults(recipe, schema),
    ]
    return faults if isinstance(recipe.gate, str) or recipe.gate is None else [*faults, *_gate_faults(recipe, schema)]


@dataclasses.dataclass(frozen=True)
class _Measured:
    """Metrics and baselines of a target, or of retrieval."""

    names: tuple[str, ...]
    baselines: tuple[str, ...]

    def comparisons(self) -> list[tuple[str, str]]:
        """Pairs of the main metric and each baseline that has it."""
        if not self.names:
            return []
        main = self.names[0]
        plain = metric_parts(main.rpartition("/")[2])[0]
        # The number of rows of an item is no probability.
        return [(main, name) for name in self.baselines if name != "popularity" or plain in {*_OF_ORDER, *_RANKED}]


def _measured(recipe: Recipe, schema: DataSchema, k: int = 10, recall_k: int = 50) -> list[_Measured]:
    asked, baselines = recipe.evaluate.metrics, recipe.evaluate.baselines
    several = len(schema.targets) > 1
    found = []
    for target, kind in _kinds(recipe, schema).items():
        names = metrics_of(kind, asked, schema, k, recall_k if kind == "retrieval" else None)
        prefix = f"{target}/" if several and kind != "retrieval" else ""
        found.append(_Measured(tuple(prefix + name for name in names), baselines_of(kind, baselines, schema)))
    return found


def _kinds(recipe: Recipe, schema: DataSchema) -> dict[str, Kind]:
    """Kind of each evaluation, by target; retrieval has the empty name."""
    if task_of(recipe, schema) == "retrieval":
        return {"": "retrieval"}
    return {target.name: KINDS[target.kind] for target in model_targets(recipe.model, schema)}


def _fits(name: str, kind: Kind, schema: DataSchema) -> bool:
    return kind != "binary" or schema.user_id is not None or metric_parts(name)[0] not in _OF_USERS


def _spellings(kinds: Sequence[Kind], schema: DataSchema) -> list[str]:
    names = [name for kind in kinds for name in _METRICS[kind] if _fits(name, kind, schema)]
    return list(dict.fromkeys(f"{name}@10" if name in _RANKED else name for name in names))


def _metric_faults(text: str, kinds: Mapping[str, Kind], schema: DataSchema) -> list[Fault]:
    key = "evaluate.metrics"
    name, length = metric_parts(text)
    fitting = _spellings(list(kinds.values()), schema)
    everything = {each for names in _METRICS.values() for each in names}
    if name not in everything:
        return [unknown_name(key, "metric", text, fitting)]
    if name in _RANKED and length is None:
        return [Fault(key, "the metric needs the length of a list", f"{name}@10", repr(text))]
    if name not in _RANKED and length is not None:
        return [Fault(key, "the metric has no length of a list", name, repr(text))]
    if not any(name in _METRICS[kind] for kind in kinds.values()):
        what = ", ".join(dict.fromkeys(kinds.values())) or "no target"
        return [Fault(key, f"the metric does not fit {what}", one_of(fitting), repr(text))]
    if not any(name in _METRICS[kind] and _fits(name, kind, schema) for kind in kinds.values()):
        return [
            Fault(key, "the metric needs a user", one_of(fitting), repr(text), "Name the column in `columns.user_id`.")
        ]
    return []


def _unmeasured_targets(recipe: Recipe, kinds: Mapping[str, Kind], schema: DataSchema) -> list[Fault]:
    """Targets of which the metrics of the recipe measure nothing, where they measure others."""
    asked = recipe.evaluate.metrics
    empty = [target for target, kind in kinds.items() if asked and not metrics_of(kind, asked, schema)]
    if len(empty) == len(kinds):
        return []  # each of the metrics has a fault of its own
    key = "evaluate.metrics"
    return [
        Fault(key, f"no metric fits the target {target!r}", one_of(_spellings([kinds[target]], schema)))
        for target in empty
    ]


def _baseline_faults(key: str, names: Sequence[str], kinds: Mapping[str, Kind], schema: DataSchema) -> list[Fault]:
    known = list(dict.fromkeys(name for kind in kinds.values() for name in baselines_of(kind, None, schema)))
    everything = {name for baselines in _BASELINES.values() for name in baselines}
    faults = []
    for name in names:
        if name in known:
            continue
        if name in everything:
            problem = "the baseline does not fit the targets and the columns"
            faults.append(Fault(key, problem, one_of(known), repr(name)))
        else:
            faults.append(unknown_name(key, "baseline", name, known))
    return faults


def _unit_faults(recipe: Recipe, schema: DataSchema) -> list[Fault]:
    asked = recipe.evaluate.bootstrap_by
    column = {"user": schema.user_id, "session": schema.session_id}
    if asked in column and column[asked] is None:
        fix = f"Name the column in `columns.{asked}_id`, or leave out `bootstrap_by`."
        return [Fault("evaluate.bootstrap_by", f"there is no {asked}", got=repr(asked), fix=fix)]
    if asked and task_of(recipe, schema) == "retrieval" and asked != query_unit(recipe, schema):
        problem, expected = "the bootstrap of recommendations draws queries", query_unit(recipe, schema)
        return [Fault("evaluate.bootstrap_by", problem, expected, repr(asked), "Leave out `bootstrap_by`.")]
    return []


def _slice_faults(recipe: Recipe, schema: DataSchema) -> list[Fault]:
    faults = []
    people = {name for name in (schema.user_id, schema.session_id) if name is not None}
    for name in recipe.evaluate.slices or ():
        if name not in schema.names:
            faults.append(unknown_name("evaluate.slices", "column", name, schema.names))
        elif schema.column(name).is_list:
            faults.append(Fault("evaluate.slices", "the column has lists", "a column of single values", repr(name)))
        elif name in people and not recipe.evaluate.show_ids:
            fix = "Set `evaluate.show_ids: true` if reports may show ids of people."
            faults.append(Fault("evaluate.slices", "the column has ids of people", got=repr(name), fix=fix))
    return faults


def _gate_faults(recipe: Recipe, schema: DataSchema) -> list[Fault]:
    gate: dict[str, Any] = dict(recipe.gate) if isinstance(recipe.gate, Mapping) else {}
    measured = _measured(recipe, schema)
    faults = []
    if not gate:
        fix = "Leave out `gate` for the default, or write `gate: none` for a model that is never promoted."
        faults.append(Fault("gate", "the gate has no condition, so that no model passes", fix=fix))
    for key, value in gate.items():
        if key == "better_than":
            faults += _better_than_faults(value, recipe, schema, measured)
            continue
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            faults.append(Fault(f"gate.{key}", "the value cannot be used", "a number", repr(value)))
        if key != "slice_margin" and not _expanded(key, measured):
            names = [name for each in measured for name in each.names]
            faults.append(_unmeasured(key, names, recipe, schema))
    return faults


def _unmeasured(key: str, names: list[str], recipe: Recipe, schema: DataSchema) -> Fault:
    plain = metric_parts(key.rpartition("/")[2])[0]
    kinds = _kinds(recipe, schema)
    if (
        any(plain in _METRICS[kind] and _fits(plain, kind, schema) for kind in kinds.values())
        and recipe.evaluate.metrics
    ):
        spelling = key.rpartition("/")[2]
        return Fault(
            f"gate.{key}", "the metric is not measured", one_of(names), fix=f"Add {spelling!r} to `evaluate.metrics`."
        )
    return unknown_name(f"gate.{key}", "metric in this evaluation", key, [*names, "better_than", "slice_margin"])


def _better_than_faults(
    value: object, recipe: Recipe, schema: DataSchema, measured: Sequence[_Measured]
) -> list[Fault]:
    if not isinstance(value, (str, Sequence)) or not all(isinstance(name, str) for name in value):
        return [Fault("gate.better_than", "the value cannot be used", "a list of baselines", repr(value))]
    names = _names(value)
    faults = _baseline_faults("gate.better_than", names, _kinds(recipe, schema), schema)
    unknown = {fault.got for fault in faults}
    for name in names:
        if repr(name) in unknown:
            continue
        if not any(name in each.baselines for each in measured):
            fix = f"Add {name!r} to `evaluate.baselines`."
            faults.append(Fault("gate.better_than", "the baseline is not measured", got=repr(name), fix=fix))
        elif all(each.names and name not in [pair[1] for pair in each.comparisons()] for each in measured):
            main = ", ".join(each.names[0] for each in measured)
            problem = f"the baseline has no {main}"
            fix = "Put a metric of ranks, such as auc, first in `evaluate.metrics`, or leave out the baseline."
            faults.append(Fault("gate.better_than", problem, got=repr(name), fix=fix))
    return faults


def _names(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    return tuple(str(name) for name in value) if isinstance(value, Sequence) else ()


def _expanded(key: str, measured: Sequence[_Measured]) -> list[str]:
    """Measured metrics that a key of the gate means; none if it was not measured."""
    wanted = metric_name(key)
    end = next((end for end in NEW if wanted.endswith(end)), "")
    plain = wanted.removesuffix(end)
    found = []
    for each in measured:
        for name in each.names:
            if plain in (name, name.rpartition("/")[2]):
                found.append(name + end)
    return found
