"""What a pipeline does by default is what its steps do by default, and every parameter reaches a step."""

from __future__ import annotations

import importlib

import pytest

from emrys.pipelines.spec import PIPELINES, definition
from emrys.pipelines.tasks import OTHER_NAMES

#: Inputs for which the two pipelines have defaults of their own, by what is known of them.
OWN = {
    "ranking": {"split", "thresholds"},
    "retrieval": {
        "split", "test_fraction", "history", "architecture", "embedding_dim", "dropout", "embeddings_l2",
        "learning_rate", "ema_momentum", "epochs", "monitor", "patience", "thresholds", "gate_metric",
        "baseline_metrics",
    },
}  # fmt: skip


def inputs_of(step: str) -> dict[str, object]:
    """Inputs of a step with their defaults."""
    component = getattr(importlib.import_module(f"emrys.components.{step}.component"), step)
    return {name: one.default for name, one in (component.component_spec.inputs or {}).items()}


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_defaults_agree(pipeline):
    parameters = vars(definition(pipeline).config().parameters)
    compared = 0
    for step in definition(pipeline).steps:
        for name, default in inputs_of(step).items():
            parameter = OTHER_NAMES.get(step, {}).get(name, name)
            own = {name, parameter} & OWN[pipeline] or parameter in ("registry_name", "model_name")
            if parameter in parameters and default is not None and not own:
                value = parameters[parameter]
                assert (list(value) if isinstance(value, tuple) else value) == default, f"{step}.{name}"
                compared += 1
    assert compared > 35


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_every_parameter_reaches_a_step(pipeline):
    reached = set()
    for step in definition(pipeline).steps:
        reached |= {OTHER_NAMES.get(step, {}).get(name, name) for name in inputs_of(step)}
    assert set(vars(definition(pipeline).config().parameters)) <= reached


@pytest.mark.parametrize("step", OTHER_NAMES)
def test_other_names_are_inputs_of_their_steps(step):
    assert set(OTHER_NAMES[step]) <= set(inputs_of(step))
