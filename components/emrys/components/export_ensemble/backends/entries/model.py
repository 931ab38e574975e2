"""Scores transformed rows; Triton loads this file."""

from emrys.components.export_ensemble.backends.model import ModelStep, limit_threads
from emrys.components.export_ensemble.backends.triton_model import TritonModel


class TritonPythonModel(TritonModel):
    """The model's columns in, scores out."""

    step_class = ModelStep

    def configure(self, parameters: dict[str, str]) -> None:
        """Limits TensorFlow's threads: several instances share the processors."""
        limit_threads(int(parameters["threads"]))
