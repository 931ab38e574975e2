"""Configuration of the retrieval pipeline: default arguments, images, and resources per step."""

from __future__ import annotations

from typing import Any

from pydantic import Field
from pydantic.dataclasses import dataclass

from pipelines.config import Images
from pipelines.resources import STRICT, Resources


@dataclass(frozen=True, config=STRICT)
class RetrievalParameters:
    """Arguments of a run and their defaults; the names are those of the pipeline's inputs.

    What each one means is said once, in the docstring of the pipeline (`pipelines/retrieval.py`).
    """

    dataset: str = "synthetic"
    split: str = "per_user"
    valid_fraction: float = 0.1
    test_fraction: float = 0.2
    rows: int = 60_000
    cache_dir: str = ""
    seed: int = 42
    history: int = 100
    freq_threshold: int = 0
    schema_overrides: dict[str, Any] = Field(default_factory=dict)
    architecture: str = "two-tower"
    embedding_dim: int = 64
    tower_layers: tuple[int, ...] = (64,)
    dropout: float = 0.5
    embeddings_l2: float = 3e-5
    learning_rate: float = 0.003
    ema_momentum: float = 0.0
    epochs: int = 40
    batch_size: int = 1024
    monitor: str = "val_ndcg_at_10"
    patience: int = 4
    checkpoint_dir: str = ""
    k: int = 10
    recall_k: int = 50
    exact_up_to: int = 10_000
    recall_target: float = 0.95
    recall_floor: float = 0.9
    thresholds: dict[str, float] = Field(default_factory=lambda: {"ndcg_at_10": 0.02, "recall_at_50": 0.1})
    gate_metric: str = "ndcg_at_10"
    baseline_margin: float = 0.0
    production_margin: float = 0.0
    slice_margin: float = -0.05
    registry: str = ""
    model_name: str = "retrieval"


@dataclass(frozen=True, config=STRICT)
class RetrievalSteps:
    """What each step of the retrieval pipeline asks of the cluster."""

    fingerprint: Resources = Resources(cpu="1", memory="1Gi")
    ingest: Resources = Resources(cpu="1", memory="2Gi")
    preprocess: Resources = Resources(cpu="2", memory="4Gi")
    infer_schema: Resources = Resources(cpu="1", memory="2Gi")
    build_model: Resources = Resources(cpu="1", memory="2Gi")
    train: Resources = Resources(cpu="2", memory="4Gi")
    evaluate_retrieval: Resources = Resources(cpu="2", memory="4Gi")
    gate: Resources = Resources(cpu="1", memory="2Gi")


@dataclass(frozen=True, config=STRICT)
class RetrievalConfig:
    """Everything that a configuration file of the retrieval pipeline can say.

    Args:
        images: Container images of the steps.
        parameters: Default arguments of the pipeline.
        steps: Resources per step.
    """

    images: Images = Images()
    parameters: RetrievalParameters = RetrievalParameters()
    steps: RetrievalSteps = RetrievalSteps()
