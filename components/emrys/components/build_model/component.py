"""KFP component of the step build_model."""

from typing import Any

from kfp import dsl

from emrys.components.images import TRAIN_IMAGE


@dsl.component(base_image=TRAIN_IMAGE, install_kfp_package=False)
def build_model(
    schema: dsl.Input[dsl.Artifact],
    model: dsl.Output[dsl.Model],
    summary: dsl.Output[dsl.Markdown],
    recipe: dict[str, Any] = {},  # noqa: B006 - KFP reads it once
    architecture: str = "",
    bottom_layers: list[int] = [],  # noqa: B006
    top_layers: list[int] = [],  # noqa: B006
    tower_layers: list[int] = [],  # noqa: B006
    embedding_dim: int = 0,
    dropout: float = -1.0,
    embeddings_l2: float = -1.0,
    optimizer: str = "",
    learning_rate: float = 0.0,
    ema_momentum: float = -1.0,
    seed: int = 42,
) -> None:
    """Builds an untrained model from the schema.

    A parameter that is not empty, zero or negative overrides the recipe. One that the architecture does not have is
    ignored.

    Args:
        schema: Schema of the transformed data.
        recipe: The recipe, of which the sections `model` and `train` are read; empty for none.
        architecture: Name of the model. Without it and a recipe, `dlrm`.
        bottom_layers: Widths of the layers for the continuous features; `embedding_dim` is appended.
        top_layers: Widths of the layers after the interactions.
        tower_layers: Widths of the layers of the towers of a retrieval model.
        embedding_dim: Width of the embeddings.
        dropout: Dropout rate.
        embeddings_l2: Weight of the squared embeddings of a batch in the loss; 0 is a value.
        optimizer: `lazy_adam`, `adam`, `adagrad` or `sgd`. Without it and a recipe, `lazy_adam`.
        learning_rate: Learning rate of the optimizer.
        ema_momentum: Momentum of the moving average of the weights for evaluation and serving; 0 for none.
        seed: Seed of the initial weights.

    Returns:
        model: The untrained model as `model.keras`, and its summary.
        summary: The summary as Markdown.
    """
    from pathlib import Path

    from emrys.components.build_model.config import BuildModelConfig
    from emrys.components.build_model.step import run
    from emrys.components.events import one_line_errors

    with one_line_errors("build_model"):
        config = BuildModelConfig.of(
            recipe,
            architecture=architecture or None,
            bottom_layers=tuple(int(width) for width in bottom_layers) or None,
            top_layers=tuple(int(width) for width in top_layers) or None,
            tower_layers=tuple(int(width) for width in tower_layers) or None,
            embedding_dim=embedding_dim or None,
            dropout=dropout if dropout >= 0 else None,
            embeddings_l2=embeddings_l2 if embeddings_l2 >= 0 else None,
            optimizer=optimizer or None,
            learning_rate=learning_rate or None,
            ema_momentum=ema_momentum if ema_momentum >= 0 else None,
            seed=seed,
        )
        built = run(Path(schema.path), config, Path(model.path))
        Path(summary.path).write_text(f"```\n{built.summary}\n```\n", encoding="utf-8")
