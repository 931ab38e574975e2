"""The transform step of the ensemble: raw rows to what the model takes."""

from __future__ import annotations

import os
from pathlib import Path

from emrys.blocks.workflow import FittedWorkflow
from emrys.components.export_ensemble.columns import Column, Columns, check_columns

#: Folder of the fitted workflow in a version of the model.
WORKFLOW = "workflow"


class TransformStep:
    """Applies a fitted workflow to raw rows, many at a time.

    Nulls are NaN (float32), -2**63 (int64) and "" (string); a null list is an empty one. Unknown ids and strings get
    the workflow's id for what is unseen; infinite numbers count as null.

    Args:
        workflow: The fitted workflow.
    """

    def __init__(self, workflow: FittedWorkflow) -> None:
        self.workflow = workflow
        self.inputs = tuple(Column.of(column) for column in workflow.raw_columns)
        self.outputs = tuple(Column.of(column) for column in workflow.output_columns)

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> TransformStep:
        """Reads the step from the version folder of a model repository."""
        return cls(FittedWorkflow.load(Path(folder) / WORKFLOW))

    def check(self, columns: Columns) -> None:
        """Raises DataError when an input is missing or has another shape or dtype."""
        check_columns(self.inputs, columns)

    def __call__(self, columns: Columns) -> Columns:
        """Transforms a batch.

        Args:
            columns: Raw columns, scalars (B, 1), lists (B, L); strings as objects.

        Returns:
            Transformed columns, scalars (B, 1), lists (B, L) padded with 0.
        """
        transformed = self.workflow.transform({column.name: columns[column.name] for column in self.inputs})
        return {column.name: transformed[column.name] for column in self.outputs}
