"""The shape that both pipelines have: which steps there are, what goes from one to the next, and where they run."""

# No `from __future__ import annotations` here: KFP reads the annotations of the outputs as types.
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from kfp import dsl
from kfp.dsl import base_component, graph_component

from emrys.components.build_model.component import build_model
from emrys.components.fingerprint.component import fingerprint
from emrys.components.gate.component import gate
from emrys.components.infer_schema.component import infer_schema
from emrys.components.ingest.component import ingest
from emrys.components.preprocess.component import preprocess
from emrys.components.promote.component import promote
from emrys.components.report.component import report
from emrys.components.train.component import train
from emrys.components.validate.component import validate
from emrys.pipelines.config.config import PipelineConfig
from emrys.pipelines.config.signature import pipeline_function
from emrys.pipelines.tasks import Tasks


class PipelineOutputs(NamedTuple):
    """What comes out of a pipeline, whether the model passes the gate or not."""

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
    "statistics": "Statistics of the raw rows, and what was found wrong with them.",
    "workflow": "The fitted feature workflow.",
    "schema": "Schema of the transformed rows.",
    "model": "The trained model.",
    "evaluation": "Metrics, curves and report in one folder.",
    "metrics": "Metrics of the model and of the baselines.",
    "decision": "The gate's decision, and why.",
}


@dataclass(frozen=True)
class Kind:
    """What one pipeline has of its own.

    Args:
        name: Its name on Kubeflow.
        summary: What it does.
        evaluate: The step that evaluates.
        export: The step that exports.
        constants: Inputs of steps that no parameter changes, by step.
    """

    name: str
    summary: str
    evaluate: base_component.BaseComponent
    export: base_component.BaseComponent
    constants: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def build_pipeline(config: PipelineConfig, kind: Kind) -> graph_component.GraphComponent:
    """Builds a pipeline.

    Ingest to train are taken from Kubeflow's cache where their inputs are equal: `fingerprint` gives `ingest` the
    content of the data as an argument, and whatever follows from a changed row has another artifact among its inputs.
    The others run every time: `fingerprint` reads what a path holds today; `validate`, the evaluation and the report
    look at what is in production; the gate, the export and the promotion follow from the evaluation.

    Args:
        config: Default arguments, images, and resources per step.
        kind: What the pipeline has of its own.

    Returns:
        The pipeline, to compile or to run with `kfp.local`.
    """

    def body(parameters: dict[str, Any]) -> PipelineOutputs:
        tasks = Tasks(config, parameters, kind.constants)
        named = tasks.add(fingerprint)
        splits = tasks.add(ingest, content=named.output, cached=True).outputs["splits"]
        checked = tasks.add(validate, splits=splits)
        fitted = tasks.add(preprocess, splits=splits, cached=True).after(checked)
        data, workflow = fitted.outputs["data"], fitted.outputs["workflow"]
        schema = tasks.add(infer_schema, data=data, workflow=workflow, cached=True).outputs["schema"]
        built = tasks.add(build_model, schema=schema, cached=True).outputs["model"]
        model = tasks.add(train, data=data, schema=schema, model=built, cached=True).outputs["trained"]
        judged = tasks.add(kind.evaluate, splits=splits, data=data, model=model, schema=schema)
        evaluation = judged.outputs["evaluation"]
        decided = tasks.add(gate, evaluation=evaluation)

        tasks.offer(
            splits=splits,
            statistics=checked.outputs["statistics"],
            workflow=workflow,
            schema=schema,
            model=model,
            evaluation=evaluation,
            decision=decided.outputs["decision"],
            run_name=dsl.PIPELINE_JOB_NAME_PLACEHOLDER,
        )
        with dsl.If(decided.outputs["Output"] == True, "gate passed"):  # noqa: E712 - a channel, compared later
            repository = tasks.add(kind.export).outputs["repository"]
            version = tasks.add(promote, repository=repository).output
            tasks.add(report, repository=repository, version=version)
        with dsl.Else("gate not passed"):
            tasks.add(report)
        return PipelineOutputs(
            splits=splits,
            statistics=checked.outputs["statistics"],
            workflow=workflow,
            schema=schema,
            model=model,
            evaluation=evaluation,
            metrics=judged.outputs["metrics"],
            decision=decided.outputs["decision"],
        )

    function = pipeline_function(config.parameters, kind.summary, _OUTPUTS, PipelineOutputs, body)
    return dsl.pipeline(name=kind.name, display_name=kind.name.capitalize())(function)
