"""A fitted workflow as data, and its application to single requests: numpy alone, no TensorFlow, no NVTabular."""

from blocks.workflow.categorify import Categorify
from blocks.workflow.fill_normalize import FillNormalize
from blocks.workflow.fitted_op import FittedOp
from blocks.workflow.fitted_workflow import FittedWorkflow
from blocks.workflow.ids import FIRST_KNOWN, NULL, NULL_INT, PADDING, UNSEEN
from blocks.workflow.output_column import OutputColumn
from blocks.workflow.raw_column import RawColumn
from blocks.workflow.target_encoding import TargetEncoding

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
