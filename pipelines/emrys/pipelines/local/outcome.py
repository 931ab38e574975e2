"""The record of a finished local run: its pipeline, the paths of its artifacts, and the promoted version."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, Self

from emrys.blocks.errors import ArtifactError
from emrys.blocks.io import read_json, write_json
from emrys.pipelines.local.run_request import RunRequest


@dataclasses.dataclass(frozen=True)
class Outcome:
    """Record of a finished run.

    Args:
        pipeline: Name of the pipeline.
        artifacts: Path and metadata of each artifact; `repository` exists only if the gate passed.
        version: Name of the promoted version; empty for none.
    """

    pipeline: str
    artifacts: dict[str, dict[str, Any]]
    version: str = ""

    @property
    def paths(self) -> dict[str, Path]:
        """Paths of the artifacts by name."""
        return {name: Path(artifact["path"]) for name, artifact in self.artifacts.items()}

    def write(self, request: RunRequest) -> None:
        """Writes the record into the folder of the run."""
        write_json(request.outcome, dataclasses.asdict(self))

    @classmethod
    def of(cls, output: Path) -> Self:
        """Reads the record of the last finished run in a folder.

        Args:
            output: Folder of the run.

        Raises:
            ArtifactError: if no run has finished there, or the run is from an earlier version of Emrys.
        """
        file = RunRequest(output).outcome
        if not file.is_file():
            raise ArtifactError(
                "no run has finished in this folder", path=output, fix="Start one: emrys run ranking --output DIR."
            )
        try:
            return cls(**read_json(file))
        except TypeError:
            raise ArtifactError(
                "the run is from an earlier version of Emrys", path=output, fix="Run the pipeline again."
            ) from None


def artifacts_of(output: Path) -> dict[str, Path]:
    """Returns the paths of the artifacts of a finished run.

    Args:
        output: Folder of the run.

    Returns:
        Paths by the names of the pipeline's outputs, and of the outputs `repository` and `page` of its branches.

    Raises:
        ArtifactError: if no run has finished there.
    """
    return Outcome.of(output).paths
