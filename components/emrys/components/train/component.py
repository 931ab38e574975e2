"""KFP component of the step train."""

from typing import Any

from kfp import dsl

from emrys.components.images import TRAIN_IMAGE


@dsl.component(base_image=TRAIN_IMAGE, install_kfp_package=False)
def train(
    data: dsl.Input[dsl.Dataset],
    schema: dsl.Input[dsl.Artifact],
    model: dsl.Input[dsl.Model],
    trained: dsl.Output[dsl.Model],
    recipe: dict[str, Any] = {},  # noqa: B006 - KFP reads it once
    epochs: int = 0,
    batch_size: int = 0,
    learning_rate: float = 0.0,
    monitor: str = "",
    patience: int = 0,
    seed: int = 42,
    checkpoint_dir: str = "",
    tracking: str = "",
) -> None:
    """Fits the model on the train split and stops early on the valid split.

    Args:
        data: Transformed rows.
        schema: Their schema.
        model: The untrained model.
        recipe: The recipe, of which the section `train` is read; empty for none. A parameter that is not empty or zero
            overrides it.
        epochs: Maximum number of epochs. Without it and a recipe, 20.
        batch_size: Rows in a batch. Without it and a recipe, by the number of rows: 64 to 1024.
        learning_rate: Learning rate. Without it and a recipe, the one that the model was built with.
        monitor: Metric that selects the best epoch: `val_loss`, `val_auc` for a ranking model, `val_ndcg_at_10` or
            `val_recall_at_50` for a retrieval model. Without it and a recipe, `val_loss`.
        patience: Epochs without improvement on the valid split before training stops. Without it and a recipe, 2.
        seed: Seed of the order of the rows.
        checkpoint_dir: Folder of the checkpoints from which an interrupted run resumes; empty for one next to the
            output.
        tracking: Address of an MLflow server to which every epoch is reported; empty for none.

    Returns:
        trained: The trained model, and the history of its epochs.
    """
    from pathlib import Path

    from emrys.components.events import one_line_errors
    from emrys.components.train.config import TrainConfig
    from emrys.components.train.step import run

    with one_line_errors("train"):
        config = TrainConfig.of(
            recipe,
            epochs=epochs or None,
            batch_size=batch_size or None,
            learning_rate=learning_rate or None,
            monitor=monitor or None,
            patience=patience or None,
            seed=seed,
            checkpoint_dir=checkpoint_dir or None,
            tracking=tracking or None,
        )
        run(Path(data.path), Path(schema.path), Path(model.path), config, Path(trained.path))
