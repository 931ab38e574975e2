"""Transforms raw rows; Triton loads this file."""

from emrys.components.export_ensemble.backends.transform import TransformStep
from emrys.components.export_ensemble.backends.triton_model import TritonModel


class TritonPythonModel(TritonModel):
    """Raw columns in, the model's columns out."""

    step_class = TransformStep
