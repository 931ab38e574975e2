"""Configuration of the ranking pipeline: default arguments, images, and resources per step."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from emrys.pipelines.config.config import ClusterOptions, Images, PipelineSteps, RunOptions
from emrys.pipelines.config.parameters import PipelineParameters, Thresholds
from emrys.pipelines.config.resources import STRICT, Resources


@dataclass(frozen=True, config=STRICT)
class RankingParameters(PipelineParameters):
    """Parameters of the pipeline and their defaults."""

    folds: Annotated[int, Field(description="Folds of the target encoding.")] = 5
    smoothing: Annotated[float, Field(description="Weight of the overall mean in a target encoding, in rows.")] = 5.0
    bottom_layers: Annotated[
        tuple[int, ...],
        Field(
            description="Widths of the layers over the continuous features; `embedding_dim` is added as the last one."
        ),
    ] = (64,)
    top_layers: Annotated[tuple[int, ...], Field(description="Widths of the layers over the interactions.")] = (128, 64)
    thresholds: Thresholds = Field(default_factory=lambda: {"auc": 0.65})


@dataclass(frozen=True, config=STRICT)
class RankingSteps(PipelineSteps):
    """Resources of each step of the ranking pipeline."""

    evaluate: Resources = Resources(cpu="2", memory="4Gi")
    export_ensemble: Resources = Resources(cpu="2", memory="4Gi")


@dataclass(frozen=True, config=STRICT)
class RankingConfig:
    """Configuration of the ranking pipeline.

    Args:
        images: Container images of the steps.
        parameters: Default arguments of the pipeline.
        steps: Resources per step.
        run: Options of a local run.
        cluster: Options of a run on a cluster.
    """

    images: Images = Images()
    parameters: RankingParameters = RankingParameters()
    steps: RankingSteps = RankingSteps()
    run: RunOptions = RunOptions()
    cluster: ClusterOptions = ClusterOptions()
