"""The gate before an ensemble is handed out: it must score raw rows as the offline path does."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from emrys.components.export_ensemble.backends.model import SCORE
from emrys.components.export_ensemble.comparing import TransformTable, ask_both, compare
from emrys.components.export_ensemble.config import ExportConfig

STEP = "export_ensemble"

#: Transformed rows in, one score per row out.
ScoreTable = Callable[[pa.Table], npt.NDArray[Any]]


@dataclass(frozen=True)
class ParityResult:
    """What the gate found.

    Args:
        rows: Rows that were compared.
        max_abs_difference: Largest difference of two scores.
        through: `triton` when a server answered, `in-process` when the same steps ran without one.
    """

    rows: int
    max_abs_difference: float
    through: str


def check_parity(
    models: str | os.PathLike[str],
    rows: pa.Table,
    offline_transform: TransformTable,
    offline_score: ScoreTable,
    config: ExportConfig,
) -> ParityResult:
    """Sends raw rows through an exported ensemble and through the offline path, and compares.

    The transformed columns are compared first, in the order of the transform, so that a difference is found where it
    begins; then the scores.

    Args:
        models: The model repository.
        rows: Raw rows; see `held_out_rows`.
        offline_transform: The workflow as it was fitted: raw table to transformed table, same rows.
        offline_score: The trained model: transformed table to one score per row.
        config: Settings of the export.

    Returns:
        What was found, when everything agrees.

    Raises:
        ParityError: naming the first column that differs, or "score", with the row and both values.
        DependencyError: if there is no server and `config.require_server` asks for one.
        ServingError: if the server does not start or refuses a row.
    """
    answers = ask_both(models, rows, offline_transform, config, STEP)
    expected = np.asarray(offline_score(answers.offline), dtype=np.float64).reshape(-1)
    difference = compare(SCORE, expected, answers.served[SCORE].reshape(-1).astype(np.float64), config.tolerance)
    return ParityResult(rows=rows.num_rows, max_abs_difference=difference, through=answers.through)
