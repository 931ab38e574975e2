"""What an output hands on while training and testing."""

from __future__ import annotations

from typing import Any, NamedTuple


class Prediction(NamedTuple):
    """Outputs with what they are compared with.

    Attributes:
        outputs: What the model says, (B, 1) or (B, N).
        targets: What is right.
        sample_weight: Weight of each row, (B, 1).
        features: The batch that it is said of.
        negative_candidate_ids: Ids of the sampled negatives, where there are any.
        rows: Row of the batch that each output is of, (P,), where outputs are of P elements of its lists.
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
        """The same prediction with some fields replaced by those of `updates` that are not None."""
        return self._replace(**{name: value for name, value in updates.items() if value is not None})
