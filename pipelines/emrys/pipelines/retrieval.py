"""The retrieval pipeline: from a rating log to a Triton ensemble that finds items in the whole catalogue."""

from __future__ import annotations

from kfp.dsl import graph_component

from emrys.components.evaluate_retrieval.component import evaluate_retrieval
from emrys.components.export_retrieval.component import export_retrieval
from emrys.pipelines.building import Kind, build_pipeline
from emrys.pipelines.config.retrieval_config import RetrievalConfig

_KIND = Kind(
    name="retrieval",
    summary="Trains a model that finds items on a rating log, judges it over the whole catalogue, and exports it as a "
    "Triton ensemble if it is good enough.",
    evaluate=evaluate_retrieval,
    export=export_retrieval,
    # The layers are those of a ranking model; the step wants them, and a retrieval model has none.
    constants={
        "preprocess": {"features": "retrieval"},
        "build_model": {"bottom_layers": [64], "top_layers": [64]},
    },
)


def retrieval_pipeline(config: RetrievalConfig) -> graph_component.GraphComponent:
    """Builds the retrieval pipeline.

    Args:
        config: Default arguments, images, and resources per step.

    Returns:
        The pipeline, to compile or to run with `kfp.local`.
    """
    return build_pipeline(config, _KIND)
