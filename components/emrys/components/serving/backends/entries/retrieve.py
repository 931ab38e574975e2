"""Recommends items for transformed queries; Triton loads this file."""

from emrys.components.serving.backends.item_index import limit_index_threads
from emrys.components.serving.backends.retrieve_step import RetrieveStep
from emrys.components.serving.backends.saved_signature import limit_threads
from emrys.components.serving.backends.triton_model import TritonModel


class TritonPythonModel(TritonModel):
    """Takes the columns of the query encoder and the raw id of the user, and returns items and scores."""

    step_class = RetrieveStep

    def configure(self, parameters: dict[str, str]) -> None:
        """Limits the threads of TensorFlow and Faiss, since several instances share the processors."""
        limit_threads(int(parameters["threads"]))
        limit_index_threads(int(parameters["threads"]))
