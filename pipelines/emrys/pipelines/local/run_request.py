"""The request for a local run: pipeline, arguments and output folder, and the paths in that folder."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any, Self

from emrys.pipelines.config.config import Runner


@dataclasses.dataclass(frozen=True)
class RunRequest:
    """A request for a local run, sent to the process that executes it as one line of JSON.

    Args:
        output: Folder of the run, absolute.
        runner: Where the steps are executed.
        config_file: Configuration of the pipeline, absolute; None for the defaults.
        arguments: Arguments of the pipeline that override the configuration.
        pipeline: Name of the pipeline.
        reuse: Whether ingest to train are reused from an earlier run in this folder where their inputs are equal.
    """

    output: Path
    runner: Runner = Runner.SUBPROCESS
    config_file: Path | None = None
    arguments: dict[str, Any] = dataclasses.field(default_factory=dict)
    pipeline: str = "ranking"
    reuse: bool = False

    @property
    def pipeline_root(self) -> Path:
        """Folder under which KFP puts the artifacts of the steps."""
        return self.output / "pipeline"

    @property
    def compiled(self) -> Path:
        """The compiled pipeline."""
        return self.output / f"{self.pipeline}.yaml"

    @property
    def log(self) -> Path:
        """Output of the steps and of KFP."""
        return self.output / "run.log"

    @property
    def validation(self) -> Path:
        """The report about data that validate rejected."""
        return self.output / "validation.html"

    @property
    def outcome(self) -> Path:
        """The file with the artifacts of a finished run, as JSON."""
        return self.pipeline_root / "outputs.json"

    def to_json(self) -> str:
        """Serializes the request to one line."""
        values = {**dataclasses.asdict(self), "output": str(self.output), "runner": self.runner.value}
        values["config_file"] = None if self.config_file is None else str(self.config_file)
        return json.dumps(values, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Reads a request from the output of `to_json`."""
        values = json.loads(text)
        config_file = None if values["config_file"] is None else Path(values["config_file"])
        runner = Runner(values["runner"])
        return cls(
            Path(values["output"]), runner, config_file, values["arguments"], values["pipeline"], values["reuse"]
        )
