"""KFP component of the step build_model."""

from kfp import dsl

from emrys.components.images import TRAIN_IMAGE


@dsl.component(base_image=TRAIN_IMAGE, install_kfp_package=False)
def build_model(
    schema: dsl.Input[dsl.Artifact],
    model: dsl.Output[dsl.Model],
    summary: dsl.Output[dsl.Markdown],
    bottom_layers: list[int],
    top_layers: list[int],
    architecture: str = "dlrm",
    tower_layers: list[int] = [64],  # noqa: B006 - KFP reads it once
    embedding_dim: int = 16,
    dropout: float = 0.3,
    embeddings_l2: float = 0.0,
    learning_rate: float = 0.001,
    ema_momentum: float = 0.99,
    seed: int = 42,
) -> None:
    """Builds an untrained model from the schema.

    Args:
        schema: Schema of the transformed data.
        bottom_layers: Widths of the layers for the continuous features; `embedding_dim` is appended.
        top_layers: Widths of the layers after the interactions.
        architecture: `dlrm`, `two-tower`, `matrix-factorization` or `youtube-dnn`.
        tower_layers: Widths of the layers of the towers of a retrieval model.
        embedding_dim: Width of the embeddings.
        dropout: Dropout rate after each top layer, or of the embeddings of a query.
        embeddings_l2: Weight of the squared embeddings of a batch in the loss.
        learning_rate: Learning rate of the optimizer.
        ema_momentum: Momentum of the moving average of the weights for evaluation and serving; 0 for none.
        seed: Seed of the initial weights.

    Returns:
        model: The untrained model as `model.keras`, and its summary.
        summary: The summary as Markdown.
    """
    from pathlib import Path

    from emrys.components.build_model.config import Architecture, BuildModelConfig
    from emrys.components.build_model.step import run
    from emrys.components.events import one_line_errors

    with one_line_errors("build_model"):
        config = BuildModelConfig(
            architecture=Architecture(architecture),
            embedding_dim=embedding_dim,
            dropout=dropout,
            embeddings_l2=embeddings_l2,
            bottom_layers=tuple(int(width) for width in bottom_layers),
            top_layers=tuple(int(width) for width in top_layers),
            tower_layers=tuple(int(width) for width in tower_layers),
            learning_rate=learning_rate,
            ema_momentum=ema_momentum,
            seed=seed,
        )
        built = run(Path(schema.path), config, Path(model.path))
        Path(summary.path).write_text(f"```\n{built.summary}\n```\n", encoding="utf-8")
