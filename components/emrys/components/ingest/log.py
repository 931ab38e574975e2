"""A rating log as it was read, before it is split."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt
import pyarrow as pa


@dataclasses.dataclass(frozen=True)
class Log:
    """A data set on its way through ingest.

    Attributes:
        table: Columns of `LOG_SCHEMA`; feature columns that the data set lacks are left out.
        probability: The true P(rating > 3) of every row, where it is known.
        given: Rows of every split, where the data set came split already.
    """

    table: pa.Table
    probability: npt.NDArray[np.float64] | None = None
    given: dict[str, npt.NDArray[np.int64]] | None = None
