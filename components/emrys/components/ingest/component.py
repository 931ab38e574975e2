"""KFP component of the step ingest."""

from typing import Any

from kfp import dsl

from emrys.components.images import PREPROCESS_IMAGE


@dsl.component(base_image=PREPROCESS_IMAGE, install_kfp_package=False)
def ingest(
    splits: dsl.Output[dsl.Dataset],
    dataset: str = "synthetic",
    recipe: dict[str, Any] = {},  # noqa: B006 - KFP reads it once
    split: str = "",
    valid_fraction: float = 0.0,
    test_fraction: float = 0.0,
    synthetic_rows: int = 0,
    cache_dir: str = "",
    seed: int = 42,
    history: int = 0,
    content: str = "",
) -> None:
    """Reads a log by its recipe and splits it into train, valid and test.

    Args:
        dataset: A name (`synthetic`, `ml-100k`, `ml-1m`), or the path of a MovieLens zip, of its folder, or of files
            with the same columns; used if there is no recipe.
        recipe: The recipe; empty for that of `dataset`.
        split: Split method, such as `time`, `random` or `per_user`; empty for the recipe's, or by time without
            a recipe.
        valid_fraction: Share of the rows in valid; 0 for the recipe's.
        test_fraction: Share of the rows in test; 0 for the recipe's.
        synthetic_rows: Number of rows of the synthetic data set; 0 for the recipe's.
        cache_dir: Folder of downloads; empty for the user's cache folder.
        seed: Seed of synthetic data, of random splits and of negatives.
        history: Maximum length of the histories of each row, items that the user liked before; 0 for the recipe's.
        content: Fingerprint of the data. It is not used, but makes Kubeflow reuse results for equal data only.

    Returns:
        splits: Parquet files of raw rows: train, valid and test; and their data schema.
    """
    from pathlib import Path

    from emrys.components.events import one_line_errors
    from emrys.components.ingest.config import IngestConfig, SplitMethod
    from emrys.components.ingest.step import run
    from emrys.components.recipe.reading import recipe_of

    with one_line_errors("ingest"):
        config = IngestConfig(
            dataset=dataset,
            recipe=recipe_of(recipe) if recipe else None,
            split=SplitMethod(split) if split else None,
            valid_fraction=valid_fraction or None,
            test_fraction=test_fraction or None,
            synthetic_rows=synthetic_rows or None,
            cache_dir=cache_dir,
            seed=seed,
            history=history,
        )
        splits.metadata.update(run(config, Path(splits.path)).metadata)
