"""Contract of the step gate with Kubeflow Pipelines."""

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
) -> bool:
    """Decides whether the model may be exported and promoted.

    Args:
        evaluation: What was measured.
        thresholds: By metric what the model has to reach; with none it does not pass.
        metric: What it is compared by with the baselines, with production and in slices.
        baseline_metrics: Further metrics by which it is compared with the baselines.
        baseline_margin: How much better than every baseline it has to be.
        production_margin: How much better than the model in production; below 0, how much worse it may be.
        slice_margin: The same for the worst slice.
        min_slice_size: Slices with fewer users or queries than this are ignored.
        confidence: Confidence of the lower bounds.
        resamples: Resamples of the bootstrap.
        seed: Seed of the bootstrap.

    Returns:
        decision: The decision, and why.
        summary: The decision for people.
        Output: Whether the model passed.
    """
    from pathlib import Path

    from emrys.components.events import one_line_errors
    from emrys.components.gate.config import GateConfig
    from emrys.components.gate.step import markdown, run

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
        found = run(Path(evaluation.path), config, Path(decision.path))
        Path(summary.path).write_text(markdown(found), encoding="utf-8")
        return found.passed
