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
        code: Folder of modules of the user, which the steps can import, absolute; None for none.
    """

    output: Path
    runner: Runner = Runner.SUBPROCESS
    config_file: Path | None = None
    arguments: dict[str, Any] = dataclasses.field(default_factory=dict)
    pipeline: str = "ranking"
    reuse: bool = False
    code: Path | None = None

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
        for name in ("config_file", "code"):
            values[name] = None if values[name] is None else str(values[name])
        return json.dumps(values, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Reads a request from the output of `to_json`."""
        values = json.loads(text)
        config_file, code = (None if values[name] is None else Path(values[name]) for name in ("config_file", "code"))
        return cls(
            Path(values["output"]),
            Runner(values["runner"]),
            config_file,
            values["arguments"],
            values["pipeline"],
            values["reuse"],
            code,
        )
