"""Shared by the graphs of all pipelines: the outputs, the settings of a task, and the conversion to a KFP pipeline."""

# No `from __future__ import annotations` here: KFP reads the annotations of the outputs as types.
import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

from kfp import dsl, kubernetes
from kfp.dsl import graph_component

from emrys.components.images import PREPROCESS_IMAGE, SERVE_IMAGE, TRAIN_IMAGE
from emrys.pipelines.config.config import PipelineConfig
from emrys.pipelines.config.resources import Resources
from emrys.pipelines.config.signature import pipeline_function


class PipelineOutputs(NamedTuple):
    """Outputs of a pipeline, available whether or not the model passes the gate."""

    splits: dsl.Dataset
    statistics: dsl.Artifact
    workflow: dsl.Artifact
    schema: dsl.Artifact
    model: dsl.Model
    evaluation: dsl.Artifact
    metrics: dsl.Metrics
    decision: dsl.Artifact


_OUTPUTS = {
    "splits": "Raw rows: train, valid and test.",
    "statistics": "Statistics of the raw rows, and the findings of validate.",
    "workflow": "The fitted feature workflow.",
    "schema": "Schema of the transformed rows.",
    "model": "The trained model.",
    "evaluation": "Metrics, curves and report in one folder.",
    "metrics": "Metrics of the model and of the baselines.",
    "decision": "The gate's decision and its reasons.",
}


def as_pipeline(name: str, graph: Callable[[Any], PipelineOutputs], defaults: object) -> graph_component.GraphComponent:
    """Turns a function that wires a graph into a KFP pipeline.

    Args:
        name: Name of the pipeline on Kubeflow.
        graph: Wires the components. It receives the pipeline's parameters as attributes of one object, and its
            docstring describes the pipeline.
        defaults: Dataclass with the default value of each parameter; it becomes the pipeline's signature.

    Returns:
        The pipeline, to compile or to run with `kfp.local`.
    """
    function = pipeline_function(defaults, inspect.getdoc(graph) or "", _OUTPUTS, PipelineOutputs, graph)
    return dsl.pipeline(name=name, display_name=name.capitalize())(function)


def configured(task: dsl.PipelineTask, config: PipelineConfig, *, cached: bool = False) -> dsl.PipelineTask:
    """Sets title, image, resources and caching of a task.

    Ingest to train are cached: `fingerprint` gives `ingest` the content of the data as an argument, and everything
    that follows from a changed row has a different artifact among its inputs. The other steps always run:
    `fingerprint` reads the current content of a path; `validate`, the evaluation and the report compare with the
    version in production; gate, export and promotion follow from the evaluation.

    Args:
        task: A task of the pipeline.
        config: Images, and resources per step.
        cached: Whether KFP may reuse the outputs of an earlier run with equal inputs.

    Returns:
        The task.
    """
    step = task.component_spec.name.replace("-", "_")
    images = {
        PREPROCESS_IMAGE: config.images.preprocess,
        TRAIN_IMAGE: config.images.train,
        SERVE_IMAGE: config.images.serve,
    }
    task.set_display_name(step.replace("_", " ").capitalize())
    task.set_container_image(images[task.component_spec.implementation.container.image])
    task.set_caching_options(cached)
    _set_resources(task, getattr(config.steps, step))
    return task


def _set_resources(task: dsl.PipelineTask, resources: Resources) -> None:
    task.set_cpu_request(resources.cpu).set_cpu_limit(resources.cpu)
    task.set_memory_request(resources.memory).set_memory_limit(resources.memory)
    if resources.gpus:
        task.set_accelerator_type(resources.accelerator).set_accelerator_limit(resources.gpus)
    for label, value in sorted(resources.node_selector.items()):
        kubernetes.add_node_selector(task, label_key=label, label_value=value)
    for toleration in resources.tolerations:
        kubernetes.add_toleration(
            task,
            key=toleration.key or None,
            operator=toleration.operator.value,
            value=toleration.value or None,
            effect=toleration.effect.value if toleration.effect else None,
        )
