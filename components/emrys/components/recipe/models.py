"""Models by name: the task, the options with their defaults, and what each needs of a log."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from emrys.components.contracts.data_schema import DataSchema, Role, Target, TargetKind
from emrys.components.recipe.faults import Fault, unknown_name
from emrys.components.recipe.recipe import Model, Recipe

#: Kind of model: scores of rows, or vectors of queries and items.
Task = Literal["ranking", "retrieval"]


def _number(value: object) -> object:
    """Refuses what pydantic would convert to a number: booleans and texts."""
    if isinstance(value, bool | str):
        raise ValueError("not a number")
    return value


Whole = Annotated[int, BeforeValidator(_number)]
Size = Annotated[int, BeforeValidator(_number), Field(ge=1)]
Number = Annotated[float, BeforeValidator(_number)]
Widths = tuple[Size, ...]


class ModelOptions(BaseModel):
    """Options that every model has."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    embedding_dim: Annotated[Size, Field(description="Width of the embeddings.")] = 16
    embeddings_l2: Annotated[
        Number, Field(ge=0, allow_inf_nan=False, description="Weight of the squared embeddings of a batch in the loss.")
    ] = 0.0


class _Regularized(ModelOptions):
    dropout: Annotated[Number, Field(ge=0, lt=1, description="Dropout rate.")] = 0.0


class RankingOptions(_Regularized):
    """Options of every ranking model."""

    task_layers: Annotated[
        Widths, Field(description="Widths of the layers of each target alone, before its head.")
    ] = ()


class DLRMOptions(RankingOptions):
    """Options of `dlrm`."""

    bottom_layers: Annotated[
        Widths, Field(description="Widths of the layers of the continuous features; `embedding_dim` is appended.")
    ] = (64,)
    top_layers: Annotated[Widths, Field(min_length=1, description="Widths of the layers after the interactions.")] = (
        128,
        64,
    )


class DCNOptions(RankingOptions):
    """Options of `dcn`."""

    depth: Annotated[Size, Field(description="Number of cross layers.")] = 3
    deep_layers: Annotated[Widths, Field(min_length=1, description="Widths of the layers of the deep part.")] = (
        256,
        128,
    )
    stacked: Annotated[bool, Field(description="Whether the deep part follows the cross layers; else beside them.")] = (
        True
    )


class DeepFMOptions(_Regularized):
    """Options of `deepfm`."""

    deep_layers: Annotated[Widths, Field(min_length=1, description="Widths of the layers of the deep part.")] = (
        128,
        64,
    )


class WideAndDeepOptions(DeepFMOptions):
    """Options of `wide-and-deep`."""


class MLPOptions(RankingOptions):
    """Options of `mlp`."""

    layers: Annotated[Widths, Field(min_length=1, description="Widths of the layers.")] = (256, 128)


class _ExpertOptions(RankingOptions):
    expert_layers: Annotated[Widths, Field(min_length=1, description="Widths of the layers of an expert.")] = (128, 64)
    task_layers: Annotated[Widths, Field(description="Widths of the layers of each target alone, before its head.")] = (
        32,
    )


class MMOEOptions(_ExpertOptions):
    """Options of `mmoe`."""

    num_experts: Annotated[Size, Field(description="Number of experts.")] = 4


class CGCOptions(_ExpertOptions):
    """Options of `cgc`."""

    num_task_experts: Annotated[Size, Field(description="Number of experts of each target.")] = 1
    num_shared_experts: Annotated[Size, Field(description="Number of shared experts.")] = 2


class PLEOptions(CGCOptions):
    """Options of `ple`."""

    num_layers: Annotated[Size, Field(description="Number of layers of experts.")] = 2


class TowerOptions(_Regularized):
    """Options of `two-tower` and `youtube-dnn`."""

    embedding_dim: Annotated[Size, Field(description="Width of the embeddings.")] = 64
    tower_layers: Annotated[
        Widths, Field(min_length=1, description="Widths of the layers; the last is linear, the size of the vectors.")
    ] = (64,)


class MatrixFactorizationOptions(ModelOptions):
    """Options of `matrix-factorization`."""

    embedding_dim: Annotated[Size, Field(description="Size of the vectors.")] = 64


class LastItemOptions(ModelOptions):
    """Options of `last-item`."""

    embedding_dim: Annotated[Size, Field(description="Size of the vectors.")] = 64
    num_sampled: Annotated[
        Whole, Field(ge=0, description="Number of sampled negatives; 0 for all items, best up to some 10,000.")
    ] = 0


