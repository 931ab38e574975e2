"""KFP component of the step validate."""

from typing import Any

from kfp import dsl

from emrys.components.images import TRAIN_IMAGE


@dsl.component(base_image=TRAIN_IMAGE, install_kfp_package=False)
def validate(
    splits: dsl.Input[dsl.Dataset],
    statistics: dsl.Output[dsl.Artifact],
    metrics: dsl.Output[dsl.Metrics],
    report: dsl.Output[dsl.HTML],
    columns: dict[str, Any],
    severity: dict[str, str],
    recipe: dict[str, Any] = {},  # noqa: B006 - KFP reads it once
    on_anomaly: str = "stop",
    previous: str = "",
    registry: str = "",
    registry_name: str = "",
    min_rows: int = 100,
    max_rows: int = 0,
    min_growth: float = 0.5,
    max_nulls: float = 0.5,
    max_duplicates: float = 0.001,
    max_shared: float = 0.0,
    max_distinct_share: float = 0.9,
    vocabulary_growth: float = 2.0,
    js_distance: float = 0.1,
    l_infinity: float = 0.05,
    null_drift: float = 0.05,
    leak_auc: float = 0.95,
    seed: int = 42,
) -> str:
    """Checks the raw rows for anomalies, drift and leaks, and stops or marks the run.

    Args:
        splits: Raw rows.
        columns: Limits by column, instead of those of the recipe and those for all columns.
        severity: `error`, `warning` or `off` by check, instead of those of the recipe and the default.
        recipe: The recipe; its `validate` holds limits by column and severities by check.
        on_anomaly: Reaction to an error: `stop` or `mark`.
        previous: Statistics of an earlier run, a path, `file://` or `gs://`; empty for those of the registry.
        registry: Root of a registry with the statistics of the version in production; empty for none.
        registry_name: Name of the model in the registry.
        min_rows: Minimum number of train rows.
        max_rows: Maximum number of train rows; 0 for no limit.
        min_growth: Minimum number of train rows relative to the previous run.
        max_nulls: Maximum share of nulls in a column.
        max_duplicates: Maximum share of train rows that repeat an event.
        max_shared: Maximum share of valid or test rows whose event is in train.
        max_distinct_share: Maximum number of distinct values of a text or list column per row.
        vocabulary_growth: Maximum number of distinct values relative to the previous run.
        js_distance: Maximum Jensen-Shannon distance of a number from the previous run.
        l_infinity: Maximum change in the share of a value since the previous run.
        null_drift: Maximum change in the share of nulls since the previous run.
        leak_auc: Maximum AUC of a column alone.
        seed: Seed of the sample for the leak checks.

    Returns:
        statistics: Statistics of the columns, and the findings.
        metrics: Numbers of rows and of findings.
        report: One self-contained page with a plot of each drifted column.
        Output: The verdict: `passed` or `marked`.
    """
    import tempfile
    from pathlib import Path

    from emrys.components.contracts.splits import Splits
    from emrys.components.events import one_line_errors
    from emrys.components.recipe.recipe import Recipe, Validation
    from emrys.components.validate.config import OnAnomaly, ValidateConfig
    from emrys.components.validate.previous import fetch_previous
    from emrys.components.validate.step import run

    with one_line_errors("validate"), tempfile.TemporaryDirectory() as folder:
        reaction = OnAnomaly(on_anomaly)
        raw = Splits(splits.path)
        said = recipe or raw.metadata.get("config", {}).get("recipe")
        limits = Recipe.model_validate(said).validation if said else Validation()
        # A shipped recipe has limits of optional columns.
        own = {name: each for name, each in limits.columns.items() if name in raw.columns}
        config = ValidateConfig(
            on_anomaly=reaction,
            min_rows=min_rows,
            max_rows=max_rows,
            min_growth=min_growth,
            max_nulls=max_nulls,
            max_duplicates=max_duplicates,
            max_shared=max_shared,
            max_distinct_share=max_distinct_share,
            vocabulary_growth=vocabulary_growth,
            js_distance=js_distance,
            l_infinity=l_infinity,
            null_drift=null_drift,
            leak_auc=leak_auc,
            seed=seed,
            columns={**own, **columns},
            severity={**limits.severity, **severity},
        )
        result = run(
            splits=Path(splits.path),
            config=config,
            output=Path(statistics.path),
            previous=fetch_previous(previous, registry, registry_name, Path(folder) / "previous"),
            report=Path(report.path),
        )
        for split, rows in result.rows.items():
            metrics.log_metric(f"{split}_rows", rows)
        for severity_name in ("error", "warning"):
            count = sum(finding["severity"] == severity_name for finding in result.findings)
            metrics.log_metric(f"{severity_name}s", count)
        return result.verdict
