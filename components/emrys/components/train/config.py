"""Settings of the step train."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from emrys.blocks.errors import ConfigError
from emrys.components.recipe.reading import recipe_of

STEP = "train"

#: Lengths of the lists for NDCG and recall of retrieval models on the valid split.
NDCG_K, RECALL_K = 10, 50
#: Without a batch size: minimum number of steps in an epoch, and the limits of the batch size. With fewer steps, small
#: logs take tens of epochs.
_STEPS, _SMALLEST, _LARGEST = 100, 64, 1024
#: Metrics of retrieval models on the valid split.
CATALOGUE_METRICS = (f"val_ndcg_at_{NDCG_K}", f"val_recall_at_{RECALL_K}")


@dataclass(frozen=True)
class TrainConfig:
    """Settings of the train step.

    Attributes:
        epochs: Maximum number of epochs.
        batch_size: Rows of a batch. Default: by the number of rows, see `batch_size_of`.
        learning_rate: Learning rate. Default: the one that the model was built with.
        monitor: Metric on the valid split that selects the best epoch: `val_loss`, `val_auc` for a ranking model,
            `val_ndcg_at_10` or `val_recall_at_50` over the whole catalogue for a retrieval model, or another one of the
            history. Losses and errors are better when lower, other metrics when higher.
        patience: Epochs without improvement before training stops.
        seed: Seed of the order of the rows and of dropout.
        checkpoint_dir: Folder of the checkpoints from which an interrupted run resumes. Default: next to the output;
            on a cluster, a folder that outlives the pod.
        tracking: Address of an MLflow server to which every epoch is reported. Default: none.
        exclude_seen: Whether, on the valid split of a retrieval model, items that the user has in train are no answers.
    """

    epochs: int = 20
    batch_size: int | None = None
    learning_rate: float | None = None
    monitor: str = "val_loss"
    patience: int = 2
    seed: int = 42
    checkpoint_dir: str = ""
    tracking: str = ""
    exclude_seen: bool = True

    def __post_init__(self) -> None:
        """Checks the values."""
        counts = {"epochs": self.epochs, "batch_size": self.batch_size, "patience": self.patience}
        low = [f"{name} {count}" for name, count in counts.items() if count is not None and count < 1]
        if low:
            raise ConfigError("epochs, batch_size, patience", step=STEP, expected="numbers above 0", got=", ".join(low))
        if not 0 <= self.seed < 2**32:
            raise ConfigError("seed", step=STEP, expected="0 to below 2**32", got=str(self.seed))
        if not re.fullmatch(r"val_\S+", self.monitor):
            known = ", ".join(("val_loss", "val_auc", *CATALOGUE_METRICS))
            raise ConfigError("monitor", step=STEP, expected=f"a metric of valid, such as {known}", got=self.monitor)
        if self.learning_rate is not None and not self.learning_rate > 0:  # rejects NaN too
            raise ConfigError("learning_rate", step=STEP, expected="a number above 0", got=str(self.learning_rate))

    @classmethod
    def of(cls, recipe: Mapping[str, Any], **parameters: Any) -> Self:
        """The settings of the section `train` of a recipe and of the parameters of the step, which override it.

        Args:
            recipe: The recipe as JSON values; empty for none.
            **parameters: Attributes by name; those that are None are not given.

        Raises:
            ConfigError: if the recipe or a value cannot be used.
        """
        settings: dict[str, Any] = {}
        if recipe:
            whole = recipe_of(recipe)
            section = whole.train
            names = ("epochs", "batch_size", "learning_rate", "monitor", "patience", "tracking")
            settings = {name: getattr(section, name) or None for name in names}
            settings["exclude_seen"] = whole.evaluate.exclude_seen
        settings |= {name: value for name, value in parameters.items() if value is not None}
        return cls(**{name: value for name, value in settings.items() if value is not None})

    def batch_size_of(self, rows: int) -> int:
        """Rows of a batch: the one that is set, or the power of two from 64 to 1,024 for about 100 steps in an epoch.

        Args:
            rows: Number of rows of the train split.
        """
        return self.batch_size or min(max(2 ** ((rows // _STEPS).bit_length() - 1), _SMALLEST), _LARGEST)

    @property
    def lower_is_better(self) -> bool:
        """Whether lower values of the monitored metric are better."""
        return self.monitor.endswith("loss") or "error" in self.monitor
