"""What a finished local run has left: which pipeline it was, where its artifacts are, what it promoted."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, Self

from emrys.blocks.errors import ArtifactError
from emrys.blocks.io import read_json, write_json
from emrys.pipelines.local.run_request import RunRequest


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a finished run has left.

    Args:
        pipeline: Name of the pipeline.
        artifacts: Path and metadata of each artifact; `repository` is there only where the gate passed.
        version: Name of the version that was promoted; empty for none.
    """

    pipeline: str
    artifacts: dict[str, dict[str, Any]]
    version: str = ""

    @property
    def paths(self) -> dict[str, Path]:
        """Where the artifacts are."""
        return {name: Path(artifact["path"]) for name, artifact in self.artifacts.items()}

    def write(self, request: RunRequest) -> None:
        """Notes it in the folder of the run."""
        write_json(request.outcome, dataclasses.asdict(self))

    @classmethod
    def of(cls, output: Path) -> Self:
        """Reads what the last finished run in a folder has left.

        Args:
            output: Folder of the run.

        Raises:
            ArtifactError: if no run has finished there, or one of an earlier version of Emrys.
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
                "the run is of an earlier version of Emrys", path=output, fix="Run the pipeline again."
            ) from None


def artifacts_of(output: Path) -> dict[str, Path]:
    """Where the artifacts of a finished run are.

    Args:
        output: Folder of the run.

    Returns:
        Paths by the names of the pipeline's outputs, and by those of the steps behind the gate.

    Raises:
        ArtifactError: if no run has finished there.
    """
    return Outcome.of(output).paths
