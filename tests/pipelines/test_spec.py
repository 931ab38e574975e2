"""Defaults of a pipeline equal those of its steps, and every parameter reaches a step."""

from __future__ import annotations

import importlib

import pytest

from emrys.blocks.errors import ConfigError
from emrys.pipelines.spec import SPECS, pipeline_spec

#: Parameters whose defaults differ from those of the steps.
OWN = {
    "ranking": {"split", "thresholds", "model_name"},
    "retrieval": {
        "split", "test_fraction", "history", "architecture", "embedding_dim", "dropout", "embeddings_l2",
        "learning_rate", "ema_momentum", "epochs", "monitor", "patience", "thresholds", "gate_metric",
        "baseline_metrics", "model_name",
    },
}  # fmt: skip


def inputs_of(step: str) -> dict[str, object]:
    """Inputs of a step with their defaults."""
    component = getattr(importlib.import_module(f"emrys.components.{step}.component"), step)
    return {name: spec.default for name, spec in (component.component_spec.inputs or {}).items()}


def wiring(pipeline: str) -> set[tuple[str, str, str]]:
    """The edges from parameters to steps: step, its input, and the parameter."""
    spec = pipeline_spec(pipeline)
    graph = spec.builder(spec.config()).pipeline_spec
    dags = [graph.root.dag, *(component.dag for component in graph.components.values())]
    return {
        (task.component_ref.name.removeprefix("comp-").removesuffix("-2").replace("-", "_"), name,
         source.component_input_parameter.removeprefix("pipelinechannel--"))
        for dag in dags
        for task in dag.tasks.values()
        for name, source in task.inputs.parameters.items()
        if source.component_input_parameter and "condition" not in task.component_ref.name
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("pipeline", SPECS)
def test_defaults_agree(pipeline):
    parameters = vars(pipeline_spec(pipeline).config().parameters)
    compared = 0
    for step, name, parameter in wiring(pipeline):
        default = inputs_of(step)[name]
        if default is not None and parameter not in OWN[pipeline]:
            value = parameters[parameter]
            value = list(value) if isinstance(value, tuple) else value
            if default in ("", [], {}, 0, -1) and value != default:
                continue  # the step leaves the setting to the recipe
            assert value == default, f"{step}.{name}"
            compared += 1
    assert compared > 35


@pytest.mark.slow
@pytest.mark.parametrize("pipeline", SPECS)
def test_every_parameter_reaches_a_step(pipeline):
    parameters = vars(pipeline_spec(pipeline).config().parameters)
    assert {parameter for _, _, parameter in wiring(pipeline)} == set(parameters)


@pytest.mark.slow
@pytest.mark.parametrize("pipeline", SPECS)
def test_a_parameter_reaches_every_step_with_an_input_of_its_name(pipeline):
    spec = pipeline_spec(pipeline)
    edges = wiring(pipeline)
    same_name = {(step, name, name) for step in spec.steps for name in inputs_of(step)}
    same_name = {edge for edge in same_name if edge[1] in vars(spec.config().parameters)}
    # The parameter `k` is the cutoff of the metrics; the `k` of the export is the parameter `top_k`. The learning rate
    # is that of the built model, so that a model of the user's own keeps the one that it was compiled with.
    assert same_name - edges <= {("export_retrieval", "k", "k"), ("train", "learning_rate", "learning_rate")}


def test_an_unknown_name_is_refused_with_the_nearest_one():
    with pytest.raises(ConfigError, match=r"'rankin'.*ranking, retrieval.*Did you mean 'ranking'"):
        pipeline_spec("rankin")
