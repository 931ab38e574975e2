"""Settings of the step train."""

from __future__ import annotations

from dataclasses import dataclass

from emrys.blocks.errors import ConfigError

STEP = "train"

#: Lengths of the lists for NDCG and recall of retrieval models on the valid split.
NDCG_K, RECALL_K = 10, 50
#: Metrics of retrieval models on the valid split.
CATALOGUE_METRICS = (f"val_ndcg_at_{NDCG_K}", f"val_recall_at_{RECALL_K}")


@dataclass(frozen=True)
class TrainConfig:
    """Settings of the train step.

    Attributes:
        epochs: Maximum number of epochs.
        batch_size: Rows of a batch.
        learning_rate: Learning rate. Default: the one that the model was built with.
        monitor: Metric on the valid split that selects the best epoch: `val_loss` (lower is better), `val_auc` for a
            ranking model, `val_ndcg_at_10` or `val_recall_at_50` over the whole catalogue for a retrieval model.
        patience: Epochs without improvement before training stops.
        seed: Seed of the order of the rows and of dropout.
        checkpoint_dir: Folder of the checkpoints from which an interrupted run resumes. Default: next to the output;
            on a cluster, a folder that outlives the pod.
    """

    epochs: int = 20
    batch_size: int = 1024
    learning_rate: float | None = None
    monitor: str = "val_loss"
    patience: int = 2
    seed: int = 42
    checkpoint_dir: str = ""

    def __post_init__(self) -> None:
        """Checks the values."""
        if min(self.epochs, self.batch_size, self.patience) < 1:
            got = f"{self.epochs}, {self.batch_size}, {self.patience}"
            raise ConfigError("epochs, batch_size, patience", step=STEP, expected="numbers above 0", got=got)
        if not 0 <= self.seed < 2**32:
            raise ConfigError("seed", step=STEP, expected="0 to below 2**32", got=str(self.seed))
        known = ("val_auc", "val_loss", *CATALOGUE_METRICS)
        if self.monitor not in known:
            raise ConfigError("monitor", step=STEP, expected=" or ".join(known), got=self.monitor)
        if self.learning_rate is not None and not self.learning_rate > 0:  # rejects NaN too
            raise ConfigError("learning_rate", step=STEP, expected="a number above 0", got=str(self.learning_rate))
