"""Scores transformed rows; Triton loads this file."""

from emrys.components.serving.backends.model_step import ModelStep
from emrys.components.serving.backends.saved_signature import limit_threads
from emrys.components.serving.backends.triton_model import TritonModel


class TritonPythonModel(TritonModel):
    """Takes the columns of the model and returns scores."""

    step_class = ModelStep

    def configure(self, parameters: dict[str, str]) -> None:
        """Limits TensorFlow's threads, since several instances share the processors."""
        limit_threads(int(parameters["threads"]))
