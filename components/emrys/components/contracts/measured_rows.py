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

#: Metrics for which a lower value is better.
LOWER_IS_BETTER = frozenset({"log_loss", "brier", "calibration_error", "mse", "rmse"})

Array = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class MeasuredRows:
    """Metric values of each test row or query, for the model and the scorers that it is compared with.

    Args:
        units: (N,) int64, user or query of each row, numbered from 0. The bootstrap resamples units.
        values: (N,) float64 by metric and scorer. A metric of a whole unit is in one of its rows and NaN in the others.
            The overall metric is the mean.
        scores: (N,) float64 by scorer, for the AUC.
        labels: (N,) 0 or 1, with `scores`.
        slices: (N,) texts by name, such as `user` with `new` and `old`; None if a row is in no slice.
    """

    units: npt.NDArray[np.int64]
    values: Mapping[tuple[str, str], Array] = dataclasses.field(default_factory=dict)
    scores: Mapping[str, Array] = dataclasses.field(default_factory=dict)
    labels: Array | None = None
    slices: Mapping[str, npt.NDArray[np.object_]] = dataclasses.field(default_factory=dict)

    @property
    def scorers(self) -> list[str]:
        """Names of the scorers: the model, baselines, and production if there is one."""
        return sorted({scorer for _, scorer in self.values} | set(self.scores))

    @property
    def unit_count(self) -> int:
        """Number of units."""
        return int(self.units.max(initial=-1)) + 1

    @property
    def metrics(self) -> list[str]:
        """Names of the metrics."""
        return sorted({metric for metric, _ in self.values} | ({"auc"} if self.scores else set()))

    def write(self, path: str | os.PathLike[str]) -> None:
        """Writes the rows as Parquet."""
        columns: dict[str, pa.Array] = {"unit": pa.array(self.units)}
        if self.labels is not None:
            columns["label"] = pa.array(self.labels)
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
            parts = {name: name.split("/") for name in table.column_names}
            return cls(
                units=table["unit"].to_numpy(),
                values={
                    (kind[1], kind[2]): table[name].to_numpy() for name, kind in parts.items() if kind[0] == "value"
                },
                scores={kind[1]: table[name].to_numpy() for name, kind in parts.items() if kind[0] == "score"},
                labels=table["label"].to_numpy() if "label" in parts else None,
                slices={
                    kind[1]: np.array(table[name].to_pylist(), dtype=object)
                    for name, kind in parts.items()
                    if kind[0] == "slice"
                },
            )
        except FileNotFoundError:
            raise ArtifactError("the file is missing", path=Path(path)) from None
        except (pa.ArrowException, KeyError) as error:
            raise ArtifactError(f"not the rows of an evaluation ({error})", path=Path(path)) from None
