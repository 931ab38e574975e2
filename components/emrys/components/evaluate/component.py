"""KFP component of the step evaluate."""

from typing import Any

from kfp import dsl

from emrys.components.images import TRAIN_IMAGE


@dsl.component(base_image=TRAIN_IMAGE, install_kfp_package=False)
def evaluate(
    splits: dsl.Input[dsl.Dataset],
    data: dsl.Input[dsl.Dataset],
    model: dsl.Input[dsl.Model],
    schema: dsl.Input[dsl.Artifact],
    evaluation: dsl.Output[dsl.Artifact],
    metrics: dsl.Output[dsl.Metrics],
    roc: dsl.Output[dsl.ClassificationMetrics],
    report: dsl.Output[dsl.HTML],
    k: int = 10,
    registry: str = "",
    model_name: str = "ranking",
    recipe: dict[str, Any] = {},  # noqa: B006 - KFP reads it once
) -> None:
    """Evaluates the trained model on the test split, next to baselines.

    Args:
        splits: Raw rows; the baselines are fitted on those of train.
        data: Transformed rows.
        model: The trained model.
        schema: Schema of the transformed rows.
        k: Length of the list for the per-user metrics, unless the recipe names metrics.
        registry: Folder or bucket of a registry, whose model in production is evaluated as well; empty for none.
        model_name: Name of the model in the registry.
        recipe: The recipe, whose section `evaluate` names metrics, baselines and slices; empty for the defaults.

    Returns:
        evaluation: Metrics, curves and report in one folder.
        metrics: Metrics of the model and of the baselines; with several targets, the names begin with the target.
        roc: The ROC curve of the first binary target.
        report: One self-contained page with plots.
    """
    import shutil
    from pathlib import Path

    from emrys.components.evaluate.config import EvaluateConfig
    from emrys.components.evaluate.step import run
    from emrys.components.events import one_line_errors
    from emrys.components.recipe.reading import recipe_of
    from emrys.components.recipe.recipe import Evaluation

    with one_line_errors("evaluate"):
        asked = recipe_of(recipe).evaluate if recipe else Evaluation()
        result = run(
            splits=Path(splits.path),
            data=Path(data.path),
            model=Path(model.path),
            schema=Path(schema.path),
            config=EvaluateConfig(
                k=k,
                registry=registry,
                model_name=model_name,
                metrics=asked.metrics,
                baselines=asked.baselines,
                bootstrap_by=asked.bootstrap_by,
                slices=asked.slices,
                show_ids=asked.show_ids,
            ),
            output=Path(evaluation.path),
        )
        for name, value in result.metrics.items():
            metrics.log_metric(name, value)
        if result.roc is not None:
            roc.log_roc_curve(*result.roc)
        shutil.copyfile(result.report, report.path)
