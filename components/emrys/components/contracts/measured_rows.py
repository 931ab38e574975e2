"""Metric values per test row, from which the gate and the reports compute bounds and slices."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from emrys.blocks.errors import ArtifactError

#: The evaluated model, and the model in production.
MODEL, PRODUCTION = "model", "production"
#: Display names of the scorers, in display order.
SCORERS = {
    MODEL: "Model",
    "mean_baseline": "User mean + item mean",
    "popularity": "Popularity",
    "last_item": "Last item",
    "constant": "Constant score",
    PRODUCTION: "In production",
}

_TITLES = {
    "auc": "AUC",
    "auc_by_user": "AUC by user",
    "mae": "MAE",
    "mse": "MSE",
    "rmse": "RMSE",
    "ndcg": "NDCG",
    "mrr": "MRR",
    "brier": "Brier",
}
#: Metrics for which a lower value is better; see `lower_is_better`.
LOWER_IS_BETTER = frozenset({"log_loss", "brier", "calibration_error", "normalized_entropy", "mse", "rmse", "mae"})
#: Ends of the names of metrics on the rows of users, or items, that are not in train, with the slice of these rows.
NEW = {"_new_users": "user", "_new_items": "item"}

Array = npt.NDArray[np.float64]


def plain_metric(metric: str) -> str:
    """The metric without its target and without `_new_users` or `_new_items`: `buy/auc_new_users` is `auc`."""
    name = metric.rpartition("/")[2]
    for end in NEW:
        name = name.removesuffix(end)
    return name


def lower_is_better(metric: str) -> bool:
    """Whether a lower value of a metric is better."""
    return plain_metric(metric) in LOWER_IS_BETTER


def metric_title(metric: str) -> str:
    """Display name of a metric: `NDCG@10` for `ndcg_at_10`, `buy: AUC of new users` for `buy/auc_new_users`."""
    target, slash, name = metric.rpartition("/")
    end = next((end for end in NEW if name.endswith(end)), "")
    plain, _, length = name.removesuffix(end).partition("_at_")
    title = _TITLES.get(plain, plain.replace("_", " ").capitalize()) + (f"@{length}" if length else "")
    title += f" of {end[1:].replace('_', ' ')}" if end else ""
    return f"{target}: {title}" if slash else title


def metric_key(metric: str, scorer: str) -> str:
    """Name of the metric of a scorer in an evaluation.

    Args:
        metric: Name of the metric, with its target if there are several: `auc` or `buy/auc`.
        scorer: Name of the scorer.

    Returns:
        The metric itself for the model; for others with the scorer: `popularity_auc`, `buy/popularity_auc`.
    """
    target, slash, name = metric.rpartition("/")
    return metric if scorer == MODEL else f"{target}{slash}{scorer}_{name}"


@dataclasses.dataclass(frozen=True)
class MeasuredRows:
    """Metric values of each test row or query, for the model and the scorers that it is compared with.

    With several targets, the names of metrics begin with the target, `buy/log_loss`, and so do the keys of `scores`,
    `buy/model`; the values are NaN in rows outside the sample space of the target.

    Args:
        units: (N,) int64, user, session, query or row of each row, numbered from 0. The bootstrap resamples units.
        values: (N,) float64 by metric and scorer. A metric of a whole unit is in one of its rows and NaN in the others.
            The overall metric is the mean.
        scores: (N,) float64 by scorer, for the AUC.
        labels: (N,) 0 or 1, with `scores`.
        slices: (N,) texts by name, such as `user` with `new` and `old`; None if a row is in no slice.
        target_labels: (N,) 0 or 1 by target, with `scores`, if there are several targets.
        weights: (N,) weight of each row; None if all are equal.
    """

    units: npt.NDArray[np.int64]
    values: Mapping[tuple[str, str], Array] = dataclasses.field(default_factory=dict)
    scores: Mapping[str, Array] = dataclasses.field(default_factory=dict)
    labels: Array | None = None
    slices: Mapping[str, npt.NDArray[np.object_]] = dataclasses.field(default_factory=dict)
    target_labels: Mapping[str, Array] = dataclasses.field(default_factory=dict)
    weights: Array | None = None

    @property
    def scorers(self) -> list[str]:
        """Names of the scorers: the model, baselines, and production if there is one."""
        return sorted({scorer for _, scorer in self.values} | {name.rpartition("/")[2] for name in self.scores})

    @property
    def unit_count(self) -> int:
        """Number of units."""
        return int(self.units.max(initial=-1)) + 1

    @property
    def metrics(self) -> list[str]:
        """Names of the metrics."""
        areas = {f"{target}{slash}auc" for target, slash, _ in (name.rpartition("/") for name in self.scores)}
        return sorted({metric for metric, _ in self.values} | areas)

    def labels_of(self, target: str) -> Array | None:
        """Labels of a target; of the only one for an empty name. None if there are none."""
        return self.target_labels.get(target) if target else self.labels

    def only(self, mask: npt.NDArray[np.bool_]) -> Self:
        """Some of the rows, with their units numbered from 0."""
        return type(self)(
            units=np.unique(self.units[mask], return_inverse=True)[1].astype(np.int64),
            values={name: values[mask] for name, values in self.values.items()},
            scores={name: scores[mask] for name, scores in self.scores.items()},
            labels=None if self.labels is None else self.labels[mask],
            slices={name: texts[mask] for name, texts in self.slices.items()},
            target_labels={name: labels[mask] for name, labels in self.target_labels.items()},
            weights=None if self.weights is None else self.weights[mask],
        )

    def write(self, path: str | os.PathLike[str]) -> None:
        """Writes the rows as Parquet."""
        columns: dict[str, pa.Array] = {"unit": pa.array(self.units)}
        if self.labels is not None:
            columns["label"] = pa.array(self.labels)
        if self.weights is not None:
            columns["weight"] = pa.array(self.weights)
        columns |= {f"label/{target}": pa.array(labels) for target, labels in self.target_labels.items()}
        columns |= {f"score/{scorer}": pa.array(values) for scorer, values in self.scores.items()}
        columns |= {f"value/{metric}/{scorer}": pa.array(values) for (metric, scorer), values in self.values.items()}
        columns |= {f"slice/{name}": pa.array(texts, pa.string()) for name, texts in self.slices.items()}
        pq.write_table(pa.table(columns), path)

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Self:
        """Reads a file that `write` wrote.

        Raises:
            ArtifactError: if the file is missing or damaged.
        """
        try:
            table = pq.read_table(path, partitioning=None)
            of: dict[str, dict[str, Array]] = {"value": {}, "score": {}, "label": {}}
            slices = {}
            for column in table.column_names:
                kind, slash, name = column.partition("/")
                if kind == "slice":
                    slices[name] = np.array(table[column].to_pylist(), dtype=object)
                elif slash:
                    of[kind][name] = table[column].to_numpy()
            split = {name: name.rpartition("/") for name in of["value"]}
            return cls(
                units=table["unit"].to_numpy(),
                values={(metric, scorer): of["value"][name] for name, (metric, _, scorer) in split.items()},
                scores=of["score"],
                labels=table["label"].to_numpy() if "label" in table.column_names else None,
                slices=slices,
                target_labels=of["label"],
                weights=table["weight"].to_numpy() if "weight" in table.column_names else None,
            )
        except FileNotFoundError:
            raise ArtifactError("the file is missing", path=Path(path)) from None
        except (pa.ArrowException, KeyError) as error:
            raise ArtifactError(f"not the rows of an evaluation ({error})", path=Path(path)) from None
