"""The transform of an ensemble: raw rows to the inputs of the model."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from emrys.blocks.workflow import FittedWorkflow
from emrys.components.serving.backends.batching import RAW_PADDING
from emrys.components.serving.columns import Column, Columns, check_columns

#: Folder of the fitted workflow in a version of the model.
WORKFLOW = "workflow"


class TransformStep:
    """Applies a fitted workflow to batches of raw rows.

    Nulls are NaN (float32), -2**63 (int64) and "" (string); a null list is an empty list. Unknown ids and strings get
    the workflow's id for unseen values; infinite numbers count as null.

    Args:
        workflow: The fitted workflow.
    """

    padding: ClassVar[Mapping[str, object]] = RAW_PADDING

    def __init__(self, workflow: FittedWorkflow) -> None:
        self.workflow = workflow
        self.inputs = tuple(Column.of(column) for column in workflow.raw_columns)
        self.outputs = tuple(Column.of(column) for column in workflow.output_columns)

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> TransformStep:
        """Reads the step from the version folder of a model repository."""
        return cls(FittedWorkflow.load(Path(folder) / WORKFLOW))

    def check(self, columns: Columns) -> None:
        """Raises DataError if an input is missing or has the wrong shape or dtype."""
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
