"""KFP component of the step preprocess."""

from kfp import dsl

from emrys.components.images import PREPROCESS_IMAGE


@dsl.component(base_image=PREPROCESS_IMAGE, install_kfp_package=False)
def preprocess(
    splits: dsl.Input[dsl.Dataset],
    data: dsl.Output[dsl.Dataset],
    workflow: dsl.Output[dsl.Artifact],
    folds: int = 5,
    smoothing: float = 5.0,
    freq_threshold: int = 0,
    seed: int = 42,
    features: str = "ranking",
) -> None:
    """Fits the feature workflow on the train split and applies it to all three.

    Args:
        splits: Raw rows, as the step ingest writes them.
        folds: Folds of the target encoding.
        smoothing: Weight of the overall mean in a target encoding, in rows.
        freq_threshold: Values seen in fewer train rows than this count as unseen.
        seed: Seed of the folds of the target encoding.
        features: Set of features: `ranking`, or `retrieval` with histories and without target encodings.

    Returns:
        data: Parquet files of transformed rows: train, valid and test, row by row as the raw ones.
        workflow: The fitted workflow: its definition and its statistics.
    """
    from pathlib import Path

    from emrys.components.events import one_line_errors
    from emrys.components.preprocess.config import features_for
    from emrys.components.preprocess.step import run

    with one_line_errors("preprocess"):
        config = features_for(features, folds=folds, smoothing=smoothing, freq_threshold=freq_threshold, fold_seed=seed)
        run(Path(splits.path), config, data=Path(data.path), workflow=Path(workflow.path))
