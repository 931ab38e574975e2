"""What a served retrieval ensemble gives."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from emrys.components.export_ensemble.columns import NULL_INT64, NULL_STRING, Columns

#: Names of the outputs of a retrieval ensemble.
ITEM_IDS, SCORES = "item_ids", "scores"

#: Score where there is no item: the lowest of float32, for JSON has no infinity.
NO_SCORE = float(np.finfo(np.float32).min)


class Recommendation(NamedTuple):
    """A recommended item.

    Attributes:
        item: Its id as the caller knows it.
        score: Its score; higher is better.
    """

    item: int | str
    score: float


def unpack_recommendations(answer: Columns) -> list[list[Recommendation]]:
    """Takes the answer to a request apart.

    Args:
        answer: `item_ids` and `scores`, (B, K); where the id is null there is no item.

    Returns:
        For each row its items, best first.
    """
    rows = []
    for ids, scores in zip(answer[ITEM_IDS], answer[SCORES], strict=True):
        there = np.flatnonzero(~is_null(ids))
        rows.append([Recommendation(_plain(ids[place]), float(scores[place])) for place in there])
    return rows


def is_null(ids: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Where an array of item ids says that there is no item: -2**63 for int64, "" for strings."""
    return np.asarray(ids == (NULL_STRING if ids.dtype == np.object_ else NULL_INT64))


def _plain(item: object) -> int | str:
    return item.decode("utf-8", "replace") if isinstance(item, bytes) else int(item)  # type: ignore[call-overload]
