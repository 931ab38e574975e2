"""Statistics of one column, small enough to be kept from run to run."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from typing import Any, Self


class ColumnKind(enum.StrEnum):
    """Kind of the values of a column, which decides how they are counted and compared."""

    IDENTIFIER = "identifier"  # integer ids
    LABEL = "label"  # 0 or 1
    NUMBER = "number"
    TIME = "time"  # seconds since 1970
    TEXT = "text"
    LIST = "list"  # lists of texts


@dataclasses.dataclass(frozen=True)
class Numbers:
    """Distribution of the finite numbers of a column.

    Args:
        count: Number of values, at least 1.
        min: Minimum.
        max: Maximum.
        mean: Mean.
        std: Population standard deviation.
        zeros: Number of zeros.
        quantiles: Percentiles by name, such as `50` for the median; linearly interpolated.
        edges: (bins + 1,) ascending ends of the bins of the histogram, the first at most `min`, the last at least
            `max`. A bin holds its lower end; the last one also its upper.
        counts: (bins,) number of values in each bin.
    """

    count: int
    min: float
    max: float
    mean: float
    std: float
    zeros: int
    quantiles: Mapping[str, float]
    edges: tuple[float, ...]
    counts: tuple[int, ...]

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> Self:
        """Restores the instance from the JSON of `dataclasses.asdict`."""
        return cls(**{**content, "edges": tuple(content["edges"]), "counts": tuple(content["counts"])})


@dataclasses.dataclass(frozen=True)
class Values:
    """Frequencies of values; for lists, of their elements.

    Args:
        count: Number of values.
        distinct: Number of distinct values.
        top: The most frequent values with their counts, in descending order; ties in the order of the values.
    """

    count: int
    distinct: int
    top: tuple[tuple[int | str, int], ...]

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> Self:
        """Restores the instance from the JSON of `dataclasses.asdict`."""
        top = tuple((value, count) for value, count in content["top"])
        return cls(count=content["count"], distinct=content["distinct"], top=top)


@dataclasses.dataclass(frozen=True)
class ColumnStatistics:
    """Statistics of one column of the train split.

    Args:
        name: The column.
        type: Its Arrow type.
        kind: Kind of its values.
        rows: Number of rows.
        nulls: Rows without a value; NaN counts as null.
        infinite: Rows with an infinite value.
        distinct: Number of distinct values; for lists, of distinct elements.
        numbers: Distribution of numbers or times; None for other kinds, and without any value.
        values: Frequencies of identifiers, labels, texts or elements of lists; None for other kinds.
        lengths: Distribution of the lengths of lists; None for other kinds, and without any list.
    """

    name: str
    type: str
    kind: ColumnKind
    rows: int
    nulls: int
    infinite: int
    distinct: int
    numbers: Numbers | None = None
    values: Values | None = None
    lengths: Numbers | None = None

    @property
    def null_share(self) -> float:
        """Share of the rows without a value."""
        return self.nulls / self.rows if self.rows else 0.0

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> Self:
        """Restores the instance from the JSON of `dataclasses.asdict`."""
        parts: dict[str, Any] = {"kind": ColumnKind(content["kind"])}
        for name, reader in (("numbers", Numbers.of), ("values", Values.of), ("lengths", Numbers.of)):
            parts[name] = None if content[name] is None else reader(content[name])
        return cls(**{**content, **parts})
