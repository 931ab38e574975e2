"""KFP component of the step train."""

from kfp import dsl

from emrys.components.images import TRAIN_IMAGE


@dsl.component(base_image=TRAIN_IMAGE, install_kfp_package=False)
def train(
    data: dsl.Input[dsl.Dataset],
    schema: dsl.Input[dsl.Artifact],
    model: dsl.Input[dsl.Model],
    trained: dsl.Output[dsl.Model],
    epochs: int = 20,
    batch_size: int = 1024,
    monitor: str = "val_loss",
    patience: int = 2,
    seed: int = 42,
    checkpoint_dir: str = "",
) -> None:
    """Fits the model on the train split and stops early on the valid split.

    Args:
        data: Transformed rows.
        schema: Their schema.
        model: The untrained model.
        epochs: Maximum number of epochs.
        batch_size: Rows in a batch.
        monitor: Metric that selects the best epoch: `val_loss`, `val_auc` for a ranking model, `val_ndcg_at_10` or
            `val_recall_at_50` for a retrieval model.
        patience: Epochs without improvement on the valid split before training stops.
        seed: Seed of the order of the rows.
        checkpoint_dir: Folder of the checkpoints from which an interrupted run resumes; empty for one next to the
            output.

    Returns:
        trained: The trained model, and the history of its epochs.
    """
    from pathlib import Path

    from emrys.components.events import one_line_errors
    from emrys.components.train.config import TrainConfig
    from emrys.components.train.step import run

    with one_line_errors("train"):
        config = TrainConfig(
            epochs=epochs,
            batch_size=batch_size,
            monitor=monitor,
            patience=patience,
            seed=seed,
            checkpoint_dir=checkpoint_dir,
        )
        run(Path(data.path), Path(schema.path), Path(model.path), config, Path(trained.path))
