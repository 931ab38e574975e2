"""What can be chosen about a model."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from emrys.blocks.errors import ConfigError

STEP = "build_model"


class Architecture(enum.StrEnum):
    """What kind of model is built."""

    #: Ranks a user's items: the interactions of all features.
    DLRM = "dlrm"
    #: Finds items: a network of what is known of the user, and one of what is known of the item.
    TWO_TOWER = "two-tower"
    #: Finds items: a vector for each user and each item, by their ids alone.
    MATRIX_FACTORIZATION = "matrix-factorization"
    #: Finds items: the user's history through a network; users need not be known.
    YOUTUBE_DNN = "youtube-dnn"

    @classmethod
    def _missing_(cls, value: object) -> Architecture:
        known = ", ".join(one.value for one in cls)
        raise ConfigError("architecture cannot be used", step=STEP, expected=known, got=repr(value))


@dataclass(frozen=True)
class BuildModelConfig:
    """What the model looks like and how it is optimised.

    Attributes:
        architecture: What is built; an `Architecture` or its value.
        target: Column that a ranking model predicts.
        embedding_dim: Dimension of every embedding.
        bottom_layers: Of `dlrm`: sizes of the layers that the continuous features go through; `embedding_dim` is added
            as the last one.
        top_layers: Of `dlrm`: sizes of the layers behind the interactions.
        tower_layers: Of `two-tower` and `youtube-dnn`: sizes of the layers of a tower; the last one is linear, and its
            size that of the vectors that are compared.
        dropout: Share of values that are dropped: behind each top layer of `dlrm`, of the embeddings of a query.
        embeddings_l2: Weight of the squared embeddings of a batch in the loss.
        learning_rate: Of the Adam optimizer.
        ema_momentum: Of the moving average of the weights that the model is judged and served with; 0 for the weights
            themselves.
        seed: Of the initial weights.
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
        if not (self.learning_rate > 0 and self.embeddings_l2 >= 0):  # so that NaN is refused too
            got = f"learning_rate {self.learning_rate}, embeddings_l2 {self.embeddings_l2}"
            raise ConfigError("optimisation", step=STEP, expected="a rate above 0 and a weight from 0", got=got)
