"""Outputs of a served retrieval ensemble."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from emrys.components.serving.columns import NULL_INT64, NULL_STRING, Columns

#: Names of the outputs of a retrieval ensemble.
ITEM_IDS, SCORES = "item_ids", "scores"

#: Score where there is no item: the lowest float32, since JSON has no infinity.
NO_SCORE = float(np.finfo(np.float32).min)


class Recommendation(NamedTuple):
    """A recommended item.

    Attributes:
        item: Its id in the data of the caller.
        score: Its score; higher is better.
    """

    item: int | str
    score: float


def unpack_recommendations(answer: Columns) -> list[list[Recommendation]]:
    """Converts the answer to a request to lists of items.

    Args:
        answer: `item_ids` and `scores`, (B, K); a null id means no item.

    Returns:
        The items of each row, best first.
    """
    rows = []
    for ids, scores in zip(answer[ITEM_IDS], answer[SCORES], strict=True):
        ranks = np.flatnonzero(~is_null(ids))
        rows.append([Recommendation(_plain(ids[rank]), float(scores[rank])) for rank in ranks])
    return rows


def is_null(ids: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Tells which item ids are null: -2**63 for int64, "" for strings."""
    return np.asarray(ids == (NULL_STRING if ids.dtype == np.object_ else NULL_INT64))


def _plain(item: object) -> int | str:
    return item.decode("utf-8", "replace") if isinstance(item, bytes) else int(item)  # type: ignore[call-overload]
