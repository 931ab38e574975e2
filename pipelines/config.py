"""Configuration of the pipelines: default arguments, images, and resources per step."""

from __future__ import annotations

from typing import Any, Protocol

from pydantic import Field
from pydantic.dataclasses import dataclass

from blocks.errors import ConfigError
from components.image import PREPROCESS_IMAGE, SERVE_IMAGE, TRAIN_IMAGE
from pipelines.resources import STRICT, Resources


@dataclass(frozen=True, config=STRICT)
class Images:
    """Container images of the steps.

    Args:
        preprocess: Of the steps that read and transform data.
        train: Of the steps that build, train and judge a model.
        serve: Of the steps that need a Triton server.
    """

    preprocess: str = PREPROCESS_IMAGE
    train: str = TRAIN_IMAGE
    serve: str = SERVE_IMAGE

    def __post_init__(self) -> None:
        for name, image in vars(self).items():
            if not image or any(sign.isspace() for sign in image):
                raise ConfigError(f"{name} cannot be used", expected="the name of a container image", got=repr(image))


class PipelineConfig(Protocol):
    """What the configuration of every pipeline has; dataclasses that pydantic checks, so that a file can be read."""

    @property
    def images(self) -> Images:
        """Container images of the steps."""

    @property
    def parameters(self) -> Any:
        """Default arguments of the pipeline, one attribute each."""

    @property
    def steps(self) -> Any:
        """Resources, one attribute a step, in the order in which they run."""


@dataclass(frozen=True, config=STRICT)
class RankingParameters:
    """Arguments of a run and their defaults; the names are those of the pipeline's inputs.

    What each one means is said once, in the docstring of the pipeline (`pipelines/ranking.py`).
    """

    dataset: str = "synthetic"
    split: str = "time"
    valid_fraction: float = 0.1
    test_fraction: float = 0.1
    rows: int = 60_000
    cache_dir: str = ""
    seed: int = 42
    folds: int = 5
    smoothing: float = 5.0
    freq_threshold: int = 0
    embedding_dim: int = 16
    bottom_layers: tuple[int, ...] = (64,)
    top_layers: tuple[int, ...] = (128, 64)
    dropout: float = 0.3
    embeddings_l2: float = 0.0
    learning_rate: float = 0.001
    ema_momentum: float = 0.99
    epochs: int = 20
    batch_size: int = 1024
    monitor: str = "val_loss"
    patience: int = 2
    checkpoint_dir: str = ""
    schema_overrides: dict[str, Any] = Field(default_factory=dict)
    model_name: str = "ranking"
    require_server: bool = False


@dataclass(frozen=True, config=STRICT)
class RankingSteps:
    """What each step of the ranking pipeline asks of the cluster."""

    ingest: Resources = Resources(cpu="1", memory="2Gi")
    preprocess: Resources = Resources(cpu="2", memory="4Gi")
    infer_schema: Resources = Resources(cpu="1", memory="2Gi")
    build_model: Resources = Resources(cpu="1", memory="2Gi")
    train: Resources = Resources(cpu="2", memory="4Gi")
    evaluate: Resources = Resources(cpu="2", memory="4Gi")
    export_ensemble: Resources = Resources(cpu="2", memory="4Gi")


@dataclass(frozen=True, config=STRICT)
class RankingConfig:
    """Everything that a configuration file of the ranking pipeline can say.

    Args:
        images: Container images of the steps.
        parameters: Default arguments of the pipeline.
        steps: Resources per step.
    """

    images: Images = Images()
    parameters: RankingParameters = RankingParameters()
    steps: RankingSteps = RankingSteps()
