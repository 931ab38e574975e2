"""KFP component of the step gate."""

from typing import Any

from kfp import dsl

from emrys.components.images import TRAIN_IMAGE


@dsl.component(base_image=TRAIN_IMAGE, install_kfp_package=False)
def gate(
    evaluation: dsl.Input[dsl.Artifact],
    decision: dsl.Output[dsl.Artifact],
    summary: dsl.Output[dsl.Markdown],
    thresholds: dict[str, float],
    metric: str = "auc",
    baseline_metrics: list[str] = [],  # noqa: B006 - KFP reads it once
    baseline_margin: float = 0.0,
    production_margin: float = 0.0,
    slice_margin: float = -0.05,
    min_slice_size: int = 50,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 42,
    recipe: dict[str, Any] = {},  # noqa: B006 - KFP reads it once
) -> bool:
    """Decides whether the model may be exported and promoted.

    Thresholds replace the gate of the recipe. Without both, a recipe's model must be better than its baselines.

    Args:
        evaluation: The evaluation.
        thresholds: Minimum value per metric, or maximum if lower is better; an empty mapping is for the gate of the
            recipe, and never passes without a recipe.
        metric: Metric for comparisons with the baselines, with production and in slices.
        baseline_metrics: Further metrics for comparisons with the baselines.
        baseline_margin: Minimum lift over every baseline.
        production_margin: Minimum lift over the model in production; negative to allow a loss.
        slice_margin: Minimum lift in every slice; the gate of a recipe has its own.
        min_slice_size: Slices with fewer users or queries than this are ignored.
        confidence: Confidence of the lower bounds.
        resamples: Number of resamples of the bootstrap.
        seed: Seed of the bootstrap.
        recipe: The recipe, whose `gate` applies if `thresholds` is empty; empty for none.

    Returns:
        decision: The decision and the checks behind it.
        summary: The decision as Markdown.
        Output: Whether the model passed.
    """
    from pathlib import Path

    from emrys.components.events import one_line_errors
    from emrys.components.gate.config import GateConfig
    from emrys.components.gate.step import markdown, run
    from emrys.components.recipe.reading import recipe_of

    with one_line_errors("gate"):
        config = GateConfig(
            metric=metric,
            thresholds=dict(thresholds),
            baseline_metrics=tuple(baseline_metrics),
            baseline_margin=baseline_margin,
            production_margin=production_margin,
            slice_margin=slice_margin,
            min_slice_size=min_slice_size,
            confidence=confidence,
            resamples=resamples,
            seed=seed,
        )
        asked = recipe_of(recipe) if recipe else None
        result = run(Path(evaluation.path), config, Path(decision.path), asked)
        Path(summary.path).write_text(markdown(result), encoding="utf-8")
        return result.passed
