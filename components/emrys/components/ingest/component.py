"""KFP component of the step ingest."""

from kfp import dsl

from emrys.components.images import PREPROCESS_IMAGE


@dsl.component(base_image=PREPROCESS_IMAGE, install_kfp_package=False)
def ingest(
    splits: dsl.Output[dsl.Dataset],
    dataset: str = "synthetic",
    split: str = "time",
    valid_fraction: float = 0.1,
    test_fraction: float = 0.1,
    synthetic_rows: int = 60000,
    cache_dir: str = "",
    seed: int = 42,
    history: int = 0,
    content: str = "",
) -> None:
    """Reads a rating log and splits it into train, valid and test.

    Args:
        dataset: A name (`synthetic`, `ml-100k`, `ml-1m`), or the path of a MovieLens zip, of its folder, or of Parquet
            files with the same columns.
        split: Split method: `time`, `random` or `per_user`.
        valid_fraction: Share of the rows in valid.
        test_fraction: Share of the rows in test.
        synthetic_rows: Number of rows of the synthetic data set.
        cache_dir: Folder of downloads; empty for the user's cache folder.
        seed: Seed of the synthetic data and of a random split.
        history: Maximum length of the history of each row, the items with a positive rating of the user in train; 0 for
            no histories.
        content: Fingerprint of the data set. It is not used, but makes Kubeflow reuse results for equal data only.

    Returns:
        splits: Parquet files of raw rows: train, valid and test.
    """
    from pathlib import Path

    from emrys.components.events import one_line_errors
    from emrys.components.ingest.config import IngestConfig, SplitMethod
    from emrys.components.ingest.step import run

    with one_line_errors("ingest"):
        config = IngestConfig(
            dataset=dataset,
            split=SplitMethod(split),
            valid_fraction=valid_fraction,
            test_fraction=test_fraction,
            synthetic_rows=synthetic_rows,
            cache_dir=cache_dir,
            seed=seed,
            history=history,
        )
        splits.metadata.update(run(config, Path(splits.path)).metadata)
