"""Transforms raw rows; Triton loads this file."""

from emrys.components.serving.backends.transform_step import TransformStep
from emrys.components.serving.backends.triton_model import TritonModel


class TritonPythonModel(TritonModel):
    """Takes raw columns and returns the columns of the model."""

    step_class = TransformStep
