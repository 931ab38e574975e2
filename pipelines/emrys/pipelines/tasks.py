"""Adds tasks to a pipeline that is being built: inputs by their names, image, resources, title and caching."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kfp import dsl
from kfp.dsl import base_component

from emrys.components.images import PREPROCESS_IMAGE, SERVE_IMAGE, TRAIN_IMAGE
from emrys.pipelines.config.config import PipelineConfig
from emrys.pipelines.placing import place

#: Inputs of steps whose parameter of the pipeline has another name than they have.
OTHER_NAMES: dict[str, dict[str, str]] = {
    "validate": {
        "previous": "previous_statistics",
        "columns": "column_limits",
        "severity": "check_severity",
        "registry_name": "model_name",
    },
    "infer_schema": {"overrides": "schema_overrides"},
    "gate": {"metric": "gate_metric"},
    "export_ensemble": {"name": "model_name"},
    "export_retrieval": {"name": "model_name", "k": "answers"},
    "promote": {"name": "model_name"},
}


class Tasks:
    """The tasks of a pipeline that is being built.

    A parameter of the pipeline goes to every step that has an input of its name, or of the name in `OTHER_NAMES`.

    Args:
        config: Images, and resources per step.
        parameters: Channels of the pipeline's parameters by name.
        constants: Inputs that no parameter changes, by step.
    """

    def __init__(
        self, config: PipelineConfig, parameters: Mapping[str, Any], constants: Mapping[str, Mapping[str, Any]]
    ) -> None:
        self._config = config
        self._offered = dict(parameters)
        self._constants = constants

    def offer(self, **channels: Any) -> None:
        """Gives what has these names to every later step that has such an input."""
        self._offered |= channels

    def add(self, component: base_component.BaseComponent, *, cached: bool = False, **inputs: Any) -> dsl.PipelineTask:
        """Adds a task.

        Args:
            component: The step.
            cached: Whether what it gave for equal inputs is taken again.
            **inputs: Its inputs that are not offered by their names.

        Returns:
            The task.
        """
        step = component.name.replace("-", "_")
        names = {name: name for name in component.component_spec.inputs or {}} | OTHER_NAMES.get(step, {})
        offered = {name: self._offered[source] for name, source in names.items() if source in self._offered}
        task = component(**{**offered, **self._constants.get(step, {}), **inputs})
        task.set_caching_options(cached)
        images = self._config.images
        by_default = {PREPROCESS_IMAGE: images.preprocess, TRAIN_IMAGE: images.train, SERVE_IMAGE: images.serve}
        image = by_default[component.component_spec.implementation.container.image]
        place(task, step.replace("_", " ").capitalize(), image, getattr(self._config.steps, step))
        return task
