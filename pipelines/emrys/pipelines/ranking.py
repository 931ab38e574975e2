"""The ranking pipeline: from a rating log to a Triton ensemble that has answered requests."""

from __future__ import annotations

from kfp.dsl import graph_component

from emrys.components.evaluate.component import evaluate
from emrys.components.export_ensemble.component import export_ensemble
from emrys.pipelines.building import Kind, build_pipeline
from emrys.pipelines.config.ranking_config import RankingConfig

_KIND = Kind(
    name="ranking",
    summary="Trains a ranker on a rating log, evaluates it, and exports it as a Triton ensemble if it is good enough.",
    evaluate=evaluate,
    export=export_ensemble,
)


def ranking_pipeline(config: RankingConfig) -> graph_component.GraphComponent:
    """Builds the ranking pipeline.

    Args:
        config: Default arguments, images, and resources per step.

    Returns:
        The pipeline, to compile or to run with `kfp.local`.
    """
    return build_pipeline(config, _KIND)
