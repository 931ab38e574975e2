"""The best candidates of each query."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd


class TopKPrediction(NamedTuple):
    """Scores and identifiers, best first.

    Where fewer than K candidates can be given, the rest has the score -inf and the identifier -1.

    Attributes:
        scores: (B, K), float32.
        identifiers: (B, K), int32, or int64 where ids are too large for that.
    """

    scores: Any
    identifiers: Any

    def to_df(self) -> pd.DataFrame:
        """A data frame with one row for each query: `score_0`, `id_0`, `score_1`, `id_1`, …."""
        scores, identifiers = np.asarray(self.scores), np.asarray(self.identifiers)
        columns: dict[str, Any] = {}
        for place in range(scores.shape[1]):
            columns[f"score_{place}"] = scores[:, place]
            columns[f"id_{place}"] = identifiers[:, place]
        return pd.DataFrame(columns)

    @staticmethod
    def output_names(k: int) -> list[str]:
        """Names of the columns that `batch_predict` gives: all scores, then all identifiers.

        Args:
            k: Number of candidates.
        """
        return [f"score_{place}" for place in range(k)] + [f"id_{place}" for place in range(k)]
