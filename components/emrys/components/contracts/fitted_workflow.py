"""Artifact of the step preprocess: the fitted feature workflow."""

from __future__ import annotations

from functools import cached_property

from emrys.blocks.workflow import FittedWorkflow
from emrys.components.contracts.artifact import Artifact
from emrys.components.contracts.data_schema import DataSchema
from emrys.components.contracts.splits import stored_data_schema


class FittedWorkflowArtifact(Artifact):
    """The files of an `emrys.blocks.workflow.FittedWorkflow`, and `data_schema.json` of the log.

    Metadata: `config` (of the step), `splits` (fingerprint of the splits that it was fitted on), `raw_columns` and
    `output_columns`.

    Args:
        path: The folder.

    Raises:
        ArtifactError: if the folder does not fit.
    """

    kind = "workflow"
    required = (FittedWorkflow.definition_file,)

    @cached_property
    def workflow(self) -> FittedWorkflow:
        """The fitted workflow."""
        return FittedWorkflow.load(self.path)

    @cached_property
    def data_schema(self) -> DataSchema:
        """Columns and targets of the log that it was fitted on; artifacts of earlier releases are of MovieLens."""
        return stored_data_schema(self)