class TransformerOptions(LastItemOptions):
    """Options of `gpt2` and `bert4rec`."""

    dropout: Annotated[Number, Field(ge=0, lt=1, description="Dropout rate.")] = 0.0
    num_heads: Annotated[Size, Field(description="Number of attention heads; it divides `embedding_dim`.")] = 2
    num_layers: Annotated[Size, Field(description="Number of layers.")] = 2
    max_length: Annotated[Size, Field(description="Number of items of the history that are read, the last ones.")] = 50

    @model_validator(mode="after")
    def _heads(self) -> Self:
        if self.embedding_dim % self.num_heads:
            raise ValueError(f"num_heads must divide embedding_dim; got {self.num_heads} and {self.embedding_dim}")
        return self


@dataclasses.dataclass(frozen=True)
class ModelKind:
    """A model that a recipe can name.

    Args:
        task: `ranking` or `retrieval`.
        options: Schema of its options.
        needs: Roles that the log must have.
        targets: Kinds of targets that it can predict.
        fewest_targets: Minimum number of targets.
        most_targets: Maximum number of targets; None for any number.
        sessions: Whether it is a model of sequences, for sessions.
    """

    task: Task
    options: type[ModelOptions]
    needs: tuple[Role, ...] = ()
    targets: frozenset[TargetKind] = frozenset(TargetKind)
    fewest_targets: int = 1
    most_targets: int | None = None
    sessions: bool = False


def _retrieval(options: type[ModelOptions], *needs: Role, sessions: bool = False) -> ModelKind:
    binary = frozenset([TargetKind.BINARY])
    return ModelKind("retrieval", options, needs, binary, fewest_targets=0, most_targets=1, sessions=sessions)


_ONE_LOGIT = frozenset([TargetKind.BINARY, TargetKind.REGRESSION])
_SEQUENCES = (Role.ITEM_ID, Role.HISTORY)

MODELS: Mapping[str, ModelKind] = MappingProxyType(
    {
        "dlrm": ModelKind("ranking", DLRMOptions),
        "dcn": ModelKind("ranking", DCNOptions),
        # The sum of parts is one number for each row, which is too little for several classes or targets.
        "deepfm": ModelKind("ranking", DeepFMOptions, targets=_ONE_LOGIT, most_targets=1),
        "wide-and-deep": ModelKind("ranking", WideAndDeepOptions, targets=_ONE_LOGIT, most_targets=1),
        "mlp": ModelKind("ranking", MLPOptions),
        "mmoe": ModelKind("ranking", MMOEOptions, fewest_targets=2),
        "cgc": ModelKind("ranking", CGCOptions, fewest_targets=2),
        "ple": ModelKind("ranking", PLEOptions, fewest_targets=2),
        "two-tower": _retrieval(TowerOptions, Role.USER_ID, Role.ITEM_ID),
        "matrix-factorization": _retrieval(MatrixFactorizationOptions, Role.USER_ID, Role.ITEM_ID),
        "youtube-dnn": _retrieval(TowerOptions, *_SEQUENCES),
        "gpt2": _retrieval(TransformerOptions, *_SEQUENCES, sessions=True),
        "bert4rec": _retrieval(TransformerOptions, *_SEQUENCES, sessions=True),
        "last-item": _retrieval(LastItemOptions, *_SEQUENCES, sessions=True),
    }
)


def check_model(recipe: Recipe, schema: DataSchema) -> list[Fault]:
    """Faults of the section `model`, all at once.

    Args:
        recipe: The recipe.
        schema: The data schema that it gives.
    """
    model = recipe.model
    faults = [*_target_faults(model, schema)]
    if not model.name:  # a model of one's own checks its options itself
        return faults
    kind = MODELS.get(model.name)
    if kind is None:
        return [unknown_name("model.name", "model", model.name, list(MODELS)), *faults]
    return [*option_faults(model.name, model.options), *faults, *_fit_faults(model, kind, schema)]


def option_faults(name: str, options: Mapping[str, Any]) -> list[Fault]:
    """Faults of the options of a model.

    Args:
        name: Name of the model, one of `MODELS`.
        options: The options by name.
    """
    kind = MODELS[name].options
    try:
        kind.model_validate(dict(options))
    except ValidationError as error:
        return [_option_fault(name, kind, each) for each in error.errors(include_url=False)]
    return []


def _option_fault(name: str, kind: type[ModelOptions], error: Any) -> Fault:
    key = ".".join(["model", *map(str, error["loc"])])
    if error["type"] == "extra_forbidden":
        return unknown_name(key, f"option of {name}", str(error["loc"][0]), list(kind.model_fields))
    if error["type"] == "value_error" and not error["loc"]:
        return Fault(key, str(error["ctx"]["error"]))
    return Fault(key, "the value cannot be used", _expected(error), repr(error["input"]))


