"""Adapter between Triton's Python backend and a step of an ensemble; it can only be imported inside Triton."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import numpy.typing as npt
import triton_python_backend_utils as pb_utils

from emrys.blocks.errors import DataError
from emrys.components.serving.backends.batching import BatchStep, answer
from emrys.components.serving.backends.numpy_abi import (
    number_tensor,
    repair_input_arrays,
    repair_input_strings,
    string_tensor,
)

repair_input_arrays()
repair_input_strings(pb_utils)


class TritonModel:
    """Base of the class that Triton calls; the subclass in `model.py` sets the step.

    An error becomes the answer to the request that caused it; `execute` never raises.
    """

    step_class: ClassVar[type[Any]]

    def initialize(self, args: dict[str, str]) -> None:
        """Loads the step from the version folder of the model.

        Args:
            args: Triton's arguments: folder, version and configuration of the model.
        """
        config = json.loads(args["model_config"])
        self.configure({name: value["string_value"] for name, value in config.get("parameters", {}).items()})
        self.step: BatchStep = self.step_class.load(Path(args["model_repository"]) / args["model_version"])

    def configure(self, parameters: dict[str, str]) -> None:
        """Configures the process before the step is loaded.

        Args:
            parameters: Parameters of the model's configuration.
        """

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answers the requests that Triton's batcher collected."""
        columns = [{tensor.name(): tensor.as_numpy() for tensor in request.inputs()} for request in requests]
        return [_response(result) for result in answer(self.step, columns)]


def _response(result: Any) -> Any:
    if isinstance(result, DataError):
        error = pb_utils.TritonError(str(result), pb_utils.TritonError.INVALID_ARG)
        return pb_utils.InferenceResponse(output_tensors=[], error=error)
    if isinstance(result, Exception):
        text = " ".join(f"{type(result).__name__}: {result}".split())
        error = pb_utils.TritonError(text[:500], pb_utils.TritonError.INTERNAL)
        return pb_utils.InferenceResponse(output_tensors=[], error=error)
    return pb_utils.InferenceResponse([_tensor(name, values) for name, values in result.items()])


def _tensor(name: str, values: npt.NDArray[Any]) -> Any:
    make = string_tensor if values.dtype.kind in "OSU" else number_tensor
    return make(pb_utils, name, values)
