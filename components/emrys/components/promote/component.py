"""KFP component of the step promote."""

from kfp import dsl

from emrys.components.images import SERVE_IMAGE


@dsl.component(base_image=SERVE_IMAGE, install_kfp_package=False)
def promote(
    statistics: dsl.Input[dsl.Artifact],
    workflow: dsl.Input[dsl.Artifact],
    schema: dsl.Input[dsl.Artifact],
    model: dsl.Input[dsl.Model],
    evaluation: dsl.Input[dsl.Artifact],
    decision: dsl.Input[dsl.Artifact],
    repository: dsl.Input[dsl.Model],
    registry: str,
    name: str,
) -> str:
    """Adds a model that passed the gate to the registry, and puts it into production.

    Args:
        statistics: Statistics of the raw rows, the reference for the drift checks of the next run.
        workflow: The fitted feature workflow.
        schema: Schema of the transformed rows.
        model: The trained model.
        evaluation: The evaluation.
        decision: The gate's decision.
        repository: The Triton model repository.
        registry: Folder or bucket of the registry; empty to write nothing.
        name: Name of the model in the registry.

    Returns:
        Output: Name of the version; empty without a registry.
    """
    from pathlib import Path

    from emrys.components.events import one_line_errors
    from emrys.components.promote.step import run

    artifacts = {
        "statistics": statistics,
        "workflow": workflow,
        "schema": schema,
        "model": model,
        "evaluation": evaluation,
        "decision": decision,
        "repository": repository,
    }
    with one_line_errors("promote"):
        version = run({part: Path(artifact.path) for part, artifact in artifacts.items()}, registry, name)
        return "" if version is None else version.name
