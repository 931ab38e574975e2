"""Parts of the configuration of every pipeline: images, options of commands, and resources of the shared steps."""

from __future__ import annotations

import enum
from typing import Protocol

from pydantic.dataclasses import dataclass

from emrys.blocks.errors import ConfigError
from emrys.components.images import PREPROCESS_IMAGE, SERVE_IMAGE, TRAIN_IMAGE
from emrys.pipelines.config.parameters import PipelineParameters
from emrys.pipelines.config.resources import STRICT, Resources


@dataclass(frozen=True, config=STRICT)
class Images:
    """Container images of the steps.

    Args:
        preprocess: Image of the steps that read and transform data.
        train: Image of the steps that build, train and evaluate a model.
        serve: Image of the steps that need a Triton server.
    """

    preprocess: str = PREPROCESS_IMAGE
    train: str = TRAIN_IMAGE
    serve: str = SERVE_IMAGE

    def __post_init__(self) -> None:
        for name, image in vars(self).items():
            if not image or any(sign.isspace() for sign in image):
                raise ConfigError(f"{name} is invalid", expected="the name of a container image", got=repr(image))


class Runner(enum.StrEnum):
    """Runner of the steps of a local run."""

    SUBPROCESS = "subprocess"
    DOCKER = "docker"


@dataclass(frozen=True, config=STRICT)
class RunOptions:
    """Options of `emrys run` that are not parameters of the pipeline; the command line overrides them.

    Args:
        output: Folder for the results of a run; empty for runs/ and the pipeline's name.
        runner: Where the steps run: `subprocess` or `docker`.
        reuse: Whether ingest to train are reused from the last run in the folder where data and arguments are equal.
        verbose: Whether the raw log is shown instead of progress.
    """

    output: str = ""
    runner: Runner = Runner.SUBPROCESS
    reuse: bool = False
    verbose: bool = False


@dataclass(frozen=True, config=STRICT)
class ClusterOptions:
    """Options of `emrys submit` and `emrys schedule create|update`; the command line overrides them.

    Args:
        host: Address of Kubeflow Pipelines.
        namespace: Namespace of the user's profile, in a multi-user installation.
        token_file: File with a bearer token; empty for the one that KFP's client uses.
        experiment: Experiment of the runs; empty for the pipeline's name.
        service_account: Service account of the pods; empty for that of the installation.
    """

    host: str = ""
    namespace: str = ""
    token_file: str = ""
    experiment: str = ""
    service_account: str = ""


@dataclass(frozen=True, config=STRICT)
class PipelineSteps:
    """Resources of the steps that all pipelines share."""

    fingerprint: Resources = Resources(cpu="1", memory="1Gi")
    ingest: Resources = Resources(cpu="1", memory="2Gi")
    validate: Resources = Resources(cpu="1", memory="2Gi")
    preprocess: Resources = Resources(cpu="2", memory="4Gi")
    infer_schema: Resources = Resources(cpu="1", memory="2Gi")
    build_model: Resources = Resources(cpu="1", memory="2Gi")
    train: Resources = Resources(cpu="2", memory="4Gi")
    gate: Resources = Resources(cpu="1", memory="2Gi")
    promote: Resources = Resources(cpu="1", memory="1Gi")
    report: Resources = Resources(cpu="1", memory="2Gi")


class PipelineConfig(Protocol):
    """Interface of the configuration of a pipeline, a dataclass that pydantic validates."""

    @property
    def images(self) -> Images:
        """Container images of the steps."""

    @property
    def parameters(self) -> PipelineParameters:
        """Default arguments of the pipeline, one attribute each."""

    @property
    def steps(self) -> PipelineSteps:
        """Resources, one attribute for each step."""

    @property
    def cluster(self) -> ClusterOptions:
        """Options of the commands for a cluster."""

    @property
    def run(self) -> RunOptions:
        """Options of a local run."""
