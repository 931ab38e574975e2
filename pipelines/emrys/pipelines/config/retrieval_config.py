"""Configuration of the retrieval pipeline: default arguments, images, and resources per step."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from emrys.pipelines.config import parameters as of_both
from emrys.pipelines.config.config import ClusterOptions, Images, PipelineSteps, RunOptions
from emrys.pipelines.config.resources import STRICT, Resources


@dataclass(frozen=True, config=STRICT)
class RetrievalParameters(of_both.PipelineParameters):
    """Arguments of a run and their defaults; the names are those of the pipeline's inputs."""

    test_fraction: of_both.TestFraction = 0.2
    history: Annotated[
        int, Field(description="Most items of a user's history: the latest ones that the user liked in train.")
    ] = 100
    architecture: Annotated[
        str,
        Field(
            description="`two-tower`, `matrix-factorization` (best with an `embedding_dim` of 128) or `youtube-dnn`."
        ),
    ] = "two-tower"
    embedding_dim: of_both.EmbeddingDim = 64
    tower_layers: Annotated[
        tuple[int, ...],
        Field(description="Widths of the layers of the towers; the last one is that of the vectors that are compared."),
    ] = (64,)
    dropout: of_both.Dropout = 0.5
    embeddings_l2: of_both.EmbeddingsL2 = 3e-5
    learning_rate: of_both.LearningRate = 0.003
    ema_momentum: of_both.EmaMomentum = 0.0
    epochs: of_both.Epochs = 40
    monitor: of_both.Monitor = "val_ndcg_at_10"
    patience: of_both.Patience = 4
    recall_k: Annotated[int, Field(description="Length of the list that recall looks at.")] = 50
    exact_up_to: Annotated[
        int, Field(description="Catalogues up to this size are searched exactly, larger ones approximately.")
    ] = 10_000
    recall_target: Annotated[
        float, Field(description="Share of the exact results that the approximate search is tuned to.")
    ] = 0.95
    recall_floor: Annotated[float, Field(description="Share of them below which the evaluation fails.")] = 0.9
    thresholds: of_both.Thresholds = Field(default_factory=lambda: {"ndcg_at_10": 0.02, "recall_at_50": 0.1})
    gate_metric: of_both.GateMetric = "ndcg_at_10"
    baseline_metrics: of_both.BaselineMetrics = ("recall_at_50",)
    answers: Annotated[int, Field(description="Most items that the served ensemble answers with.")] = 100
    model_name: of_both.ModelName = "retrieval"


@dataclass(frozen=True, config=STRICT)
class RetrievalSteps(PipelineSteps):
    """What each step of the retrieval pipeline asks of the cluster."""

    evaluate_retrieval: Resources = Resources(cpu="2", memory="4Gi")
    export_retrieval: Resources = Resources(cpu="2", memory="4Gi")


@dataclass(frozen=True, config=STRICT)
class RetrievalConfig:
    """Everything that a configuration file of the retrieval pipeline can say.

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
