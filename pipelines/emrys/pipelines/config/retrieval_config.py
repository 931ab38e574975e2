"""Configuration of the retrieval pipeline: default arguments, images, and resources per step."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from emrys.pipelines.config import parameters as shared
from emrys.pipelines.config.config import ClusterOptions, Images, PipelineSteps, RunOptions
from emrys.pipelines.config.resources import STRICT, Resources


@dataclass(frozen=True, config=STRICT)
class RetrievalParameters(shared.PipelineParameters):
    """Parameters of the pipeline and their defaults."""

    test_fraction: shared.TestFraction = 0.2
    history: Annotated[
        int, Field(description="Maximum length of a user's history: the latest positive items in train.")
    ] = 100
    architecture: Annotated[
        str,
        Field(
            description="`two-tower`, `matrix-factorization` (best with an `embedding_dim` of 128) or `youtube-dnn`."
        ),
    ] = "two-tower"
    embedding_dim: shared.EmbeddingDim = 64
    tower_layers: Annotated[
        tuple[int, ...],
        Field(description="Widths of the layers of the towers; the last one is that of the query and item vectors."),
    ] = (64,)
    dropout: shared.Dropout = 0.5
    embeddings_l2: shared.EmbeddingsL2 = 3e-5
    learning_rate: shared.LearningRate = 0.003
    ema_momentum: shared.EmaMomentum = 0.0
    epochs: shared.Epochs = 40
    monitor: shared.Monitor = "val_ndcg_at_10"
    patience: shared.Patience = 4
    recall_k: Annotated[int, Field(description="Cutoff K of Recall@K.")] = 50
    exact_up_to: Annotated[
        int, Field(description="Largest catalogue that is searched exactly; larger ones are searched approximately.")
    ] = 10_000
    recall_target: Annotated[
        float, Field(description="Recall that the approximate search is tuned to, against the exact search.")
    ] = 0.95
    recall_floor: Annotated[
        float, Field(description="Recall of the approximate search below which the evaluation fails.")
    ] = 0.9
    thresholds: shared.Thresholds = Field(default_factory=lambda: {"ndcg_at_10": 0.02, "recall_at_50": 0.1})
    gate_metric: shared.GateMetric = "ndcg_at_10"
    baseline_metrics: shared.BaselineMetrics = ("recall_at_50",)
    top_k: Annotated[int, Field(description="Number of items that the served ensemble returns.")] = 100
    model_name: shared.ModelName = "retrieval"


@dataclass(frozen=True, config=STRICT)
class RetrievalSteps(PipelineSteps):
    """Resources of each step of the retrieval pipeline."""

    evaluate_retrieval: Resources = Resources(cpu="2", memory="4Gi")
    export_retrieval: Resources = Resources(cpu="2", memory="4Gi")


@dataclass(frozen=True, config=STRICT)
class RetrievalConfig:
    """Configuration of the retrieval pipeline.

    Args:
        images: Container images of the steps.
        parameters: Default arguments of the pipeline.
        steps: Resources per step.
        run: Options of a local run.
        cluster: Options of a run on a cluster.
    """

    images: Images = Images()
    parameters: RetrievalParameters = RetrievalParameters()
    steps: RetrievalSteps = RetrievalSteps()
    run: RunOptions = RunOptions()
    cluster: ClusterOptions = ClusterOptions()
