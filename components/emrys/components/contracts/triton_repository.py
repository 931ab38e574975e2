"""Artifact of the export steps: a model repository for Triton."""

from __future__ import annotations

import os
from pathlib import Path

from emrys.blocks.errors import ArtifactError
from emrys.components.contracts.artifact import Artifact


class TritonRepository(Artifact):
    """An exported ensemble that scores rows or recommends items.

    `models` is the model repository for a Triton server: the ensemble, its transform and its model. `README.md`
    explains how to serve and query it. The metadata holds `name` and `version` of the ensemble, its `inputs`, its
    `outputs` (for a ranking ensemble also their targets and classes), and the result of the parity check (`parity`);
    for a retrieval ensemble also `k`, `items` (their number), `search` (`exact` or `approximate`) and `exclude_seen`.
    """

    kind = "triton_repository"
    required = ("README.md",)

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__(path)
        for name in (self.name, f"{self.name}_transform", f"{self.name}_model"):
            if f"models/{name}/config.pbtxt" not in self.files:
                raise ArtifactError("a model of the ensemble is missing", path=self.models / name / "config.pbtxt")

    @property
    def name(self) -> str:
        """Name of the ensemble."""
        return self.metadata["name"]

    @property
    def models(self) -> Path:
        """The folder that a Triton server loads."""
        return self.path / "models"
