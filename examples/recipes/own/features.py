"""A feature function of one's own: a graph of NVTabular for the columns that the recipe does not list."""

from nvtabular import WorkflowNode, ops


def features() -> WorkflowNode:
    """Pages: blanks are 200, on a logarithmic scale, standardized."""
    return ["pages"] >> ops.FillMissing(fill_val=200) >> ops.LogOp() >> ops.Normalize()
