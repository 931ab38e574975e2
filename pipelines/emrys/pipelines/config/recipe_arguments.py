"""Translation of a recipe into the arguments of a pipeline."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from emrys.components.contracts.data_schema import DataSchema
from emrys.components.recipe.builtin import NAMES
from emrys.components.recipe.contradictions import target_columns
from emrys.components.recipe.evaluation import metric_parts, task_of
from emrys.components.recipe.models import MODELS
from emrys.components.recipe.recipe import DataSource, FeatureSteps, History, Recipe, SideTable
from emrys.components.recipe.splits import split_of
from emrys.pipelines.config.parameters import PipelineParameters
from emrys.pipelines.config.ranking_config import RankingParameters
from emrys.pipelines.config.retrieval_config import RetrievalParameters

_PARAMETERS: Mapping[str, type[PipelineParameters]] = {"ranking": RankingParameters, "retrieval": RetrievalParameters}

#: Training of a log that nobody has tuned, by task; a recipe overrides each.
_TRAINING: Mapping[str, Mapping[str, Any]] = {
    "ranking": {
        **{"epochs": 20, "batch_size": 0, "learning_rate": 0.001, "ema_momentum": 0.0},
        **{"patience": 4, "monitor": "val_loss"},
    },
    "retrieval": {
        **{"epochs": 40, "batch_size": 0, "learning_rate": 0.003, "ema_momentum": 0.0},
        **{"patience": 4, "monitor": "val_ndcg_at_10"},
    },
}
#: Options of models that are parameters of a pipeline, with the value that leaves them to the recipe.
_OPTIONS: Mapping[str, Any] = {
    **{"embedding_dim": 0, "dropout": -1.0, "embeddings_l2": -1.0},
    **{"bottom_layers": (), "top_layers": (), "tower_layers": ()},
}


def pipeline_of(recipe: Recipe, schema: DataSchema | None = None) -> str:
    """Name of the pipeline that trains the model of a recipe.

    Args:
        recipe: The recipe.
        schema: The data schema that it gives, which decides about a model of the user's own. Default: not known.
    """
    if schema is not None:
        return task_of(recipe, schema)
    kind = MODELS.get(recipe.model.name)
    if kind is not None:
        return kind.task
    return "retrieval" if recipe.columns.feedback == "implicit" else "ranking"


def arguments_of(recipe: Recipe, schema: DataSchema | None = None) -> dict[str, Any]:
    """Arguments of the pipeline of a recipe.

    Where the recipe says nothing, they have neutral defaults: no dropout, no L2 regularization, early stopping. What is
    left to the steps is empty, zero or negative.

    Args:
        recipe: The recipe, with the paths that the steps read.
        schema: The data schema that it gives. Default: not known, so that what depends on it is left to the steps.

    Returns:
        The arguments by name, as JSON values.
    """
    pipeline = pipeline_of(recipe, schema)
    split = recipe.split if schema is None else split_of(recipe, schema)
    is_said = split.by is not None
    arguments: dict[str, Any] = {
        "recipe": _with_order(recipe).model_dump(mode="json", by_alias=True, exclude_unset=True),
        "dataset": recipe.data.path if isinstance(recipe.data.path, str) else "; ".join(recipe.data.path),
        "split": split.by or "",
        "valid_fraction": split.valid if is_said else 0.0,
        "test_fraction": split.test if is_said else 0.0,
        "synthetic_rows": recipe.data.rows,
        "cache_dir": recipe.data.cache_dir,
        "column_limits": {name: dict(limits) for name, limits in recipe.validation.columns.items()},
        "check_severity": dict(recipe.validation.severity),
        "freq_threshold": -1,
        "folds": 0,
        "smoothing": -1.0,
        "history": max((each.length for each in _histories(recipe)), default=0),
        "architecture": recipe.model.name,
        **_training(recipe, pipeline),
        **_model_options(recipe),
        "thresholds": {},  # the gate of the recipe applies
        **_lengths(recipe),
        "top_k": recipe.serve.top_k,
        "model_name": recipe.serve.name or pipeline,
    }
    known = {field.name for field in dataclasses.fields(_PARAMETERS[pipeline])}
    return {name: _plain(value) for name, value in arguments.items() if name in known}


def _with_order(recipe: Recipe) -> Recipe:
    """The recipe with the order of its targets said, since pipelines sort the keys of a mapping."""
    order = tuple(target_columns(recipe.columns))
    if len(order) < 2:
        return recipe
    return recipe.model_copy(update={"columns": recipe.columns.model_copy(update={"order": order})})


def with_absolute_paths(recipe: Recipe, folder: Path) -> Recipe:
    """The recipe with paths that do not depend on the working directory.

    Args:
        recipe: A recipe whose paths are relative to a folder; names of data sets and URIs stay as they are.
        folder: The folder, that of the recipe's file.
    """
    data: dict[str, Any] = {}
    if recipe.data.path and recipe.data.reader != "synthetic":
        data["path"] = _absolute(recipe.data, folder)
    if recipe.data.cache_dir:
        data["cache_dir"] = _resolved(recipe.data.cache_dir, folder)
    tables = {
        name: table.model_copy(update={"path": _absolute(table, folder)}) for name, table in recipe.tables.items()
    }
    update: dict[str, Any] = {"data": recipe.data.model_copy(update=data)}
    if tables:
        update["tables"] = tables
    if recipe.features:
        update["features"] = {
            name: _with_absolute_vectors(steps, folder) if isinstance(steps, tuple) else steps
            for name, steps in recipe.features.items()
        }
    return recipe.model_copy(update=update)


def local_paths(recipe: Recipe) -> list[Path]:
    """Files and folders of this machine that a recipe with absolute paths reads; of a glob, the folder above it."""
    said: list[str] = []
    for path in (recipe.data.path, *(table.path for table in recipe.tables.values())):
        said += [path] if isinstance(path, str) else path
    for steps in (recipe.features or {}).values():
        said += [_vectors(step) for step in steps if _vectors(step)] if isinstance(steps, tuple) else []
    found = []
    for text in said:
        file = Path(text.removeprefix("file://"))
        while any(sign in part for part in file.parts for sign in "*?["):
            file = file.parent
        if file.is_absolute() and file.exists():
            found.append(file)
    return found


def _training(recipe: Recipe, pipeline: str) -> dict[str, Any]:
    said = recipe.train.model_dump(exclude_none=True)
    defaults = dict(_TRAINING[pipeline])
    kind = MODELS.get(recipe.model.name)
    if not recipe.columns.user_id and kind is not None and kind.sessions:
        defaults["monitor"] = "val_loss"  # metrics of the catalogue are those of users
    return {name: said.get(name) or value for name, value in defaults.items()}


def _model_options(recipe: Recipe) -> dict[str, Any]:
    kind = MODELS.get(recipe.model.name)
    options = {} if kind is None else kind.options.model_validate(recipe.model.options).model_dump()
    return {name: options.get(name, left) for name, left in _OPTIONS.items()}


def _lengths(recipe: Recipe) -> dict[str, int]:
    """Lengths of the lists of the metrics that the recipe names."""
    lengths: dict[str, int] = {}
    for metric in recipe.evaluate.metrics:
        name, length = metric_parts(metric)
        if length is not None:
            lengths.setdefault("recall_k" if name == "recall" else "k", length)
    return lengths


def _histories(recipe: Recipe) -> list[History]:
    return [each for each in (recipe.features or {}).values() if isinstance(each, History)]


def _absolute(source: DataSource | SideTable, folder: Path) -> str | tuple[str, ...]:
    if isinstance(source.path, str):
        return _resolved(source.path, folder)
    return tuple(_resolved(path, folder) for path in source.path)


def _resolved(path: str, folder: Path) -> str:
    if path in NAMES or "://" in path:
        return path
    ending = "/" if path.endswith("/") else ""  # which a glob of folders keeps
    return os.path.normpath(folder.resolve() / Path(path).expanduser()) + ending


def _with_absolute_vectors(steps: FeatureSteps, folder: Path) -> FeatureSteps:
    return tuple(
        {"vectors": {**step["vectors"], "path": _resolved(_vectors(step), folder)}}
        if isinstance(step, dict) and _vectors(step)
        else step
        for step in steps
    )


def _vectors(step: str | dict[str, Any]) -> str:
    """Path of the vectors that a step reads; empty for none."""
    options = step.get("vectors") if isinstance(step, dict) else None
    return str(options.get("path", "")) if isinstance(options, dict) else ""


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