#: Expected values by type of pydantic's errors, with the limit.
_EXPECTED = {
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "too_short": "at least {min_length} width",
    "value_error": "a number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "tuple_type": "a list of widths",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
}


def _expected(error: Any) -> str:
    text = _EXPECTED.get(error["type"], str(error["msg"]).removeprefix("Input should be "))
    return text.format(**error.get("ctx", {}))


def _target_faults(model: Model, schema: DataSchema) -> Iterator[Fault]:
    """Names in `tasks` and `sample_space` that are no targets, and values that cannot be used."""
    known = {target.name: target for target in schema.targets}
    for name, weight in model.tasks.items():
        if name not in known:
            yield unknown_name(f"model.tasks.{name}", "target", name, list(known))
        if not (math.isfinite(weight) and weight > 0):
            yield Fault(f"model.tasks.{name}", "the value cannot be used", "a weight above 0", str(weight))
    for name, space in model.sample_space.items():
        key = f"model.sample_space.{name}"
        for each in (name, space):
            if each not in known:
                yield unknown_name(key, "target", each, list(known))
        if name == space:
            yield Fault(key, "a target cannot be its own sample space")
        elif space in known and known[space].kind is not TargetKind.BINARY:
            yield Fault(key, "a sample space is a binary target", got=known[space].kind.value)
        if model.tasks and name in known and name not in model.tasks:
            yield Fault(key, "the target is none of the tasks", ", ".join(model.tasks), name)


def model_targets(model: Model, schema: DataSchema) -> tuple[Target, ...]:
    """The targets that a model predicts: those of `tasks`, or all; for retrieval, the first at most."""
    kind = MODELS.get(model.name)
    names = list(model.tasks) or [target.name for target in schema.targets]
    chosen = tuple(target for target in schema.targets if target.name in names)
    return chosen[:1] if kind is not None and kind.task == "retrieval" and not model.tasks else chosen


def _fit_faults(model: Model, kind: ModelKind, schema: DataSchema) -> Iterator[Fault]:
    """Needs of a model that the log does not meet."""
    targets = model_targets(model, schema)
    if len(targets) < kind.fewest_targets:
        fix = "Name another target in columns.targets."
        if kind.fewest_targets > 1 and targets:
            fix = f"Name another target, or take one of {', '.join(_other_models(kind, len(targets)))}."
        yield Fault(
            "model.name", f"{model.name} needs more targets", f"at least {kind.fewest_targets}", str(len(targets)), fix
        )
    if kind.most_targets is not None and len(targets) > kind.most_targets:
        names = ", ".join(target.name for target in targets)
        fix = f"Name one of them in model.tasks, or take one of {', '.join(_other_models(kind, len(targets)))}."
        yield Fault("model.name", f"{model.name} predicts a single target", "one", names, fix)
    for target in targets:
        if target.kind not in kind.targets:
            yield _wrong_kind(model, kind, target)
    for role in kind.needs:
        if not _has(schema, role):
            yield _missing_role(model.name, role, schema)


def _other_models(kind: ModelKind, targets: int) -> list[str]:
    return [
        name
        for name, other in MODELS.items()
        if other.task == "ranking" and other.fewest_targets <= targets <= (other.most_targets or targets)
    ]


def _wrong_kind(model: Model, kind: ModelKind, target: Target) -> Fault:
    able = [name for name, other in MODELS.items() if target.kind in other.targets]
    fix = f"Take one of {', '.join(able)}."
    if kind.task == "retrieval":
        fix = "Give columns.targets a binary target, such as {from: a column, above: a number}, or feedback: implicit."
    expected = " or ".join(sorted(each.value for each in kind.targets))
    return Fault("model.name", f"{model.name} cannot predict {target.name!r}", f"a target of the kind {expected}",
                 target.kind.value, fix)  # fmt: skip


def _has(schema: DataSchema, role: Role) -> bool:
    if role is Role.HISTORY:
        return any(
            column.role is role and schema.item_id is not None and column.history_of == schema.item_id
            for column in schema.columns
        )
    return bool(schema.of_role(role))


def _missing_role(name: str, role: Role, schema: DataSchema) -> Fault:
    if role is Role.HISTORY:
        item = schema.item_id or "the item id"
        fix = f"Add a history to features, such as recent: {{history_of: {item}, length: 50}}."
        return Fault("model.name", f"{name} needs a history of items", fix=fix)
    fix = f"Name its column in columns.{role.value}."
    return Fault("model.name", f"{name} needs the role {role.value}", "a column", "none", fix)
