"""Fitted workflows: the preprocessing of features as data, applied to requests with NumPy only.

Neither TensorFlow nor NVTabular is needed.
"""

from emrys.blocks.workflow.categorify import Categorify
from emrys.blocks.workflow.columns import OutputColumn, RawColumn
from emrys.blocks.workflow.fill_normalize import FillNormalize
from emrys.blocks.workflow.fitted_op import FittedOp
from emrys.blocks.workflow.fitted_workflow import FittedWorkflow
from emrys.blocks.workflow.reserved_ids import FIRST_KNOWN, NULL, NULL_INT, PADDING, UNSEEN
from emrys.blocks.workflow.target_encoding import TargetEncoding

__all__ = [
    "FIRST_KNOWN",
    "NULL",
    "NULL_INT",
    "PADDING",
    "UNSEEN",
    "Categorify",
    "FillNormalize",
    "FittedOp",
    "FittedWorkflow",
    "OutputColumn",
    "RawColumn",
    "TargetEncoding",
]
