"""Artifact of the step preprocess: the fitted feature workflow."""

from __future__ import annotations

from functools import cached_property

from emrys.blocks.workflow import FittedWorkflow
from emrys.components.contracts.artifact import Artifact


class FittedWorkflowArtifact(Artifact):
    """`workflow.json` and its Parquet tables, as `emrys.blocks.workflow.FittedWorkflow` writes them.

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
