"""KFP component of the step report."""

from kfp import dsl

from emrys.components.images import TRAIN_IMAGE


@dsl.component(base_image=TRAIN_IMAGE, install_kfp_package=False)
def report(
    statistics: dsl.Input[dsl.Artifact],
    workflow: dsl.Input[dsl.Artifact],
    schema: dsl.Input[dsl.Artifact],
    model: dsl.Input[dsl.Model],
    evaluation: dsl.Input[dsl.Artifact],
    decision: dsl.Input[dsl.Artifact],
    page: dsl.Output[dsl.HTML],
    repository: dsl.Input[dsl.Model] | None = None,
    version: str = "",
    registry: str = "",
    model_name: str = "",
    run_name: str = "",
) -> None:
    """Writes one page about the whole run, whether the model passed the gate or not.

    Args:
        statistics: Statistics of the raw rows, and findings of the checks.
        workflow: The fitted feature workflow.
        schema: Schema of the transformed rows.
        model: The trained model.
        evaluation: The evaluation.
        decision: The gate's decision.
        repository: The Triton model repository; absent if the model did not pass the gate.
        version: Name of the promoted version; empty for none.
        registry: Folder or bucket of the registry, for the schema of the version in production; empty for none.
        model_name: Name of the model in the registry.
        run_name: Name of the run; may be empty.

    Returns:
        page: One self-contained page.
    """
    from pathlib import Path

    from emrys.components.events import one_line_errors
    from emrys.components.report.step import ReportConfig, run

    with one_line_errors("report"):
        run(
            statistics=Path(statistics.path),
            workflow=Path(workflow.path),
            schema=Path(schema.path),
            model=Path(model.path),
            evaluation=Path(evaluation.path),
            decision=Path(decision.path),
            repository=None if repository is None else Path(repository.path),
            config=ReportConfig(version=version, registry=registry, model_name=model_name, run_name=run_name),
            output=Path(page.path),
        )
