"""KFP component of the step evaluate_retrieval."""

from typing import Any

from kfp import dsl

from emrys.components.images import TRAIN_IMAGE


@dsl.component(base_image=TRAIN_IMAGE, install_kfp_package=False)
def evaluate_retrieval(
    splits: dsl.Input[dsl.Dataset],
    data: dsl.Input[dsl.Dataset],
    model: dsl.Input[dsl.Model],
    schema: dsl.Input[dsl.Artifact],
    evaluation: dsl.Output[dsl.Artifact],
    metrics: dsl.Output[dsl.Metrics],
    report: dsl.Output[dsl.HTML],
    k: int = 10,
    recall_k: int = 50,
    exact_up_to: int = 10000,
    recall_target: float = 0.95,
    recall_floor: float = 0.9,
    registry: str = "",
    model_name: str = "retrieval",
    recipe: dict[str, Any] = {},  # noqa: B006 - KFP reads it once
) -> None:
    """Evaluates the trained model over the whole catalogue, next to baselines.

    Items that users have seen in train are left out, unless the recipe says `exclude_seen: false`.

    Args:
        splits: Raw rows; the baselines are fitted on those of train.
        data: Transformed rows.
        model: The trained model.
        schema: Schema of the transformed rows.
        k: Length of the list for NDCG, MRR, coverage and novelty, unless the recipe names metrics.
        recall_k: Length of the list for recall, unless the recipe names metrics.
        exact_up_to: Catalogues up to this size are searched exactly, larger ones approximately.
        recall_target: Share of the exact results that the approximate search aims at.
        recall_floor: Share of the exact results below which the step fails.
        registry: Folder or bucket of a registry, whose model in production is evaluated as well; empty for none.
        model_name: Name of the model in the registry.
        recipe: The recipe, whose section `evaluate` names metrics, baselines and slices; empty for the defaults.

    Returns:
        evaluation: Metrics, curves, report, candidates and seen items in one folder.
        metrics: NDCG, recall, MRR, coverage and novelty of the model and of the baselines.
        report: One self-contained page with plots.
    """
    import shutil
    from pathlib import Path

    from emrys.components.evaluate_retrieval.config import EvaluateRetrievalConfig
    from emrys.components.evaluate_retrieval.step import run
    from emrys.components.events import one_line_errors
    from emrys.components.recipe.evaluation import session_asks
    from emrys.components.recipe.reading import recipe_of
    from emrys.components.recipe.recipe import Evaluation

    with one_line_errors("evaluate_retrieval"):
        whole = recipe_of(recipe) if recipe else None
        asked = whole.evaluate if whole else Evaluation()
        result = run(
            splits=Path(splits.path),
            data=Path(data.path),
            model=Path(model.path),
            schema=Path(schema.path),
            config=EvaluateRetrievalConfig(
                k=k,
                recall_k=recall_k,
                exact_up_to=exact_up_to,
                recall_target=recall_target,
                recall_floor=recall_floor,
                registry=registry,
                model_name=model_name,
                metrics=asked.metrics,
                baselines=asked.baselines,
                exclude_seen=asked.exclude_seen,
                unit="session" if whole and session_asks(whole) else "",
                slices=asked.slices,
                show_ids=asked.show_ids,
            ),
            output=Path(evaluation.path),
        )
        for name, value in result.metrics.items():
            metrics.log_metric(name, value)
        shutil.copyfile(result.report, report.path)
