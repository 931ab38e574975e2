"""The pipelines by name: configuration, steps, and the function that builds each one."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from emrys.blocks.errors import ConfigError
from emrys.pipelines.config.config import PipelineConfig
from emrys.pipelines.config.ranking_config import RankingConfig
from emrys.pipelines.config.retrieval_config import RetrievalConfig

if TYPE_CHECKING:
    from kfp.dsl.graph_component import GraphComponent


@dataclasses.dataclass(frozen=True)
class PipelineSpec:
    """Description of a pipeline.

    Args:
        name: Name in commands, file names and on Kubeflow.
        summary: Help text of `emrys run`.
        config: Class of the configuration; its `parameters` are the parameters of the pipeline.
        steps: Names of the steps in the order in which they run. Export and promotion only run if the gate passes.
        builder: Builds the pipeline from a configuration, to compile it or to run it.
    """

    name: str
    summary: str
    config: type[PipelineConfig]
    steps: tuple[str, ...]
    builder: Callable[[Any], GraphComponent]


def _build_ranking(config: RankingConfig) -> GraphComponent:
    from emrys.pipelines.ranking import ranking_pipeline  # KFP takes a second to import

    return ranking_pipeline(config)


def _build_retrieval(config: RetrievalConfig) -> GraphComponent:
    from emrys.pipelines.retrieval import retrieval_pipeline

    return retrieval_pipeline(config)


_TRAINING_STEPS = ("fingerprint", "ingest", "validate", "preprocess", "infer_schema", "build_model", "train")

#: All pipelines by name.
SPECS: Mapping[str, PipelineSpec] = {
    spec.name: spec
    for spec in (
        PipelineSpec(
            name="ranking",
            summary="Train a ranker, evaluate it, and export it as a Triton ensemble if it passes the gate.",
            config=RankingConfig,
            steps=(*_TRAINING_STEPS, "evaluate", "gate", "export_ensemble", "promote", "report"),
            builder=_build_ranking,
        ),
        PipelineSpec(
            name="retrieval",
            summary="Train a model that retrieves items from the whole catalogue, evaluate it, and export it as a "
            "Triton ensemble if it passes the gate.",
            config=RetrievalConfig,
            steps=(*_TRAINING_STEPS, "evaluate_retrieval", "gate", "export_retrieval", "promote", "report"),
            builder=_build_retrieval,
        ),
    )
}


def pipeline_spec(name: str) -> PipelineSpec:
    """Returns the pipeline with a name.

    Raises:
        ConfigError: if there is no such pipeline.
    """
    if name not in SPECS:
        near = difflib.get_close_matches(name, SPECS, n=1)
        fix = f"Did you mean {near[0]!r}?" if near else None
        raise ConfigError(f"no such pipeline: {name!r}", expected=f"one of {', '.join(SPECS)}", fix=fix)
    return SPECS[name]
