"""`Prediction`: an output with its targets and sample weights."""

from __future__ import annotations

from typing import Any, NamedTuple


class Prediction(NamedTuple):
    """The outputs of a model with the targets and sample weights of the batch.

    Attributes:
        outputs: Predictions or logits, (B, 1) or (B, N).
        targets: Targets of the same shape, or class ids.
        sample_weight: Weight of each row, (B, 1).
        features: The batch's features by name.
        negative_candidate_ids: Ids of the sampled negatives, where there are any.
        rows: Row of the batch of each output, (P,), where the outputs belong to P elements of lists.
    """

    outputs: Any
    targets: Any = None
    sample_weight: Any = None
    features: Any = None
    negative_candidate_ids: Any = None
    rows: Any = None

    @property
    def predictions(self) -> Any:
        """The outputs, under the name that Keras uses."""
        return self.outputs

    def copy_with_updates(self, **updates: Any) -> Prediction:
        """Returns the prediction with the fields of `updates` that are not None replaced."""
        return self._replace(**{name: value for name, value in updates.items() if value is not None})


class PredictionOutput(NamedTuple):
    """Predictions of the first generation's retrieval task, with targets and item ids.

    Attributes:
        predictions: Scores (B, 1 + M), or the inputs of the scorer.
        targets: (B, 1 + M), 1 for positives.
        positive_item_ids: Ids of the positives, (B,).
        valid_negatives_mask: False where a negative is the positive of its row, (B, M).
        negative_item_ids: Ids of the negatives, (M,).
        sample_weight: Weight of each row.
    """

    predictions: Any
    targets: Any = None
    positive_item_ids: Any = None
    valid_negatives_mask: Any = None
    negative_item_ids: Any = None
    sample_weight: Any = None
