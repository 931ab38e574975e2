"""KFP component of the step preprocess."""

from typing import Any

from kfp import dsl

from emrys.components.images import PREPROCESS_IMAGE


@dsl.component(base_image=PREPROCESS_IMAGE, install_kfp_package=False)
def preprocess(
    splits: dsl.Input[dsl.Dataset],
    data: dsl.Output[dsl.Dataset],
    workflow: dsl.Output[dsl.Artifact],
    recipe: dict[str, Any] = {},  # noqa: B006 - KFP reads the default from the signature
    folds: int = 0,
    smoothing: float = -1.0,
    freq_threshold: int = -1,
    seed: int = 42,
    features: str = "ranking",
) -> None:
    """Fits the feature workflow on the train split and applies it to all three.

    Args:
        splits: Raw rows, as the step ingest writes them.
        recipe: The recipe; empty for that of the data set.
        folds: Folds of the target encodings; 0 as in the recipe.
        smoothing: Weight of the overall mean in a target encoding, in rows; below 0 as in the recipe.
        freq_threshold: Values seen in fewer train rows than this count as unseen; below 0 as in the recipe.
        seed: Seed of the folds of the target encodings.
        features: Task of the recipe of the data set, where `recipe` is empty: `ranking` or `retrieval`.

    Returns:
        data: Parquet files of transformed rows: train, valid and test, row by row as the raw ones.
        workflow: The fitted workflow: its definition and its statistics.
    """
    from pathlib import Path

    from emrys.components.events import one_line_errors
    from emrys.components.preprocess.step import PreprocessConfig, run

    with one_line_errors("preprocess"):
        config = PreprocessConfig(
            recipe=recipe,
            task="retrieval" if features == "retrieval" else "ranking",
            folds=folds or None,
            fold_seed=seed,
            smoothing=None if smoothing < 0 else smoothing,
            freq_threshold=None if freq_threshold < 0 else freq_threshold,
        )
        run(Path(splits.path), config, data=Path(data.path), workflow=Path(workflow.path))
