"""KFP component of the step export_retrieval."""

from typing import Any

from kfp import dsl

from emrys.components.images import SERVE_IMAGE


@dsl.component(base_image=SERVE_IMAGE, install_kfp_package=False)
def export_retrieval(
    model: dsl.Input[dsl.Model],
    workflow: dsl.Input[dsl.Artifact],
    schema: dsl.Input[dsl.Artifact],
    splits: dsl.Input[dsl.Dataset],
    evaluation: dsl.Input[dsl.Artifact],
    repository: dsl.Output[dsl.Model],
    name: str = "retrieval",
    k: int = 0,
    require_server: bool = False,
    recipe: dict[str, Any] = {},  # noqa: B006 - KFP reads it once
) -> None:
    """Writes a Triton model repository that recommends items for raw queries, and checks it against the offline path.

    Args:
        model: The trained model.
        workflow: The fitted workflow.
        schema: Schema of the transformed rows.
        splits: Raw rows; held-out rows go through both paths.
        evaluation: The model's evaluation, with the catalogue, the seen items and the settings of the search.
        name: Name of the ensemble.
        k: Number of items recommended per query; 0 for `serve.top_k` of the recipe, or 100.
        require_server: Whether a missing Triton server fails the step; otherwise the same code is checked in process.
        recipe: The recipe, whose section `serve` is read; empty for none.

    Returns:
        repository: The Triton model repository: transform, model with its search, and the ensemble that chains them.
    """
    from pathlib import Path

    from emrys.components.events import one_line_errors
    from emrys.components.export_retrieval.config import ExportRetrievalConfig
    from emrys.components.export_retrieval.step import run
    from emrys.components.recipe.reading import recipe_of
    from emrys.components.recipe.recipe import Serving

    with one_line_errors("export_retrieval"):
        served = recipe_of(recipe).serve if recipe else Serving()
        run(
            model=Path(model.path),
            workflow=Path(workflow.path),
            schema=Path(schema.path),
            splits=Path(splits.path),
            evaluation=Path(evaluation.path),
            config=ExportRetrievalConfig(name=name, k=k or served.top_k, require_server=require_server),
            output=Path(repository.path),
        )
