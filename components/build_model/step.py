"""Making an untrained model that fits a schema."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import keras
from merlin.schema import Schema, Tags

import blocks as mm
from blocks.errors import ConfigError
from components.artifacts.feature_schema import FeatureSchema
from components.artifacts.model import ModelArtifact
from components.running import emit, running

STEP = "build_model"


@dataclass(frozen=True)
class BuildModelConfig:
    """What the model looks like and how it is optimised.

    Attributes:
        target: Column that the model predicts.
        embedding_dim: Dimension of every embedding.
        bottom_layers: Sizes of the layers that the continuous features go through; `embedding_dim` is added as the
            last one.
        top_layers: Sizes of the layers behind the interactions.
        dropout: Share of values dropped behind each top layer.
        embeddings_l2: Weight of the squared embeddings of a batch in the loss.
        learning_rate: Of the Adam optimizer.
        ema_momentum: Of the moving average of the weights that the model is judged and served with; 0 for the weights
            themselves.
        seed: Of the initial weights.
    """

    target: str = "rating_binary"
    embedding_dim: int = 16
    bottom_layers: Sequence[int] = (64,)
    top_layers: Sequence[int] = (128, 64)
    dropout: float = 0.3
    embeddings_l2: float = 0.0
    learning_rate: float = 0.001
    ema_momentum: float = 0.99
    seed: int = 42

    def __post_init__(self) -> None:
        """Checks the values."""
        sizes = [self.embedding_dim, *self.bottom_layers, *self.top_layers]
        if any(size < 1 for size in sizes):
            raise ConfigError("layer sizes and embedding_dim", step=STEP, expected="numbers above 0", got=str(sizes))
        if not self.top_layers:
            raise ConfigError("top_layers", step=STEP, expected="at least one layer", got="none")
        for name in ("dropout", "ema_momentum"):
            if not 0 <= getattr(self, name) < 1:
                raise ConfigError(name, step=STEP, expected="0 to below 1", got=str(getattr(self, name)))
        if not 0 <= self.seed < 2**32:
            raise ConfigError("seed", step=STEP, expected="0 to below 2**32", got=str(self.seed))
        if not (self.learning_rate > 0 and self.embeddings_l2 >= 0):  # so that NaN is refused too
            got = f"learning_rate {self.learning_rate}, embeddings_l2 {self.embeddings_l2}"
            raise ConfigError("optimisation", step=STEP, expected="a rate above 0 and a weight from 0", got=got)


def build_dlrm(schema: Schema, config: BuildModelConfig) -> mm.Model:
    """Makes a compiled DLRM with weights for the features of `schema`.

    Args:
        schema: Features and targets.
        config: Its sizes.

    Returns:
        The model, built.

    Raises:
        ConfigError: if the schema has no such target.
    """
    targets = mm.select_targets(schema).column_names
    if config.target not in targets:
        raise ConfigError(
            "the schema has no such target",
            step=STEP,
            column=config.target,
            expected=f"one of {', '.join(targets)}" if targets else "a column tagged TARGET",
        )
    keras.utils.set_random_seed(config.seed)
    features = schema.excluding_by_name(targets)
    categorical = features.select_by_tag(Tags.CATEGORICAL)
    has_continuous = len(features.select_by_tag(Tags.CONTINUOUS)) > 0
    embeddings = mm.Embeddings(
        categorical, dim=config.embedding_dim, l2_batch_regularization_factor=config.embeddings_l2
    )
    bottom = mm.MLPBlock([*config.bottom_layers, config.embedding_dim]) if has_continuous else None
    model = mm.DLRMModel(
        features,
        embeddings=embeddings,
        bottom_block=bottom,
        top_block=mm.MLPBlock(list(config.top_layers), dropout=config.dropout or None),
        prediction_tasks=mm.BinaryOutput(schema[config.target]),
    )
    average = {"use_ema": True, "ema_momentum": config.ema_momentum} if config.ema_momentum else {}
    model.compile(optimizer=keras.optimizers.Adam(config.learning_rate, **average))
    model.build({column.name: (None, None if column.is_list else 1) for column in features})
    return model


def run(schema: Path, config: BuildModelConfig, output: Path) -> ModelArtifact:
    """Writes an untrained model for a schema.

    Args:
        schema: Artifact with the schema.
        config: What the model looks like.
        output: Where the model artifact shall stand.

    Returns:
        The artifact.
    """
    with running(STEP):
        model = build_dlrm(FeatureSchema(schema).schema, config)
        metadata = {"config": asdict(config), "parameters": int(model.count_params()), "trained": False}
        summary = describe(model)
        # Saved without slots it would be loaded with a warning; built before the summary it would be counted there.
        model.optimizer.build(model.trainable_variables)
        with ModelArtifact.create(output, metadata) as folder:
            model.save(folder / "model.keras")
            (folder / "summary.txt").write_text(summary, encoding="utf-8")
        emit(STEP, "message", text=f"{model.count_params():,} parameters")
        return ModelArtifact(output)


def describe(model: keras.Model) -> str:
    """The summary that Keras prints, as text."""
    text = io.StringIO()
    model.summary(print_fn=lambda line, **_: text.write(line + "\n"), expand_nested=True, line_length=100)
    return text.getvalue()
