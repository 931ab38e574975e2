"""Recommends items to transformed queries; Triton loads this file."""

from emrys.components.export_ensemble.backends.model import limit_threads
from emrys.components.export_ensemble.backends.triton_model import TritonModel
from emrys.components.export_retrieval.backends.item_index import limit_index_threads
from emrys.components.export_retrieval.backends.retrieve import RetrieveStep


class TritonPythonModel(TritonModel):
    """The query tower's columns and the raw id of the user in, items and scores out."""

    step_class = RetrieveStep

    def configure(self, parameters: dict[str, str]) -> None:
        """Limits the threads of TensorFlow and Faiss: several instances share the processors."""
        limit_threads(int(parameters["threads"]))
        limit_index_threads(int(parameters["threads"]))
