"""KFP component of the step evaluate."""

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
) -> None:
    """Evaluates the trained model on the test split, next to baselines.

    Args:
        splits: Raw rows; the baselines are fitted on those of train.
        data: Transformed rows.
        model: The trained model.
        schema: Schema of the transformed rows.
        k: Length of the list for the per-user metrics.
        registry: Folder or bucket of a registry, whose model in production is evaluated as well; empty for none.
        model_name: Name of the model in the registry.

    Returns:
        evaluation: Metrics, curves and report in one folder.
        metrics: AUC, log loss, calibration and per-user metrics of the model and of the baselines.
        roc: The ROC curve.
        report: One self-contained page with plots.
    """
    import shutil
    from pathlib import Path

    from emrys.components.evaluate.config import EvaluateConfig
    from emrys.components.evaluate.step import run
    from emrys.components.events import one_line_errors

    with one_line_errors("evaluate"):
        result = run(
            splits=Path(splits.path),
            data=Path(data.path),
            model=Path(model.path),
            schema=Path(schema.path),
            config=EvaluateConfig(k=k, registry=registry, model_name=model_name),
            output=Path(evaluation.path),
        )
        for name, value in result.metrics.items():
            metrics.log_metric(name, value)
        roc.log_roc_curve(*result.roc)
        shutil.copyfile(result.report, report.path)
