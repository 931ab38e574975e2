"""Slices of the test rows, and metrics in each slice."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from emrys.components.contracts.data_schema import DataSchema, Role
from emrys.components.contracts.measured_rows import MODEL, MeasuredRows, lower_is_better
from emrys.components.evaluation.bootstrap import interval
from emrys.components.evaluation.weighted_metrics import metric_of


@dataclasses.dataclass(frozen=True)
class Slice:
    """A metric on the rows with one value of a column.

    Args:
        name: Name of the slicing column.
        level: Value of the column.
        rows: Number of rows.
        units: Number of users or queries.
        values: The metric by scorer; None if it is not defined.
    """

    name: str
    level: str
    rows: int
    units: int
    values: Mapping[str, float | None]

    @property
    def title(self) -> str:
        """Column and value, as shown in reports."""
        return f"{self.name} {self.level}"


def slice_metrics(rows: MeasuredRows, metric: str, scorers: Sequence[str]) -> list[Slice]:
    """Metrics of several scorers in every slice.

    Args:
        rows: Metric values per row.
        metric: Name of the metric.
        scorers: Names of the scorers.

    Returns:
        The slices in which the metric of the first scorer is defined, by name and descending number of rows: with a
        sample space, of the rows in it.
    """
    slices = []
    labels = rows.labels_of(metric.rpartition("/")[0])
    inside = np.ones(len(rows.units), bool) if labels is None else np.isfinite(labels)
    for name, texts in sorted(rows.slices.items()):
        for level in sorted({text for text in texts if text is not None}):
            mask = (texts == level) & inside
            values = {scorer: _value(rows, metric, scorer, mask) for scorer in scorers}
            if values[scorers[0]] is not None:
                slices.append(Slice(name, level, int(mask.sum()), len(np.unique(rows.units[mask])), values))
    return sorted(slices, key=lambda each: (each.name, -each.rows))


@dataclasses.dataclass(frozen=True)
class SliceLift:
    """Lift of the model over a baseline in a slice; a positive one is better for every metric.

    Args:
        slice: The slice.
        lift: Difference of the metric.
        low: 5 % bound of the difference; None if it is not defined.
        high: 95 % bound of the difference; None if it is not defined.
    """

    slice: Slice
    lift: float
    low: float | None
    high: float | None


def slice_lifts(
    rows: MeasuredRows, metric: str, baseline: str, slices: Sequence[Slice], *, resamples: int = 200, seed: int = 0
) -> list[SliceLift]:
    """Lift of the model over a baseline in slices, with the bounds of a paired bootstrap over units.

    Args:
        rows: Metric values per row.
        metric: Name of the metric.
        baseline: Name of the baseline.
        slices: The slices; those in which the metric of either is not defined are left out.
        resamples: Number of resamples.
        seed: Seed of the draws.
    """
    found = []
    sign = -1.0 if lower_is_better(metric) else 1.0
    for each in slices:
        own, other = each.values.get(MODEL), each.values.get(baseline)
        if own is None or other is None:
            continue
        mask = rows.slices[each.name] == each.level
        bounds = _bounds(rows.only(mask), metric, baseline, sign, resamples, seed)
        found.append(SliceLift(each, sign * (own - other), *bounds))
    return found


def _bounds(
    rows: MeasuredRows, metric: str, baseline: str, sign: float, resamples: int, seed: int
) -> tuple[float | None, float | None]:
    everything = np.ones(len(rows.units), bool)
    own, other = (metric_of(rows, metric, scorer, everything) for scorer in (MODEL, baseline))
    if own is None or other is None or rows.unit_count < 2:
        return None, None
    return interval(
        lambda draws: sign * (own.resampled(draws) - other.resampled(draws)),
        rows.unit_count,
        resamples=resamples,
        seed=seed,
    )


def _value(rows: MeasuredRows, metric: str, scorer: str, mask: npt.NDArray[np.bool_]) -> float | None:
    measured = metric_of(rows, metric, scorer, mask)
    value = float("nan") if measured is None else measured.value(rows.unit_count)
    return value if math.isfinite(value) else None


#: Maximum number of distinct values of a slicing column.
MAX_LEVELS = 25


def column_slices(
    raw: Path,
    schema: DataSchema,
    named: Sequence[str] | None = None,
    roles: Sequence[Role] = (Role.USER, Role.ITEM, Role.CONTEXT),
    show_ids: bool = False,
) -> dict[str, npt.NDArray[np.object_]]:
    """Values of columns with few distinct values.

    Args:
        raw: Raw test split.
        schema: Columns of the splits.
        named: Columns of the recipe, of which only the most frequent values are slices. None for all columns with few
            values that are names or codes.
        roles: Roles of the columns.
        show_ids: Whether ids of people, of users and sessions, may be slices.

    Returns:
        (N,) texts by column, None for null and for values that are no slice.
    """
    wanted = [column for column in schema.columns if column.role in roles and not column.is_list]
    names = [column.name for column in wanted if not column.continuous] if named is None else list(named)
    people = () if show_ids else schema.of_role(Role.USER_ID, Role.SESSION_ID)
    there = [name for name in names if name in pq.read_schema(raw).names and name not in people]
    slices = {}
    for name in there:
        values = pq.read_table(raw, columns=[name], partitioning=None)[name].cast(pa.string()).combine_chunks()
        counts = pc.value_counts(values.drop_null())
        if len(counts) > MAX_LEVELS:
            if named is None:
                continue
            frequent = np.argsort(-counts.field("counts").to_numpy(), kind="stable")[:MAX_LEVELS]
            kept = pc.is_in(values, counts.field("values").take(pa.array(frequent)))
            values = pc.if_else(kept, values, None)
        slices[name] = np.array(values.to_pylist(), dtype=object)
    return slices
