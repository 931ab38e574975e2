"""Slices of the queries: by how long users are known, and by the levels of small columns of the user."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from merlin.schema import Tags

from emrys.components.evaluation.slices import slices_of
from emrys.components.retrieval.queries import Queries

Texts = npt.NDArray[np.object_]

#: Users with fewer items than this in train have a short history.
LONG = 20


def slices(raw: Path, schema: Any, queries: Queries) -> dict[str, Texts]:
    """The level of each query in every slice.

    Args:
        raw: Raw test split.
        schema: Schema of the transformed rows; columns of the user are sliced.
        queries: The queries.

    Returns:
        (Q,) texts by name, None where a query is in no slice.
    """
    had, liked = queries.seen.lengths, queries.liked.lengths
    found = {
        "user": np.where(had > 0, "known", "new").astype(object),
        "history": np.where(liked >= LONG, f"{LONG} and more", f"below {LONG}").astype(object),
    }
    levels = slices_of(raw, schema.select_by_tag(Tags.USER))
    return {**found, **{name: texts[queries.rows] for name, texts in levels.items() if name not in found}}
