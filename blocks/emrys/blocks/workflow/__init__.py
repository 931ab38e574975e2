"""Fitted workflows: the preprocessing of features as data, applied to requests with NumPy only.

Neither TensorFlow nor NVTabular is needed.
"""

from emrys.blocks.workflow.bucketize import Bucketize
from emrys.blocks.workflow.categorify import Categorify
from emrys.blocks.workflow.columns import OutputColumn, RawColumn
from emrys.blocks.workflow.date_part import DatePart
from emrys.blocks.workflow.fill_normalize import FillNormalize
from emrys.blocks.workflow.fitted_op import FittedOp
from emrys.blocks.workflow.fitted_workflow import FittedWorkflow
from emrys.blocks.workflow.group_statistics import GroupCount, GroupMean
from emrys.blocks.workflow.hash_bucket import Cross, HashBucket
from emrys.blocks.workflow.list_length import ListLength
from emrys.blocks.workflow.number_chain import Clip, Fill, Log, MinMax, NumberChain, Standardize
from emrys.blocks.workflow.reserved_ids import FIRST_KNOWN, NULL, NULL_INT, PADDING, UNSEEN
from emrys.blocks.workflow.target_encoding import TargetEncoding
from emrys.blocks.workflow.vectors import Vectors

__all__ = [
    "FIRST_KNOWN",
    "NULL",
    "NULL_INT",
    "PADDING",
    "UNSEEN",
    "Bucketize",
    "Categorify",
    "Clip",
    "Cross",
    "DatePart",
    "Fill",
    "FillNormalize",
    "FittedOp",
    "FittedWorkflow",
    "GroupCount",
    "GroupMean",
    "HashBucket",
    "ListLength",
    "Log",
    "MinMax",
    "NumberChain",
    "OutputColumn",
    "RawColumn",
    "Standardize",
    "TargetEncoding",
    "Vectors",
]
