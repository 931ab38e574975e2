"""Settings of the step build_model."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from emrys.blocks.errors import ConfigError

STEP = "build_model"


class Architecture(enum.StrEnum):
    """Architecture of the model."""

    #: Ranking: interactions of all features.
    DLRM = "dlrm"
    #: Retrieval: one network for the user features, one for the item features.
    TWO_TOWER = "two-tower"
    #: Retrieval: a vector for each user id and each item id.
    MATRIX_FACTORIZATION = "matrix-factorization"
    #: Retrieval: a network for the user's history; new users need no id.
    YOUTUBE_DNN = "youtube-dnn"

    @classmethod
    def _missing_(cls, value: object) -> Architecture:
        known = ", ".join(each.value for each in cls)
        raise ConfigError("architecture cannot be used", step=STEP, expected=known, got=repr(value))


@dataclass(frozen=True)
class BuildModelConfig:
    """Architecture, sizes and optimizer of the model.

    Attributes:
        architecture: An `Architecture` or its value.
        target: Column that a ranking model predicts.
        embedding_dim: Dimension of every embedding.
        bottom_layers: For `dlrm`: widths of the layers for the continuous features; `embedding_dim` is appended.
        top_layers: For `dlrm`: widths of the layers after the interactions.
        tower_layers: For `two-tower` and `youtube-dnn`: widths of the layers of a tower; the last one is linear and
            determines the dimension of the vectors.
        dropout: Dropout rate after each top layer of `dlrm`, or of the embeddings of a query.
        embeddings_l2: Weight of the squared embeddings of a batch in the loss.
        learning_rate: Learning rate of Adam.
        ema_momentum: Momentum of the moving average of the weights for evaluation and serving; 0 for none.
        seed: Seed of the initial weights.
    """

    architecture: Architecture = Architecture.DLRM
    target: str = "rating_binary"
    embedding_dim: int = 16
    bottom_layers: Sequence[int] = (64,)
    top_layers: Sequence[int] = (128, 64)
    tower_layers: Sequence[int] = (64,)
    dropout: float = 0.3
    embeddings_l2: float = 0.0
    learning_rate: float = 0.001
    ema_momentum: float = 0.99
    seed: int = 42

    def __post_init__(self) -> None:
        """Checks the values."""
        object.__setattr__(self, "architecture", Architecture(self.architecture))
        sizes = [self.embedding_dim, *self.bottom_layers, *self.top_layers]
        if any(size < 1 for size in (*sizes, *self.tower_layers)):
            got = str(sizes) if min(sizes) < 1 else f"tower_layers {list(self.tower_layers)}"
            raise ConfigError("layer sizes and embedding_dim", step=STEP, expected="numbers above 0", got=got)
        for name in ("top_layers", "tower_layers"):
            if not getattr(self, name):
                raise ConfigError(name, step=STEP, expected="at least one layer", got="none")
        for name in ("dropout", "ema_momentum"):
            if not 0 <= getattr(self, name) < 1:
                raise ConfigError(name, step=STEP, expected="0 to below 1", got=str(getattr(self, name)))
        if not 0 <= self.seed < 2**32:
            raise ConfigError("seed", step=STEP, expected="0 to below 2**32", got=str(self.seed))
        if not (self.learning_rate > 0 and self.embeddings_l2 >= 0):  # rejects NaN too
            got = f"learning_rate {self.learning_rate}, embeddings_l2 {self.embeddings_l2}"
            raise ConfigError("optimisation", step=STEP, expected="a rate above 0 and a weight from 0", got=got)
