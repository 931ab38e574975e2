"""What is known about the values of one column, small enough to be kept from run to run."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from typing import Any, Self


class ColumnKind(enum.StrEnum):
    """How the values of a column are meant, which decides how they are counted and compared."""

    IDENTIFIER = "identifier"  # whole numbers that name something
    LABEL = "label"  # 0 or 1
    NUMBER = "number"
    TIME = "time"  # seconds since 1970
    TEXT = "text"
    LIST = "list"  # lists of texts


@dataclasses.dataclass(frozen=True)
class Numbers:
    """The distribution of numbers; nulls and what is not finite are left out.

    Args:
        count: How many there are; at least 1.
        min: The least.
        max: The greatest.
        mean: Their mean.
        std: Their standard deviation, of the whole.
        zeros: How many are 0.
        quantiles: By their share in per cent, such as `50` for the median; linear between two values.
        edges: (bins + 1,) ascending ends of the bins of the histogram, the first at most `min`, the last at least
            `max`. A bin holds its lower end; the last one also its upper.
        counts: (bins,) how many lie in each bin.
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
        """Reads what `dataclasses.asdict` and JSON made of it."""
        return cls(**{**content, "edges": tuple(content["edges"]), "counts": tuple(content["counts"])})


@dataclasses.dataclass(frozen=True)
class Values:
    """How often values occur; of a list, its elements.

    Args:
        count: How many there are, each as often as it occurs.
        distinct: How many different ones.
        top: The most frequent, with their counts, in falling order; equally frequent ones by their value.
    """

    count: int
    distinct: int
    top: tuple[tuple[int | str, int], ...]

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> Self:
        """Reads what `dataclasses.asdict` and JSON made of it."""
        top = tuple((value, count) for value, count in content["top"])
        return cls(count=content["count"], distinct=content["distinct"], top=top)


@dataclasses.dataclass(frozen=True)
class ColumnStatistics:
    """One column of the train split.

    Args:
        name: The column.
        type: Its Arrow type.
        kind: How its values are meant.
        rows: Number of rows.
        nulls: Rows without a value; NaN is none.
        infinite: Rows with an infinite value.
        distinct: How many different values; of a list, different elements.
        numbers: The distribution of a number or a time; None for others, and where there is no value.
        values: The values of an identifier, a label, a text or a list; None for others.
        lengths: The lengths of lists; None for others, and where there is no list.
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
        """Reads what `dataclasses.asdict` and JSON made of it."""
        parts: dict[str, Any] = {"kind": ColumnKind(content["kind"])}
        for name, reader in (("numbers", Numbers.of), ("values", Values.of), ("lengths", Numbers.of)):
            parts[name] = None if content[name] is None else reader(content[name])
        return cls(**{**content, **parts})
