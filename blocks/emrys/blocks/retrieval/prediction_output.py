"""What the first generation's scorer gives."""

from __future__ import annotations

from typing import Any, NamedTuple


class PredictionOutput(NamedTuple):
    """Scores with what they are compared with.

    Attributes:
        predictions: Scores (B, 1 + M), or what they are made of.
        targets: What is right, (B, 1 + M).
        positive_item_ids: Ids of the positives, (B,).
        valid_negatives_mask: Which negatives are none of the row's positive, (B, M).
        negative_item_ids: Ids of the negatives, (M,).
        sample_weight: Weight of each row.
    """

    predictions: Any
    targets: Any = None
    positive_item_ids: Any = None
    valid_negatives_mask: Any = None
    negative_item_ids: Any = None
    sample_weight: Any = None
